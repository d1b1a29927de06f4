/** What may be asked of one key, however long its history, for the bench of holds. */
import { openWarp } from '../../adapters/node/index.ts'
import { fileLog } from '../../adapters/file/index.ts'
import { counter, custom, list, map, set } from '../../crdt/index.ts'
import type { Retention } from '../../src/keys/typed-keys.ts'
import { turn } from './users.ts'

/** The keys that the bench writes to, by their patterns. */
function keysOf(retain: Retention) {
  return {
    'counter:*': { strategy: counter(), retain },
    'map:*': { strategy: map(counter()), retain },
    'set:*': { strategy: set<string>(), retain },
    'list:*': { strategy: list<string>(), retain },
    'custom:*': {
      strategy: custom<number, number>((sum, by) => (sum * 31 + by) % 1_000_003, { initial: 0 }),
      retain,
    },
  }
}

export type Keys = ReturnType<typeof keysOf>
export type BenchWarp = Awaited<ReturnType<typeof openFolder>>

export function openFolder(path: string, retain: Retention = 'all') {
  return openWarp({ keys: keysOf(retain), log: fileLog({ path }), ack: 'memory' })
}

/** A way to write to one key again and again. */
export interface OneKey {
  readonly kind: string
  readonly key: keyof { [Pattern in keyof Keys as Pattern extends `${infer Kind}:*` ? `${Kind}:hot` : never]: true }
  write(warp: BenchWarp, i: number): void
}

export const ONE_KEYS: readonly OneKey[] = [
  { kind: 'counter', key: 'counter:hot', write: (warp) => void warp.key('counter:hot').increment() },
  {
    kind: 'map',
    key: 'map:hot',
    write(warp, i) {
      const entries = warp.key('map:hot')
      if (i % 2 === 0) void entries.update(`e${i % 1000}`, 'increment', 1)
      else void entries.remove(`e${(i - 1) % 1000}`)
    },
  },
  { kind: 'set', key: 'set:hot', write: (warp, i) => void warp.key('set:hot').add(`element ${i}`) },
  {
    kind: 'list',
    key: 'list:hot',
    write: (warp, i) => void warp.key('list:hot').insert(i % 7 === 0 ? 0 : i >> 1, `${i}`),
  },
  { kind: 'custom', key: 'custom:hot', write: (warp, i) => void warp.set('custom:hot', i) },
]

/** Writes so many operations, some in each turn. */
export async function writeMany(count: number, write: (i: number) => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    write(i)
    if (i % 500 === 499) await turn()
  }
}

/** A call: what it does with an open engine, whose key is cold unless it is read first. */
export interface Call {
  readonly name: string
  /** Before the time is taken. */
  prepare?(warp: BenchWarp, key: OneKey): Promise<unknown>
  run(warp: BenchWarp, key: OneKey): unknown
  /** How the engine is opened. */
  readonly retain?: Retention
}

async function readHot(warp: BenchWarp, { key }: OneKey): Promise<void> {
  await warp.get(key)
  await warp.get(key)
}

export async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]()
  while ((await iterator.next()).done !== true);
}

async function first(pieces: AsyncIterable<unknown>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.return?.()
}

export const CALLS: readonly Call[] = [
  { name: 'get, cold', run: (warp, { key }) => warp.get(key) },
  { name: 'get, hot', prepare: readHot, run: (warp, { key }) => warp.get(key) },
  { name: 'peek, cold', run: (warp, { key }) => warp.peek(key) },
  { name: 'write, cold', run: (warp, key) => key.write(warp, 0) },
  {
    name: 'write and get, hot',
    prepare: readHot,
    async run(warp, key) {
      key.write(warp, 0)
      await warp.get(key.key)
    },
  },
  { name: 'getMany, cold', run: (warp, { key }) => warp.getMany([key]) },
  { name: 'keys', run: (warp) => drain(warp.keys('*')) },
  { name: 'entries', run: (warp) => drain(warp.entries('*')) },
  { name: 'log, first record', run: (warp, { key }) => first(warp.log(key)) },
  { name: 'log, newest first', run: (warp, { key }) => first(warp.log(key, { newestFirst: true })) },
  { name: 'getAt, a version', run: (warp, { key }) => warp.getAt(key, { version: 90 }) },
  { name: 'getAt, now', run: (warp, { key }) => warp.getAt(key, { timeMs: Date.now() }) },
  { name: 'explain', run: (warp, { key }) => warp.explain(key) },
  { name: 'watch from the first version', run: (warp, { key }) => first(warp.watch(key, { from: { version: 0 } })) },
  {
    name: 'project',
    run: (warp) => warp.project({ name: 'count', initial: () => 0, apply: (count: number) => count + 1 }),
  },
  { name: 'export', run: (warp) => drain(warp.export()) },
  { name: 'compact', retain: 'latest', run: (warp) => warp.compact() },
  { name: 'compact { versions }', retain: { versions: 500 }, run: (warp) => warp.compact() },
  { name: 'stats', run: (warp) => warp.stats() },
  {
    name: 'close',
    async prepare(warp, key) {
      key.write(warp, 0)
      await turn()
    },
    run: (warp) => warp.close(),
  },
]
