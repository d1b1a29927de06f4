/**
 * A digest of 128 bits by which a replica sees that a value is not the one that Warp wrote: somebody
 * else has changed the row. MurmurHash3_x86_128 (A. Appleby 2011, public domain). Not against
 * attackers: whoever may write the table needs none.
 */
const BLOCK_BYTES = 16
const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

/** 32 hexadecimal digits. */
export function digestOf(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let [h1, h2, h3, h4] = [0, 0, 0, 0]
  const end = bytes.length - (bytes.length % BLOCK_BYTES)
  for (let at = 0; at < end; at += BLOCK_BYTES) {
    h1 = Math.imul(rotated(h1 ^ scrambled(view.getUint32(at, true), C1, 15, C2), 19) + h2, 5) + 0x561ccd1b
    h2 = Math.imul(rotated(h2 ^ scrambled(view.getUint32(at + 4, true), C2, 16, C3), 17) + h3, 5) + 0x0bcaa747
    h3 = Math.imul(rotated(h3 ^ scrambled(view.getUint32(at + 8, true), C3, 17, C4), 15) + h4, 5) + 0x96cd1c35
    h4 = Math.imul(rotated(h4 ^ scrambled(view.getUint32(at + 12, true), C4, 18, C1), 13) + h1, 5) + 0x32ac3b17
  }
  const rest = new Uint8Array(BLOCK_BYTES)
  rest.set(bytes.subarray(end))
  const tail = new DataView(rest.buffer)
  h4 ^= scrambled(tail.getUint32(12, true), C4, 18, C1)
  h3 ^= scrambled(tail.getUint32(8, true), C3, 17, C4)
  h2 ^= scrambled(tail.getUint32(4, true), C2, 16, C3)
  h1 ^= scrambled(tail.getUint32(0, true), C1, 15, C2)
  ;[h1, h2, h3, h4] = joined(h1 ^ bytes.length, h2 ^ bytes.length, h3 ^ bytes.length, h4 ^ bytes.length)
  ;[h1, h2, h3, h4] = joined(finished(h1), finished(h2), finished(h3), finished(h4))
  return hex(h1) + hex(h2) + hex(h3) + hex(h4)
}

type Lanes = [number, number, number, number]

function joined(h1: number, h2: number, h3: number, h4: number): Lanes {
  const sum = h1 + h2 + h3 + h4
  return [sum | 0, (h2 + sum) | 0, (h3 + sum) | 0, (h4 + sum) | 0]
}

function scrambled(word: number, first: number, bits: number, second: number): number {
  return Math.imul(rotated(Math.imul(word, first), bits), second)
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function finished(lane: number): number {
  let h = lane ^ (lane >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
