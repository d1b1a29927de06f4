/**
 * Random choices from the mesh's clock, so that the same seed gives the same run. A draw costs one
 * call of `random`.
 */
import type { MeshClock } from './contacts/contact.ts'

type Source = Pick<MeshClock, 'random'>

/** An integer in 0 .. 2^32 - 1. */
export function drawWord(source: Source): number {
  const bytes = source.random(4)
  return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0
}

/**
 * An integer in 0 .. `bound` - 1. `bound` is small against 2^32, so the bias is not worth a loop.
 */
export function drawBelow(source: Source, bound: number): number {
  return Math.floor((drawWord(source) / 2 ** 32) * bound)
}

/** `ms`, give or take a fifth: members that were started together do not stay together. */
export function jittered(source: Source, ms: number): number {
  return ms * (0.8 + 0.4 * (drawWord(source) / 2 ** 32))
}

/**
 * Moves `count` randomly chosen items to the front, in random order, and returns the list.
 * O(count).
 */
export function drawToFront<Item>(source: Source, items: Item[], count: number = items.length): Item[] {
  const end = Math.min(count, items.length)
  for (let i = 0; i < end; i++) {
    const j = i + drawBelow(source, items.length - i)
    const item = items[i]!
    items[i] = items[j]!
    items[j] = item
  }
  return items
}
