/** Reads of a hundred hot keys in a bounded cache with TTL, by key and through held handles. */
import type { BenchContext } from './support/bench.ts'
import { handlePeeks, lruReads, mapReads, peeks } from './support/reads.ts'
import { uniformly, userKeys } from './support/users.ts'

export const question = 'What does a read of a hot key cost, against a plain Map and lru-cache?'

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(context.size(100_000))
  const operations = context.size(1_000_000, 1000)
  const reads = { keys, order: uniformly(context, keys.slice(0, 100), operations) }
  await context.compare({
    title: 'reads of 100 hot keys',
    baseline: 'Map',
    operations,
    contestants: [mapReads(reads), lruReads(reads), peeks(reads), handlePeeks(reads)],
    goals: [
      { of: 'Warp peek', atLeast: 0.7 },
      { of: 'Warp peek', to: 'lru-cache with TTL', atLeast: 1 },
      { of: 'Warp handle.peek', atLeast: 2 },
    ],
  })
}
