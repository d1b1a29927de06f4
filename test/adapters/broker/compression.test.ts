import { deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { DEFLATE_BYTES_MIN, INFLATE_RATIO_MAX, deflated, inflated } from '../../../adapters/broker/compression.ts'
import { seededRandom } from '../../../testing/world/random.ts'

const MIB = 1024 * 1024
const words = new TextEncoder().encode('{"sku":"a-1234","count":7}'.repeat(400))

/** About a twentieth of it is left after deflating. */
function compressible(length: number): Uint8Array {
  const random = seededRandom(3)
  return Uint8Array.from({ length }, (_, i) => (i % 40 === 0 ? random.below(256) : 7))
}

test('what has been deflated comes back', () => {
  const frame = compressible(MIB)
  const smaller = deflated(frame)
  expect(smaller?.length).toBeLessThan(frame.length / 8)
  expect(Buffer.compare(inflated(smaller as Uint8Array, 4 * MIB) ?? new Uint8Array(0), frame)).toBe(0)
})

test('a small frame, and one that does not shrink, stay as they are', () => {
  expect(deflated(words.subarray(0, DEFLATE_BYTES_MIN - 1))).toBeUndefined()
  expect(deflated(words.subarray(0, DEFLATE_BYTES_MIN))).toBeDefined()
  expect(deflated(seededRandom(1).bytes(100_000))).toBeUndefined()
})

test('a frame that would shrink beyond the ratio stays as it is: the receiver would refuse it', () => {
  expect(deflated(new Uint8Array(MIB))).toBeUndefined()
})

test('more than the ratio is refused', () => {
  const bomb = deflateRawSync(new Uint8Array(MIB))
  expect(MIB / bomb.length).toBeGreaterThan(INFLATE_RATIO_MAX)
  expect(inflated(bomb, 4 * MIB)).toBeUndefined()
})

test('more than the limit is refused, the limit itself is not', () => {
  const frame = compressible(100_000)
  const bytes = deflateRawSync(frame)
  expect(inflated(bytes, 100_000)?.length).toBe(100_000)
  expect(inflated(bytes, 99_999)).toBeUndefined()
})

test('what is not deflated, is cut off or is nothing at all is refused', () => {
  const bytes = deflateRawSync(compressible(100_000))
  expect(inflated(bytes.subarray(0, bytes.length - 1), MIB)).toBeUndefined()
  expect(inflated(new Uint8Array(100).fill(255), MIB)).toBeUndefined()
  expect(inflated(new Uint8Array(0), MIB)).toBeUndefined()
})
