import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addExactly, decodeSum, encodeSum, saturated, type ExactSum } from '../../crdt/exact-sum.ts'
import { runs } from '../../property-tests/seed.ts'
import { codeOf } from '../support/three-replicas.ts'

const MOST = Number.MAX_SAFE_INTEGER
const amounts = fc.array(fc.oneof(fc.maxSafeInteger(), fc.constantFrom(MOST, -MOST, MOST - 1, 1, -1)), {
  maxLength: 20,
})
const total = (all: readonly number[]): ExactSum => all.reduce<ExactSum>(addExactly, 0)

test('a sum is exact, the same in every order, and in one representation', () => {
  fc.assert(
    fc.property(amounts, (all) => {
      const exact = all.reduce((sum, amount) => sum + BigInt(amount), 0n)
      expect(BigInt(total(all))).toBe(exact)
      expect(total([...all].reverse())).toBe(total(all))
      expect(typeof total(all)).toBe(exact <= MOST && exact >= -MOST ? 'number' : 'bigint')
      expect(decodeSum(encodeSum(total(all)))).toBe(total(all))
    }),
    runs(2000),
  )
})

test('beyond the safe integers a sum reads as the bound', () => {
  expect([total([MOST, 1]), total([-MOST, -1]), total([MOST, 1, -1])].map(saturated)).toEqual([MOST, -MOST, MOST])
})

test('what is no sum is refused', () => {
  for (const bad of [0.5, '1.5', '', '01', null, '9'.repeat(5000), undefined]) {
    expect(codeOf(() => decodeSum(bad))).toBe('WARP_E_PROTOCOL')
  }
})
