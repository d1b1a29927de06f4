/** A replica with a mesh on the real network, on which datagrams may be lost, repeated and overtaken. Asked by tests; see `ReplicaProgram`. */
import { setTimeout as pause } from 'node:timers/promises'
import { fileLog } from '../../../adapters/file/index.ts'
import { meshTransport } from '../../../adapters/mesh/index.ts'
import { nodeNetwork } from '../../../adapters/mesh/sockets/node-network.ts'
import {
  type Dot,
  type ReplicaAcks,
  type ReplicationOptions,
  type Warp,
  nodeEnv,
  WarpError,
} from '../../../adapters/node/index.ts'
import { counter, custom, register, set } from '../../../crdt/index.ts'
import { ALL_PARTS } from '../../../src/api/all-parts.ts'
import type { ReachedAcks } from '../../../src/store/write-road/receipt.ts'
import { openWarpOn } from '../../../src/warp.ts'
import { serve } from '../../support/child-program.ts'
import { type Chances, lossyNetwork } from '../../support/lossy-network.ts'
import { type Values, type Writes, replicaWrites } from './replica-writes.ts'

const KEYS = {
  'count:*': counter(),
  'cart:*': set<string>(),
  'note:*': custom<string[], string>((lines, line) => [...lines, line], { initial: [] }),
  'mark:*': register<string>(),
  /** Compacted to its last operation. */
  'last:*': { strategy: register<number>(), retain: 'latest' },
} as const

interface Wait {
  /** How it ended: what the receipt says of other replicas, or the error. `undefined`: it waits. */
  ended: WaitEnd | undefined
  readonly end: Promise<WaitEnd>
  readonly controller: AbortController
}

export interface WaitEnd {
  readonly acks?: ReachedAcks | undefined
  readonly code?: string
  readonly outcome?: string
  readonly message?: string
}

interface Opening {
  /** Part of the key of its mark. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly peers: readonly string[]
  readonly chances: Chances
  readonly folder?: string
  /** Default: `insecure`, which is for loopback only. */
  readonly clusterKey?: string
  readonly multicast?: boolean
  readonly replication?: ReplicationOptions
  /** The format that this build pretends to read and write. Default: its own. */
  readonly format?: number
}

let warp: Warp<typeof KEYS>
let name = ''
let newest: Dot | undefined
/** Writes of which the promise has not been looked at yet, by a name that the test gives them. */
const waits = new Map<string, Wait>()
let counts: ReturnType<typeof lossyNetwork>['counts']
const events: string[] = []

const verbs = {
  async open(opening: Opening): Promise<void> {
    const { host, port, peers, clusterKey, multicast = false, folder, replication = {}, format } = opening
    const platform = { env: nodeEnv(), parts: ALL_PARTS, ...(format === undefined ? {} : { format }) }
    const lossy = lossyNetwork(nodeNetwork(), opening.chances)
    counts = lossy.counts
    name = opening.name
    const mesh = meshTransport({
      ...{ host, port, peers, network: lossy.network },
      ...(clusterKey === undefined ? { insecure: true } : { clusterKey }),
      ...(multicast ? {} : { multicast: false }),
    })
    warp = await openWarpOn(platform, {
      keys: KEYS,
      transports: [mesh],
      replication,
      name,
      ...(folder === undefined ? {} : { log: fileLog({ path: folder }) }),
      observe: ({ kind }) => void events.push(kind),
    })
  },

  async write(writes: Writes): Promise<void> {
    for (const write of replicaWrites(writes)) {
      if (write.kind === 'increment') await warp.key(write.key).increment(write.amount)
      else if (write.kind === 'add') await warp.key(write.key).add(write.element)
      else await warp.key(write.key).set(write.line)
    }
  },

  /** So many values one after another into one of ten keys that are compacted. */
  async overwrite({ count }: { count: number }): Promise<void> {
    for (let i = 1; i <= count; i++) await warp.set(`last:${i % 10}`, i)
  },

  /** Begins to wait, as `id`, until so many replicas hold the newest operation of this one; writes one first if asked to. */
  async begin({ id, acks, writes }: { id: string; acks: ReplicaAcks; writes: boolean }): Promise<void> {
    if (writes) newest = warp.write('last:0', waits.size)
    const controller = new AbortController()
    const settling = warp.settled(newest as Dot, { acks, signal: controller.signal })
    const end = settling.then(({ acks: reached }): WaitEnd => ({ acks: reached }), endOf)
    const wait: Wait = { ended: undefined, end, controller }
    waits.set(id, wait)
    void end.then((ended) => (wait.ended = ended))
  },

  /** How the wait has ended, if it has. */
  ended: ({ id }: { id: string }): WaitEnd | undefined => waits.get(id)?.ended,

  /** Waits for its end. */
  end: ({ id }: { id: string }): Promise<WaitEnd> | undefined => waits.get(id)?.end,

  abort: ({ id }: { id: string }): void => waits.get(id)?.controller.abort(),

  replica: (): string => warp.replica,

  /** Waits until it sees all of these replicas, and not that one. */
  async meets({ replicas, gone }: { replicas: readonly string[]; gone?: string }): Promise<void> {
    const seen = (): string[] => warp.peers().flatMap(({ state, replica = '' }) => (state === 'up' ? [replica] : []))
    while (!replicas.every((replica) => seen().includes(replica)) || seen().includes(gone ?? 'nobody')) await pause(5)
  },

  /** Writes this replica's mark: whoever has it has everything that was written here before it. */
  async mark({ text }: { text: string }): Promise<void> {
    await warp.set(`mark:${name}`, text)
  },

  /** Waits until the marks of these replicas are that text. */
  async sees({ names, text }: { names: readonly string[]; text: string }): Promise<void> {
    const watch = warp.watch('mark:*')[Symbol.asyncIterator]()
    const isSeen = async (): Promise<boolean> => {
      for (const other of names) if ((await warp.get(`mark:${other}`)) !== text) return false
      return true
    }
    while (!(await isSeen())) await watch.next()
    await watch.return?.()
  },

  /** Waits until a report of this kind has been made. */
  async reports({ kind }: { kind: string }): Promise<void> {
    while (!events.includes(kind)) await pause(5)
  },

  /** Waits until compaction has dropped something. */
  async compacts(): Promise<void> {
    while ((await warp.compact()).droppedOperationsCount === 0) await pause(20)
  },

  events: (): readonly string[] => events,

  lossCounts: () => counts,

  /** Everything but marks. Sets have no order; they are sorted. */
  async values(): Promise<Values> {
    const values: [string, unknown][] = []
    for await (const key of warp.keys('*')) {
      if (key.startsWith('mark:')) continue
      const value: unknown = await warp.get(key as 'note:0')
      values.push([key, value instanceof Set ? [...(value as Set<string>)].toSorted() : value])
    }
    return values.toSorted(([a], [b]) => (a < b ? -1 : 1))
  },

  close: () => warp.close(),
}

function endOf(error: unknown): WaitEnd {
  if (!(error instanceof WarpError)) throw error
  const { code, outcome, message } = error
  return { code, outcome, message }
}

/** What a test may ask this program. */
export type ReplicaProgram = typeof verbs

serve(verbs)
