/**
 * A replica with a mesh, or over a broker, to be asked for what the benches of transports need. Everything
 * is on loopback, the mesh under the key that `insecure` stands for.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { fileLog } from '../adapters/file/index.ts'
import { meshTransport } from '../adapters/mesh/index.ts'
import { nodeNetwork } from '../adapters/mesh/sockets/node-network.ts'
import { type Warp, openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { ReplicationOptions } from '../src/replication/options.ts'
import { type WireCounts, countedNetwork } from './support/counted-network.ts'
import { CreditSource, CreditWindow } from './support/credit.ts'
import { ENGINES, type EngineName } from './support/engines.ts'
import { PreparedTransport } from './support/prepared-transport.ts'
import { serve } from '../test/support/child-program.ts'
import { freePort } from '../test/support/free-port.ts'
import { turn } from './support/users.ts'

const KEYS = {
  'note:*': register<string>(),
  /** Compacted to its last operation. */
  'last:*': { strategy: register<string>(), retain: 'latest' },
} as const

interface Opening {
  readonly peers: readonly string[]
  /** The broker, where it listens, and the name under which replicas meet there. Absent: by the mesh. */
  readonly over?: { readonly engine: EngineName; readonly at: string; readonly name: string }
  /** On disk in this folder. Default: in memory. */
  readonly folder?: string
  readonly replication?: ReplicationOptions
  /** Tells the sender that listens there after every `every` operations. */
  readonly credit?: { readonly port: number; readonly every: number }
}

interface Writing {
  readonly operations: number
  /** Operations are spread over so many keys. */
  readonly keys: number
  readonly kind: 'note' | 'last'
  readonly textBytes: number
  /** Operations written before the event loop turns. */
  readonly perTurn: number
  /** Operations that may be under way to the receiver. Default: any number. */
  readonly window?: number
}

const creditWindow = await CreditWindow.open()
const { network, counts } = countedNetwork(nodeNetwork())
let warp: Warp<typeof KEYS>
let transport: PreparedTransport
let credit: CreditSource | undefined
let appliedCount = 0
let snapshotCount = 0
let writtenCount = 0
let awaited: { readonly count: number; resolve(): void } | undefined
let heldFrom = 0
let marked: Promise<bigint>
let cpuBefore = process.cpuUsage()

