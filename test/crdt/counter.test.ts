import { expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

const MOST = Number.MAX_SAFE_INTEGER

test('concurrent increments and decrements all count', () => {
  // a: +1, +5   ∥   b: -2   ∥   c: +10
  const { a, b, c } = threeReplicas(counter())
  a.write('increment')
  a.write('increment', [5])
  b.write('decrement', [2])
  c.write('increment', [10])
  expect(exchange(a, b, c)).toEqual([14, 14, 14])
})

test('a delete takes away what it saw and leaves concurrent amounts', () => {
  // a: +7 ──► b: delete   ∥   a: +2
  const { a, b } = threeReplicas(counter())
  a.write('increment', [7])
  b.deliverAll(a.operations.values())
  b.delete()
  a.write('increment', [2])
  expect(exchange(a, b)).toEqual([2, 2])
})

test('an amount that is not a safe integer is refused', () => {
  const { a } = threeReplicas(counter())
  for (const amount of [0.5, NaN, Infinity, MOST + 1]) {
    expect(codeOf(() => a.write('increment', [amount]))).toBe('WARP_E_LIMIT')
    expect(codeOf(() => a.write('decrement', [amount]))).toBe('WARP_E_LIMIT')
  }
})

test('a write that would leave the safe integers is refused, the last one within them is not', () => {
  const { a } = threeReplicas(counter())
  a.write('increment', [MOST - 1])
  expect(codeOf(() => a.write('increment', [2]))).toBe('WARP_E_LIMIT')
  a.write('increment', [1])
  expect(a.value).toBe(MOST)
})

test('concurrent writes that together leave the safe integers read as the bound and find back exactly', () => {
  // a: +MOST   ∥   b: +MOST, then both: a: -MOST
  const { a, b } = threeReplicas(counter())
  a.write('increment', [MOST])
  b.write('increment', [MOST])
  expect(exchange(a, b)).toEqual([MOST, MOST])
  expect(codeOf(() => a.write('increment', [1]))).toBe('WARP_E_LIMIT')
  a.write('decrement', [MOST])
  a.write('decrement', [3])
  expect(exchange(a, b)).toEqual([MOST - 3, MOST - 3])
})

test('adding nothing writes nothing', () => {
  const { a } = threeReplicas(counter())
  expect(a.write('increment', [0])).toBeUndefined()
  expect(a.write('decrement', [0])).toBeUndefined()
})

test('a payload that is no safe integer is refused by apply, before the sum is touched', () => {
  const operation = { payload: 0.5, hlc: 1, replica: threeReplicas(counter()).a.id, sequence: 1, observed: () => false }
  expect(codeOf(() => counter().apply(1, operation))).toBe('WARP_E_PROTOCOL')
})
