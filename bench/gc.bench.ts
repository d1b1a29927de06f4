/**
 * How long a full collection of the heap holds everything up while millions of operations are in
 * memory.
 */
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { formatNs } from './support/table.ts'
import { type User, turn, userKeys, userOf } from './support/users.ts'

export const question = 'How long is a full garbage collection with 4 million operations in memory?'

const COLLECTIONS = 7

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(context.size(100_000, 1000))
  const operations = context.size(4_000_000, 4000)
  const empty = collectionNs()
  const warp = await openWarp({ keys: { 'user:*': register<User>() } })
  for (let i = 0; i < operations; i++) {
    void warp.set(keys[i % keys.length]!, userOf(i))
    if (i % 1000 === 999) await turn()
  }
  await turn()
  const kept = warp.stats().log.operationsCount
  const filled = collectionNs()
  for (const key of keys) warp.peek(key)
  const read = collectionNs()
  context.report(
    `a full collection, ${operations.toLocaleString('en-US')} operations of ${keys.length.toLocaleString('en-US')} keys`,
    ['in memory', 'median'],
    [
      ['nothing', formatNs(empty)],
      ['Warp, all operations', formatNs(filled)],
      ['Warp, all operations and the value of every key', formatNs(read)],
    ],
  )
  context.goal('all operations, ms', filled / 1e6, { atMost: 50 })
  await warp.close()
  context.check(kept === operations, 'every operation is in the log')
}

function collectionNs(): number {
  globalThis.gc?.()
  const taken: number[] = []
  for (let i = 0; i < COLLECTIONS; i++) {
    const startedAt = process.hrtime.bigint()
    globalThis.gc?.()
    taken.push(Number(process.hrtime.bigint() - startedAt))
  }
  return quantile(taken, 0.5)
}
