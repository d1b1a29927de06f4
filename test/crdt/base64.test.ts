import { expect, test } from 'vitest'
import { fromBase64, toBase64 } from '../../crdt/encoding/base64.ts'
import { seededRandom } from '../../testing/world/random.ts'

test('is what others make of the same bytes, and comes back', () => {
  const random = seededRandom(7)
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, () => random.below(256))
    const text = toBase64(bytes)
    expect(text).toBe(Buffer.from(bytes).toString('base64'))
    expect(fromBase64(text)).toEqual(bytes)
  }
  expect(toBase64(new Uint8Array([9, 1, 2, 3, 9]), 1, 4)).toBe('AQID')
})

test.each(['A', 'AB', 'ABC', 'AB*=', 'A===', '====', 'AB=C', 'AAAA=', 'é===', 'AA=AAAAA'])('%s is refused', (text) => {
  expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
})
