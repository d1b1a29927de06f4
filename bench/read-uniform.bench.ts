/**
 * Reads spread evenly over 100,000 keys in a bounded cache with TTL: what is measured is mostly the
 * processor's caches.
 */
import type { BenchContext } from './support/bench.ts'
import { handlePeeks, lruReads, mapReads, peeks } from './support/reads.ts'
import { uniformly, userKeys } from './support/users.ts'

export const question = 'What does a read cost when any of 100,000 keys may be next?'

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(context.size(100_000))
  const operations = context.size(500_000, 1000)
  const reads = { keys, order: uniformly(context, keys, operations) }
  await context.compare({
    title: `reads uniform over ${keys.length.toLocaleString('en-US')} keys`,
    baseline: 'Map',
    operations,
    contestants: [mapReads(reads), lruReads(reads), peeks(reads), handlePeeks(reads)],
    goals: [
      { of: 'Warp peek', atLeast: 0.5 },
      { of: 'Warp peek', to: 'lru-cache with TTL', atLeast: 1 },
      { of: 'Warp handle.peek', atLeast: 2 },
    ],
  })
}