const verbs = {
  creditPort: () => creditWindow.port,

  /** Returns the address. */
  async open({ peers, over, folder, replication = {}, credit: told }: Opening): Promise<string> {
    if (told !== undefined) credit = await CreditSource.open(told.port, told.every)
    const port = await freePort()
    const mesh = meshTransport({ port, peers, insecure: true, multicast: false, network })
    transport = new PreparedTransport(over === undefined ? mesh : ENGINES[over.engine].transport(over.at, over.name))
    warp = await openWarp({
      keys: KEYS,
      transports: [transport],
      replication,
      observe: ({ kind }) => {
        if (kind === 'resync:done') snapshotCount++
      },
      ...(folder === undefined ? {} : { log: fileLog({ path: folder }) }),
    })
    await warp.project({ name: 'count', initial: () => 0, apply: applied })
    return `127.0.0.1:${port}`
  },

  /** Waits until so many peers have been heard and this replica takes part. */
  async met({ count }: { count: number }): Promise<void> {
    while (!warp.stats().isJoined || heardPeers() < count) await pause(5)
  },

  async write(writing: Writing): Promise<void> {
    const text = 'x'.repeat(writing.textBytes)
    const handles = Array.from({ length: writing.keys }, (_, i) => warp.key(`${writing.kind}:${i}`))
    for (let i = 0; i < writing.operations; i++) {
      void handles[i % handles.length]!.set(text)
      writtenCount++
      if ((i + 1) % writing.perTurn !== 0) continue
      await turn()
      if (writing.window !== undefined) await creditWindow.until(writtenCount - writing.window)
    }
    await turn()
  },

  /** Waits until so many operations have been applied since the start, own ones included. */
  applied({ count }: { count: number }): Promise<void> {
    return new Promise((resolve) => {
      awaited = { count, resolve }
      checkAwaited()
    })
  },

  /** Keeps back what is written until `release`. */
  hold(): void {
    heldFrom = writtenCount
    transport.hold()
  },

  async release({ window }: { window: number }): Promise<number> {
    const [peer] = warp.peers()
    const perFrame = (writtenCount - heldFrom) / transport.preparedCount
    const frames = transport.preparedCount
    await transport.release(peer?.address ?? '', (sent) =>
      creditWindow.until(Math.floor(heldFrom + sent * perFrame - window)),
    )
    return frames
  },

  /**
   * Writes `note:mark`. Returns when, in nanoseconds of the clock that all processes of a machine
   * share.
   */
  async mark({ text }: { text: string }): Promise<bigint> {
    const at = process.hrtime.bigint()
    await warp.set('note:mark', text)
    return at
  },

  /** From now on waits for `note:mark` to be that text. */
  expectMark({ text }: { text: string }): void {
    marked = (async () => {
      for await (const change of warp.watch('note:mark')) {
        if (change.kind === 'value' && change.value === text) return process.hrtime.bigint()
      }
      throw new Error('closed before the mark came')
    })()
  },

  /** When it was, as `mark` does. */
  marked: () => marked,

  /** Answers each write to `note:ping` with the same text in `note:pong`. */
  answerPings(): void {
    void (async () => {
      for await (const change of warp.watch('note:ping')) {
        if (change.kind === 'value' && change.value !== undefined) void warp.set('note:pong', change.value)
      }
    })()
  },

  /** Round trips of one write there and one back, in nanoseconds. */
  async roundTrips({ count, bytes, pauseMs }: { count: number; bytes: number; pauseMs: number }): Promise<number[]> {
    const pongs = warp.watch('note:pong')[Symbol.asyncIterator]()
    const taken: number[] = []
    for (let i = 0; i < count; i++) {
      if (pauseMs > 0) await pause(pauseMs)
      const text = String(i).padEnd(bytes, '.')
      const startedAt = process.hrtime.bigint()
      void warp.set('note:ping', text)
      for (let isBack = false; !isBack;) {
        const { value: change } = (await pongs.next()) as { value: { readonly value?: unknown } }
        isBack = change.value === text
      }
      taken.push(Number(process.hrtime.bigint() - startedAt))
    }
    return taken
  },

  /** Waits until `note:mark` is that text. */
  async sees({ text }: { text: string }): Promise<void> {
    while ((await warp.get('note:mark')) !== text) await pause(1)
  },

  /** Compacts until at most so many operations are left. */
  async compactUntil({ operationsMax }: { operationsMax: number }): Promise<void> {
    while (warp.stats().log.operationsCount > operationsMax) {
      await warp.compact()
      await pause(50)
    }
  },

  /** Taken in from others. */
  snapshotCount: () => snapshotCount,

  keysCount: () => warp.stats().keysCount,

  /** Sent so far. */
  wire: (): WireCounts => ({ ...counts }),

  /** Microseconds of processor time since the last call. */
  cpu(): number {
    const { user, system } = process.cpuUsage(cpuBefore)
    cpuBefore = process.cpuUsage()
    return user + system
  },

  close: () => warp.close(),
}

/** What the bench may ask this program. */
export type MeshProgram = typeof verbs

function applied(): number {
  appliedCount++
  credit?.reached(appliedCount)
  if (awaited !== undefined) checkAwaited()
  return appliedCount
}

function checkAwaited(): void {
  if (awaited === undefined || appliedCount < awaited.count) return
  awaited.resolve()
  awaited = undefined
}

function heardPeers(): number {
  return warp.peers().filter(({ state, silentMs }) => state === 'up' && silentMs !== undefined).length
}

serve(verbs)
