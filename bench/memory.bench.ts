/** Bytes of heap and buffers that an operation and a key cost, above what the caller wrote. */
import { nodeEnv } from '../adapters/node/index.ts'
import { encode } from '../crdt/encoding/encoding.ts'
import { register } from '../crdt/index.ts'
import { openWarpOn } from '../src/index.ts'
import type { BenchContext } from './support/bench.ts'
import { retainedBytes } from './support/measure.ts'
import { type User, type UserKey, turn, userOf } from './support/users.ts'

export const question = 'How many bytes does a key cost, how many an operation, and how many a dead key?'

type Log = Awaited<ReturnType<typeof openUsers>>

/** In ordinary buffers, which Node counts. */
function openUsers(retain: 'all' | 'latest') {
  return openWarpOn({ env: nodeEnv() }, { keys: { 'user:*': { strategy: register<User>(), retain } } })
}

export async function run(context: BenchContext): Promise<void> {
  // Enough of them that the log's last segment, which is not full, does not count.
  const count = context.size(400_000, 1000)
  const operations = await measureAll(count)
  const latest = await measureLatest(count)
  const dead = await measureDead(count)
  context.report(
    `bytes above key and value, ${count.toLocaleString('en-US')} keys`,
    ['', 'bytes'],
    [
      ["a key with one operation, `retain: 'all'`", operations.perKey],
      ["each further operation, `retain: 'all'`", operations.perOperation],
      ["a key written four times and compacted, `retain: 'latest'`", latest],
      ['a dead key once stable, the first of that many', dead.first],
      ['a dead key once stable, every further one', dead.further],
    ],
  )
  if (context.isSmoke) return
  context.goal("bytes per key with `retain: 'latest'`", latest, { atMost: 250 })
  context.goal('bytes per dead key', dead.further, { atMost: 0.5 })
}

async function measureAll(count: number): Promise<{ perKey: number; perOperation: number }> {
  const empty = await bytesAtRest()
  const warp = await openUsers('all')
  await write(warp, 'a', count, 1)
  const once = await bytesAtRest()
  await write(warp, 'a', count, 4)
  const five = await bytesAtRest()
  await warp.close()
  const given = givenBytes('a', count)
  return { perKey: (once - empty) / count - given, perOperation: (five - once) / count / 4 - given }
}

async function measureLatest(count: number): Promise<number> {
  const empty = await bytesAtRest()
  const warp = await openUsers('latest')
  await write(warp, 'a', count, 4)
  await settle(warp)
  const bytes = ((await bytesAtRest()) - empty) / count - givenBytes('a', count)
  const value = await warp.get(keyOf('a', 1))
  if (value?.email !== userOf(1).email) throw new Error('compaction changed a value')
  await warp.close()
  return bytes
}

/**
 * What came and went: the first wave makes the tables as large as they need to be, the others show
 * what stays of each key.
 */
async function measureDead(count: number): Promise<{ first: number; further: number }> {
  const empty = await bytesAtRest()
  const warp = await openUsers('latest')
  const waves: number[] = []
  for (const wave of ['a', 'b', 'c']) {
    await write(warp, wave, count, 1)
    for (let i = 0; i < count; i++) {
      void warp.delete(keyOf(wave, i))
      if (i % 1000 === 0) await turn()
    }
    await settle(warp)
    waves.push((await bytesAtRest()) - empty)
  }
  const left = warp.stats().keysCount
  await warp.close()
  if (left > 0) throw new Error(`${left} dead keys are still there`)
  const [first = 0] = waves
  return { first: first / count, further: Math.max(0, ((waves.at(-1) as number) - first) / count / (waves.length - 1)) }
}

/** Buffers are given back behind a collection, in other turns of the loop. */
async function bytesAtRest(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    retainedBytes()
    await turn()
  }
  return retainedBytes()
}

/** Twice, because segments that have become garbage in one run are given back by it or the next. */
async function settle(warp: Log): Promise<void> {
  await warp.compact()
  await warp.compact()
}

async function write(warp: Log, wave: string, count: number, times: number): Promise<void> {
  for (let i = 0; i < count * times; i++) {
    void warp.set(keyOf(wave, i % count), userOf(i % count))
    if (i % 1000 === 0) await turn()
  }
  await turn()
}

/** Keys of the same length, so that the bytes given per key are the same. */
function keyOf(wave: string, i: number): UserKey {
  return `user:${wave}${String(i).padStart(7, '0')}`
}

/** Bytes of one key and its encoded value, on average. */
function givenBytes(wave: string, count: number): number {
  let bytes = 0
  for (let i = 0; i < count; i++) bytes += keyOf(wave, i).length + encode(userOf(i)).length
  return bytes / count
}
