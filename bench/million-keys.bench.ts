/**
 * Very many keys through a small cache. The rows lie in another thread, so that what the engine's own
 * thread keeps is the engine's. A loop writes each key once, as fast as it can, and reads one of those
 * before it, which comes back from the store.
 */
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { PrimaryStore } from '../src/ports/primary-store.ts'
import type { BenchContext } from './support/bench.ts'
import { openThreadStore } from './support/thread-store.ts'
import { type User, type UserKey, userOf } from './support/users.ts'

export const question = 'Do memory and log stay as small as the cache, however many keys go through it to the store?'

const CACHE_ENTRIES = 10_000
const LOOKS = 100
const READ_EVERY = 10
const MEGABYTE = 1_000_000

type Users = Awaited<ReturnType<typeof openUsers>>

function openUsers(store: PrimaryStore) {
  return openWarp({
    keys: { 'user:*': { strategy: register<User>(), store } },
    copies: { entriesMax: CACHE_ENTRIES },
  })
}

interface Look {
  readonly keys: number
  readonly memoryMegabytes: number
  readonly logMegabytes: number
  readonly keysInLog: number
  readonly copies: number
}

export async function run(context: BenchContext): Promise<void> {
  const count = context.size(1_000_000, 2000)
  const { store, size, close } = openThreadStore()
  const warp = await openUsers(store)
  const looks: Look[] = []
  const random = context.random('keys that are read')
  for (let i = 0; i < count; i++) {
    await warp.set(`user:${i}`, userOf(i))
    if (i % READ_EVERY === 0) await readBack(warp, random.below(i + 1))
    if ((i + 1) % (count / LOOKS) === 0) looks.push(look(warp, i + 1))
  }
  await warp.close()
  const stored = await size()
  if (stored !== count) throw new Error(`the store holds ${stored} of ${count} rows`)
  await close()
  report(context, looks)
}

async function readBack(warp: Users, i: number): Promise<void> {
  const key: UserKey = `user:${i}`
  const value = await warp.get(key)
  if (value?.email !== userOf(i).email) throw new Error(`${key} came back as ${JSON.stringify(value)}`)
}

function look(warp: Users, keys: number): Look {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const { log, keysCount, copies } = warp.stats()
  return {
    keys,
    memoryMegabytes: (heapUsed + arrayBuffers) / MEGABYTE,
    logMegabytes: log.bytes / MEGABYTE,
    keysInLog: keysCount,
    copies: copies?.copiesCount ?? 0,
  }
}

function report(context: BenchContext, looks: readonly Look[]): void {
  const shown = looks.filter((_, i) => (i + 1) % 20 === 0)
  context.report(
    `keys through a cache of ${CACHE_ENTRIES.toLocaleString('en-US')} over a store`,
    ['keys so far', 'heap and buffers, MB', 'log, MB', 'keys in the log', 'copies'],
    shown.map(({ keys, memoryMegabytes, logMegabytes, keysInLog, copies }) => [
      ...[keys.toLocaleString('en-US'), memoryMegabytes.toFixed(1), logMegabytes.toFixed(1)],
      ...[keysInLog.toLocaleString('en-US'), copies.toLocaleString('en-US')],
    ]),
  )
  if (context.isSmoke) return
  const half = looks.length / 2
  for (const [name, of] of MEASURES) {
    const [first, second] = [meanOf(looks.slice(0, half), of), meanOf(looks.slice(half), of)]
    context.goal(`mean of ${name} in the second half, in units of the first`, second / first, { atMost: 1.25 })
  }
  context.figure('million-keys', {
    title: `A million keys through a cache of ${CACHE_ENTRIES.toLocaleString('en-US')}`,
    x: { label: 'keys written, thousands', scale: 'linear' },
    y: { label: 'MB', scale: 'linear' },
    series: MEASURES.map(([name, of]) => ({ name, points: looks.map((one) => [one.keys / 1000, of(one)] as const) })),
  })
}

const MEASURES: readonly (readonly [name: string, of: (look: Look) => number])[] = [
  ['heap and buffers', ({ memoryMegabytes }) => memoryMegabytes],
  ['log', ({ logMegabytes }) => logMegabytes],
]

function meanOf(looks: readonly Look[], of: (look: Look) => number): number {
  return looks.reduce((sum, one) => sum + of(one), 0) / looks.length
}
