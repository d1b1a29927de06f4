import { expect, test } from 'vitest'
import { crc32c, crc32cUpdate } from '../../src/log/segments/crc32c.ts'
import { seededRandom } from '../../testing/world/random.ts'

/** RFC 3720, appendix B.4, and the check value of the catalogue of CRCs. */
test.each([
  ['the digits 1 to 9', new TextEncoder().encode('123456789'), 0xe3069283],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['ascending bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['descending bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['nothing', new Uint8Array(0), 0],
])('the checksum of %s is the standard one', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
})

test('in pieces of any size it is the same', () => {
  const bytes = seededRandom('crc').bytes(100)
  const view = new DataView(bytes.buffer)
  for (let cut = 0; cut <= bytes.length; cut++) {
    const state = crc32cUpdate(crc32cUpdate(-1, view, 0, cut), view, cut, bytes.length)
    expect((state ^ -1) >>> 0).toBe(crc32c(bytes))
  }
})

test('from two different starts the same bytes never have the same checksum', () => {
  const random = seededRandom('starts')
  const view = new DataView(random.bytes(48).buffer)
  for (let i = 0; i < 1000; i++) {
    const start = random.uint32()
    const other = (start ^ (1 << random.below(32))) >>> 0
    expect(crc32cUpdate(start, view, 0, 48)).not.toBe(crc32cUpdate(other, view, 0, 48))
  }
})
