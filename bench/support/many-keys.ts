/** What may be asked of an engine with many keys, for the bench of holds. */
import { openWarp } from '../../adapters/node/index.ts'
import { fileLog } from '../../adapters/file/index.ts'
import { register } from '../../crdt/index.ts'
import type { Retention } from '../../src/keys/typed-keys.ts'
import { drain, writeMany } from './one-key.ts'
import { type User, userOf } from './users.ts'

export function openMany(path: string, retain: Retention = 'all') {
  return openWarp({ keys: { 'user:*': { strategy: register<User>(), retain } }, log: fileLog({ path }), ack: 'memory' })
}

export type ManyWarp = Awaited<ReturnType<typeof openMany>>

export interface ManyCall {
  readonly name: string
  readonly retain?: Retention
  prepare?(warp: ManyWarp, count: number): Promise<unknown>
  run(warp: ManyWarp, count: number): unknown
}

/** What `import` is given, prepared beforehand. */
let exported: string[] = []

export const MANY_CALLS: readonly ManyCall[] = [
  {
    name: 'set, as many new keys',
    run: (warp, count) => writeMany(count, (i) => void warp.set(`user:new${i}`, userOf(i))),
  },
  {
    name: 'set, the keys that are there',
    run: (warp, count) => writeMany(count, (i) => void warp.set(`user:${i}`, userOf(i + 1))),
  },
  {
    name: 'setMany of 1,000',
    run: (warp) => warp.setMany(Array.from({ length: 1000 }, (_, i) => [`user:${i}`, userOf(i)] as const)),
  },
  {
    name: 'getMany of all',
    run: (warp, count) => warp.getMany(Array.from({ length: count }, (_, i) => `user:${i}` as const)),
  },
  { name: 'keys', run: (warp) => drain(warp.keys('*')) },
  { name: 'entries', run: (warp) => drain(warp.entries('user:*')) },
  {
    name: 'project',
    run: (warp) => warp.project({ name: 'count', initial: () => 0, apply: (count: number) => count + 1 }),
  },
  { name: 'export', run: (warp) => drain(warp.export()) },
  {
    name: 'import into an empty one',
    async prepare(warp) {
      exported = []
      for await (const piece of warp.export()) exported.push(piece)
    },
    async run() {
      const other = await openWarp({ keys: { 'user:*': register<User>() } })
      await other.import(
        (async function* () {
          yield* exported
        })(),
      )
      await other.close()
    },
  },
  { name: 'compact', retain: 'latest', run: (warp) => warp.compact() },
  { name: 'stats', run: (warp) => warp.stats() },
  { name: 'close, with a checkpoint', prepare: (warp) => warp.set('user:0', userOf(7)), run: (warp) => warp.close() },
]
