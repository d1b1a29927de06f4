import { expect, test } from 'vitest'
import { max, min } from '../../crdt/extremum.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

test('the greatest of concurrent values is the value of max, the least that of min', () => {
  // a: set(3)   ∥   b: set(9)   ∥   c: set(5)
  for (const [strategy, expected] of [
    [max<number>(), 9],
    [min<number>(), 3],
  ] as const) {
    const { a, b, c } = threeReplicas(strategy)
    a.write('set', [3])
    b.write('set', [9])
    c.write('set', [5])
    expect(exchange(a, b, c)).toEqual([expected, expected, expected])
  }
})

test('a value that changes nothing here writes nothing', () => {
  const { a } = threeReplicas(max<number>())
  a.write('set', [5])
  expect(a.write('set', [5])).toBeUndefined()
  expect(a.write('set', [4])).toBeUndefined()
  expect(a.operations.size).toBe(1)
})

test('a delete brings back the greatest value that it did not see', () => {
  // a: set(9) ──► a: delete   ∥   b: set(5)
  const { a, b } = threeReplicas(max<number>())
  b.write('set', [5])
  a.write('set', [9])
  a.delete()
  expect(exchange(a, b)).toEqual([5, 5])
})

test('strings, bigints and dates have an order, and mixed types have one, too', () => {
  const values = [new Date(5), 'b', 7n, 7, 'a', new Date(-5), 8n, -1]
  const { a, b } = threeReplicas(max<string | number | bigint | Date>())
  for (const value of values) a.write('set', [value])
  for (const value of [...values].reverse()) b.write('set', [value])
  expect(exchange(a, b)).toEqual([new Date(5), new Date(5)])
  const least = threeReplicas(min<number | bigint>())
  least.a.write('set', [1n])
  least.b.write('set', [1])
  expect(exchange(least.a, least.b)).toEqual([1, 1])
})

test('what has no order is refused', () => {
  const { a } = threeReplicas(max())
  for (const value of [NaN, new Date(NaN), true, null, [1], undefined]) {
    expect(codeOf(() => a.write('set', [value]))).toBe('WARP_E_UNENCODABLE')
  }
})

test('a payload or snapshot without an order is refused', () => {
  const strategy = max()
  const operation = { payload: NaN, hlc: 1, replica: threeReplicas(strategy).a.id, sequence: 1, observed: () => false }
  expect(codeOf(() => strategy.apply(strategy.initial(), operation))).toBe('WARP_E_PROTOCOL')
  expect(codeOf(() => strategy.decodeState([NaN]))).toBe('WARP_E_PROTOCOL')
})
