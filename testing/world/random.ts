/**
 * The generator behind every seeded test: sfc32 (Doty-Humphrey, PractRand, 2010), 128 bits of
 * state, passes PractRand and BigCrush, about 5 ns a number. The same seed gives the same numbers
 * on every machine, so that a failing run can be played again.
 *
 * Streams are split with `fork`: a part of a test that draws more or fewer numbers then leaves the
 * other parts' numbers alone.
 */
export interface Random {
  /** An integer in 0 .. 2^32 - 1. */
  uint32(): number
  /** A number in [0, 1) with 32 random bits. */
  float(): number
  /** An integer in 0 .. `bound` - 1. `bound` is at most 2^32. */
  below(bound: number): number
  /** An integer in `min` .. `max`, both included. */
  between(min: number, max: number): number
  /**
   * `true` with the given probability. Draws a number even for 0 and 1, so that a change of
   * probability moves nothing else.
   */
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
  /** A new array; the given one stays as it is. */
  shuffled<Item>(items: readonly Item[]): Item[]
  bytes(count: number): Uint8Array
  /** A stream of its own, which depends on this one's state and on `label`. */
  fork(label?: string): Random
}

/** A generator for `seed`: any safe integer, or text. */
export function seededRandom(seed: number | string): Random {
  const uint32 = sfc32(expand(String(seed)))
  const below = (bound: number): number => {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32)
      throw new RangeError(`below(${bound}): not in 1 .. 2^32`)
    return Math.floor((uint32() / 2 ** 32) * bound)
  }
  const self: Random = {
    uint32,
    below,
    float: () => uint32() / 2 ** 32,
    between: (min, max) => min + below(max - min + 1),
    chance: (probability) => uint32() / 2 ** 32 < probability,
    pick: <Item>(items: readonly Item[]): Item => {
      if (items.length === 0) throw new RangeError('pick: nothing to pick from')
      return items[below(items.length)] as Item // below() stays inside the array
    },
    shuffled: (items) => shuffle([...items], below),
    bytes: (count) => Uint8Array.from({ length: count }, () => uint32() & 0xff),
    fork: (label = '') => seededRandom(`${uint32()}:${uint32()}:${label}`),
  }
  return self
}

function shuffle<Item>(items: Item[], below: (bound: number) => number): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = below(i + 1)
    const item = items[i] as Item // both indices are inside the array
    items[i] = items[j] as Item
    items[j] = item
  }
  return items
}

function sfc32([seedA, seedB, seedC]: readonly [number, number, number]): () => number {
  let a = seedA
  let b = seedB
  let c = seedC
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (let i = 0; i < 15; i++) next() // the author's warm-up, after which similar seeds have nothing in common
  return next
}

/**
 * 96 bits from text: FNV-1a, once per word from different starts, each finished with the mixer of
 * MurmurHash3.
 */
function expand(text: string): readonly [number, number, number] {
  const word = (start: number): number => {
    let hash = start
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }
  return [word(0x811c9dc5), word(0x9e3779b9), word(0x243f6a88)]
}
