/** Requests whose popularity follows Zipf's law. */
import type { Random } from '../../testing/world/random.ts'

/** Draws ranks from 0 on, by the inverse of the cumulated popularity. */
export function zipfRanks(random: Random, exponent: number, ranksCount: number): () => number {
  const cumulated = new Float64Array(ranksCount)
  let total = 0
  for (let rank = 0; rank < ranksCount; rank++) cumulated[rank] = total += 1 / (rank + 1) ** exponent
  return () => firstAbove(cumulated, random.float() * total)
}

function firstAbove(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}
