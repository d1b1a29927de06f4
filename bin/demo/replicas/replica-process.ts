/**
 * One replica of the scenario, in a process of its own: a log on disk, the mesh, and a network that
 * can be cut.
 */
import { fileLog } from '../../../adapters/file/index.ts'
import { nodeNetwork } from '../../../adapters/mesh/sockets/node-network.ts'
import {
  openWarp,
  type Dot,
  type ProjectionHandle,
  type Receipt,
  type ReplicaId,
  type Warp,
} from '../../../adapters/node/index.ts'
import { encode } from '../../../crdt/encoding/encoding.ts'
import { CuttableNetwork } from './cuttable-network.ts'
import { KEYS, WRITTEN_KEYS, type Keys, type WrittenKey } from './keys.ts'
import { demoMesh } from './mesh.ts'
import type {
  Acknowledged,
  Reading,
  Reason,
  Reasons,
  ReplicaCalls,
  ReplicaSettings,
  Status,
  Write,
} from './replica-calls.ts'
import { notify, serveCalls } from './serve-calls.ts'
import { shown } from '../shown.ts'

/**
 * Sooner than by default, as the mesh's probes are: what was missed during a cut is noticed by
 * digests.
 */
const DIGEST_INTERVAL_MS = 250

type Held = Map<ReplicaId, number>

class Replica {
  readonly #network = new CuttableNetwork(nodeNetwork())
  #warp: Warp<Keys> | undefined
  #held: ProjectionHandle<Held> | undefined

  async open({ folder, isCut, ...place }: ReplicaSettings): Promise<ReplicaId> {
    if (isCut) this.#network.cut()
    this.#warp = await openWarp({
      keys: KEYS,
      log: fileLog({ path: folder }),
      transports: [demoMesh(place, this.#network)],
      replication: { digestIntervalMs: DIGEST_INTERVAL_MS },
    })
    this.#held = await this.#warp.project<Held>({
      name: 'held',
      initial: () => new Map(),
      apply: (held, { operation }) => {
        const { replica } = operation.dot
        return held.set(replica, (held.get(replica) ?? 0) + 1)
      },
    })
    return this.#warp.replica
  }

  async write(writes: readonly Write[]): Promise<Dot[]> {
    const dots: Dot[] = []
    for (const write of writes) {
      const { dot } = await writeOne(this.#open, write)
      if (dot !== undefined) dots.push(dot)
    }
    return dots
  }

  async keepCounting(): Promise<void> {
    const visits = this.#open.key('visits:home')
    const count = async (): Promise<never> => {
      for (;;) {
        const { dot } = await visits.increment()
        if (dot !== undefined) notify({ acknowledged: dot } satisfies Acknowledged)
      }
    }
    void count()
  }

  async status(): Promise<Status> {
    const warp = this.#open
    const { isJoined, log } = warp.stats()
    const held = [...(this.#held?.state ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    return { isJoined, peers: warp.peers(), held, logBytes: log.bytes }
  }

  async read(): Promise<Reading[]> {
    return Promise.all(
      WRITTEN_KEYS.map(async (key) => {
        const value = await this.#open.get(key)
        return { key, shown: shown(value), bytes: encode(value instanceof Set ? [...value] : (value ?? null)) }
      }),
    )
  }

  async dots(): Promise<Dot[]> {
    const dots: Dot[] = []
    for (const key of WRITTEN_KEYS) for await (const { dot } of this.#open.log(key)) dots.push(dot)
    return dots
  }

  async explain(key: WrittenKey): Promise<Reasons> {
    const { value, strategy, operations } = await this.#open.explain(key)
    const reasons = operations.map(({ operation, effect, concurrentWith }): Reason => {
      const { dot, timeMs, kind, payload } = operation
      const others = operations.map((other) => other.operation.dot)
      const concurrent = others.filter(({ replica, sequence }) =>
        concurrentWith.some(
          (range) => range.replica === replica && range.from <= sequence && sequence <= range.through,
        ),
      )
      return { dot, timeMs, wrote: kind === 'update' ? shown(payload) : kind, effect, concurrentWith: concurrent }
    })
    return { key, shown: shown(value), strategy, operations: reasons }
  }

  async cut(): Promise<void> {
    this.#network.cut()
  }

  async heal(): Promise<void> {
    this.#network.heal()
  }

  async close(): Promise<void> {
    await this.#warp?.close()
  }

  get #open(): Warp<Keys> {
    if (this.#warp === undefined) throw new Error('this replica has not been opened')
    return this.#warp
  }
}

function writeOne(warp: Warp<Keys>, write: Write): Promise<Receipt> {
  switch (write.kind) {
    case 'session':
      return warp.set('session:7', write.session)
    case 'login-code':
      return warp.set('login-code:7', write.code)
    case 'visits':
      return warp.key('visits:home').increment(write.by)
    case 'cart':
      return warp.key('cart:7')[write.change](...write.items)
    case 'note':
      return warp.set('notes:7', write.note)
    case 'doc':
      return warp.key('doc:list').insert(write.index, write.text)
    case 'doc-end':
      return warp.key('doc:list').push(write.text)
  }
}

const replica = new Replica()
serveCalls<ReplicaCalls>({
  open: (settings) => replica.open(settings),
  write: (writes) => replica.write(writes),
  keepCounting: () => replica.keepCounting(),
  status: () => replica.status(),
  read: () => replica.read(),
  dots: () => replica.dots(),
  explain: (key) => replica.explain(key),
  cut: () => replica.cut(),
  heal: () => replica.heal(),
  close: () => replica.close(),
})
