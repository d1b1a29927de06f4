import { expect, test } from 'vitest'
import { set } from '../../crdt/set.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

test('a concurrent add survives a remove', () => {
  // a: add('x') ──► b: remove('x')   ∥   a: add('x')
  const { a, b } = threeReplicas(set<string>())
  a.write('add', ['x'])
  b.deliverAll(a.operations.values())
  b.write('remove', ['x'])
  expect(b.value).toBeUndefined()
  a.write('add', ['x'])
  expect(exchange(a, b)).toEqual([new Set(['x']), new Set(['x'])])
})

test('a remove takes exactly the adds that it saw', () => {
  // a: add('x') ──► b: remove('x')   ∥   c: add('x')
  const { a, b, c } = threeReplicas(set<string>())
  a.write('add', ['x', 'y'])
  b.deliverAll(a.operations.values())
  b.write('remove', ['x'])
  expect(exchange(a, b)[0]).toEqual(new Set(['y']))
  c.write('add', ['x'])
  expect(exchange(a, b, c)[1]).toEqual(new Set(['x', 'y']))
})

test('a remove that saw all of several concurrent adds takes the element out', () => {
  // a: add('x') ─┐
  //              ├─► a: remove('x')
  // b: add('x') ─┘
  const { a, b } = threeReplicas(set<string>())
  a.write('add', ['x'])
  b.write('add', ['x'])
  exchange(a, b)
  a.write('remove', ['x'])
  expect(exchange(a, b)).toEqual([undefined, undefined])
})

test('nothing is left of a removed element', () => {
  const { a } = threeReplicas(set<number>())
  for (let i = 0; i < 50; i++) a.write('add', [i])
  for (let i = 0; i < 50; i++) a.write('remove', [i])
  expect(set<number>().encodeState(a.state as never)).toEqual([])
})

test('elements are told apart by content', () => {
  const { a } = threeReplicas(set<unknown>())
  a.write('add', [{ sku: 1, size: 'm' }, { size: 'm', sku: 1 }, 1, '1', 1n, [1]])
  expect((a.value as Set<unknown>).size).toBe(5)
  expect(a.query('has', { size: 'm', sku: 1 })).toBe(true)
  expect(a.query('has', { sku: 2 })).toBe(false)
})

test('every replica iterates in the same order', () => {
  const { a, b } = threeReplicas(set<string>())
  a.write('add', ['q', 'b'])
  b.write('add', ['z', 'a'])
  const [first, second] = exchange(a, b) as [Set<string>, Set<string>]
  expect([...first]).toEqual(['a', 'b', 'q', 'z'])
  expect([...second]).toEqual([...first])
})

test('an element named twice in one add is kept in by one dot', () => {
  const { a, b } = threeReplicas(set<string>())
  a.write('add', ['x', 'x'])
  b.deliverAll(a.operations.values())
  expect(set<string>().encodeState(b.state as never)).toEqual([[['x', a.id, 1]]])
})

test('a value that was read refuses to be changed, and stays what it was', () => {
  const { a } = threeReplicas(set<string>())
  a.write('add', ['x'])
  const before = a.value as Set<string>
  expect(codeOf(() => before.clear())).toBe('WARP_E_MODE')
  a.write('add', ['y'])
  expect(before).toEqual(new Set(['x']))
  expect(a.value).toEqual(new Set(['x', 'y']))
})

test('removing what is not there and adding nothing write nothing', () => {
  const { a } = threeReplicas(set<string>())
  expect(a.write('remove', ['x'])).toBeUndefined()
  expect(a.write('add')).toBeUndefined()
  expect(codeOf(() => a.write('add', [undefined]))).toBe('WARP_E_UNENCODABLE')
})

test('more elements than the codec takes in one list survive a snapshot', () => {
  const strategy = set<number>()
  const { a } = threeReplicas(strategy)
  for (let from = 0; from < 66_000; from += 11_000)
    a.write(
      'add',
      Array.from({ length: 11_000 }, (_, i) => from + i),
    )
  const revived = strategy.decodeState(strategy.encodeState(a.state as never))
  expect(strategy.read(revived)?.size).toBe(66_000)
})

test('a payload that no verb makes is refused by apply', () => {
  const operation = {
    payload: [7, 'x'],
    hlc: 1,
    replica: threeReplicas(set()).a.id,
    sequence: 1,
    observed: () => false,
  }
  expect(codeOf(() => set().apply(set().initial(), operation))).toBe('WARP_E_PROTOCOL')
})
