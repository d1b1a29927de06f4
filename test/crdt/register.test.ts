import { expect, test } from 'vitest'
import { register } from '../../crdt/register.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

test('the later of two writes wins though its wall clock is far behind', () => {
  // a: set(1) at 1000 ──► b: set(2) at 3
  const { a, b } = threeReplicas(register<number>())
  a.write('set', [1], { wall: 1000 })
  b.deliverAll(a.operations.values())
  b.write('set', [2], { wall: 3 })
  expect(exchange(a, b)).toEqual([2, 2])
})

test('of concurrent writes the one with the greater stamp wins', () => {
  // a: set(1) at 9   ∥   b: set(2) at 5
  const { a, b } = threeReplicas(register<number>())
  a.write('set', [1], { wall: 9 })
  b.write('set', [2], { wall: 5 })
  expect(exchange(a, b)).toEqual([1, 1])
})

test('of concurrent writes with equal stamps the greater replica id wins', () => {
  // a: set(1) at 5   ∥   b: set(2) at 5
  const { a, b } = threeReplicas(register<number>())
  a.write('set', [1], { wall: 5 })
  b.write('set', [2], { wall: 5 })
  expect(exchange(a, b)).toEqual([2, 2])
})

test('a delete is a write: a concurrent set with a greater stamp survives it, one with a smaller does not', () => {
  // a: set(1) at 1 ──► a: delete at 5   ∥   b: set(2) at 7   ∥   c: set(3) at 4
  const { a, b, c } = threeReplicas(register<number>())
  a.write('set', [1], { wall: 1 })
  a.delete({ wall: 5 })
  c.write('set', [3], { wall: 4 })
  expect(exchange(a, c)).toEqual([undefined, undefined])
  b.write('set', [2], { wall: 7 })
  expect(exchange(a, b, c)).toEqual([2, 2, 2])
})

test('null is a value, undefined is refused', () => {
  const { a } = threeReplicas(register<null>())
  a.write('set', [null])
  expect(a.value).toBeNull()
  expect(codeOf(() => a.write('set', [undefined]))).toBe('WARP_E_UNENCODABLE')
})

test('a snapshot of an empty register is empty, and a malformed one is refused', () => {
  const strategy = register<Uint8Array>()
  expect(strategy.isEmpty(strategy.decodeState(strategy.encodeState(strategy.initial())))).toBe(true)
  expect(strategy.decodeState(strategy.encodeState(Uint8Array.of(7)))).toEqual(Uint8Array.of(7))
  expect(codeOf(() => strategy.decodeState('x'))).toBe('WARP_E_PROTOCOL')
})
