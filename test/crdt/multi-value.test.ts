import { expect, test } from 'vitest'
import { multiValue } from '../../crdt/multi-value.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

test('concurrent writes are siblings, in the same order on every replica', () => {
  // a: set('x')   ∥   b: set('y')   ∥   c: set('z')
  const { a, b, c } = threeReplicas(multiValue<string>())
  a.write('set', ['x'], { wall: 3 })
  b.write('set', ['y'], { wall: 1 })
  c.write('set', ['z'], { wall: 2 })
  const siblings = ['y', 'z', 'x']
  expect(exchange(a, b, c)).toEqual([siblings, siblings, siblings])
})

test('a write replaces the siblings that its writer saw', () => {
  // a: set('x') ─┐
  //              ├─► a: set('xy')
  // b: set('y') ─┘
  const { a, b } = threeReplicas(multiValue<string>())
  a.write('set', ['x'])
  b.write('set', ['y'])
  exchange(a, b)
  a.write('set', ['xy'])
  expect(exchange(a, b)).toEqual([['xy'], ['xy']])
})

test('a write leaves the siblings that its writer did not see', () => {
  // a: set('x') ──► b: set('y')   ∥   c: set('z')
  const { a, b, c } = threeReplicas(multiValue<string>())
  a.write('set', ['x'], { wall: 1 })
  b.deliverAll(a.operations.values())
  b.write('set', ['y'], { wall: 2 })
  c.write('set', ['z'], { wall: 9 })
  expect(exchange(a, b, c)[0]).toEqual(['y', 'z'])
})

test('a superseded sibling does not come back', () => {
  // a: set('x') ──► a: set('y')   ∥   b: set('z'), having seen only 'x'
  const { a, b } = threeReplicas(multiValue<string>())
  const first = a.write('set', ['x'])
  if (first !== undefined) b.deliver(first)
  a.write('set', ['y'], { wall: 5 })
  b.write('set', ['z'], { wall: 6 })
  expect(exchange(a, b)).toEqual([
    ['y', 'z'],
    ['y', 'z'],
  ])
})

test('a delete takes the siblings that it saw and leaves a concurrent write', () => {
  // a: set('x') ──► b: delete   ∥   a: set('y')
  const { a, b } = threeReplicas(multiValue<string>())
  a.write('set', ['x'])
  b.deliverAll(a.operations.values())
  b.delete()
  expect(b.value).toBeUndefined()
  a.write('set', ['y'])
  expect(exchange(a, b)).toEqual([['y'], ['y']])
})

test('a malformed snapshot is refused', () => {
  expect(codeOf(() => multiValue().decodeState([[[1, 'nobody', 1, 1]]]))).toBe('WARP_E_PROTOCOL')
  expect(codeOf(() => multiValue().decodeState([[['later', 'a'.repeat(16), 1, 1]]]))).toBe('WARP_E_PROTOCOL')
})
