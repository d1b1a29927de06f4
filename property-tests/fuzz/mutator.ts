/**
 * Bytes that a decoder has not asked for: random ones, valid ones cut short, and valid ones with a few things changed where formats hurt: bits, lengths
 * that promise too much, pieces repeated, left out, or taken from another input. Seeded, and cheap: a few million are wanted.
 */
import type { Random } from '../../testing/world/random.ts'

/** Single bytes at which readers of numbers and lengths change their minds. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xc1, 0xde, 0xdf, 0xfe, 0xff] as const

/** The largest numbers of the widths in use, one too large, and those of MessagePack with what says so in front. */
const LENGTHS = [
  [0xce, 0xff, 0xff, 0xff, 0xff],
  [0xcf, 0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xdd, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0x03],
  [0x7f, 0xff, 0xff, 0xff],
] as const

const RANDOM_BYTES_MAX = 120

export function mutated(random: Random, corpus: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const kind = random.below(8)
  if (kind === 0) return new Uint8Array(random.bytes(random.below(RANDOM_BYTES_MAX)))
  const valid = random.pick(corpus)
  if (kind === 1) return new Uint8Array(valid.subarray(0, random.below(valid.length + 1)))
  let bytes = new Uint8Array(valid)
  for (let left = random.between(1, 3); left > 0; left--) bytes = changed(random, bytes, corpus)
  return bytes
}

function changed(
  random: Random,
  bytes: Uint8Array<ArrayBuffer>,
  corpus: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
      return bytes
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(EDGES)
      return bytes
    case 2:
      bytes.set(random.pick(LENGTHS).slice(0, bytes.length - at), at)
      return bytes
    case 3:
      return spliced(bytes, at, 0, random.bytes(random.between(1, 4)))
    case 4:
      return spliced(bytes, at, random.between(1, 8), new Uint8Array(0))
    case 5:
      return spliced(bytes, at, 1, Uint8Array.from(random.pick(LENGTHS)))
    case 6:
      return spliced(bytes, at, 0, bytes.subarray(at, at + random.between(1, 32)))
    default: {
      const other = random.pick(corpus)
      return spliced(bytes, at, random.below(16), other.subarray(random.below(other.length + 1)).subarray(0, 64))
    }
  }
}

function spliced(bytes: Uint8Array, at: number, count: number, inserted: Uint8Array): Uint8Array<ArrayBuffer> {
  const behind = bytes.subarray(at + count)
  const made = new Uint8Array(at + inserted.length + behind.length)
  made.set(bytes.subarray(0, at))
  made.set(inserted, at)
  made.set(behind, at + inserted.length)
  return made
}
