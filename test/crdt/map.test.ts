import { describe, expect, test } from 'vitest'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

const notes = custom<string[]>((old, next) => [...old, ...next])

describe('entries', () => {
  test('concurrent updates of different entries both count', () => {
    // a: stock['x'] + 2   ∥   b: stock['y'] + 3
    const { a, b } = threeReplicas(map(counter()))
    a.write('update', ['x', 'increment', 2])
    b.write('update', ['y', 'increment', 3])
    expect(exchange(a, b)).toEqual([
      { x: 2, y: 3 },
      { x: 2, y: 3 },
    ])
  })

  test('an update that is concurrent with a remove survives, and finds the entry new', () => {
    // a: x + 5 ──► b: remove x   ∥   a: x + 1
    const { a, b } = threeReplicas(map(counter()))
    a.write('update', ['x', 'increment', 5])
    b.deliverAll(a.operations.values())
    b.write('remove', ['x'])
    expect(b.value).toBeUndefined()
    a.write('update', ['x', 'increment', 1])
    expect(exchange(a, b)).toEqual([{ x: 1 }, { x: 1 }])
  })

  test('a remove leaves the other entries alone', () => {
    const { a } = threeReplicas(map(register<number>()))
    a.write('update', ['x', 'set', 1])
    a.write('update', ['y', 'set', 2])
    a.write('remove', ['x'])
    expect(a.value).toEqual({ y: 2 })
    expect([a.query('has', 'x'), a.query('has', 'y')]).toEqual([false, true])
  })

  test('of concurrent writes of one entry the greater stamp wins, whichever arrives first', () => {
    // a: x = 1 at 9   ∥   b: x = 2 at 5
    const { a, b } = threeReplicas(map(register<number>()))
    a.write('update', ['x', 'set', 1], { wall: 9 })
    b.write('update', ['x', 'set', 2], { wall: 5 })
    expect(exchange(a, b)).toEqual([{ x: 1 }, { x: 1 }])
  })

  test('a counter that is back at 0 is not listed', () => {
    const { a } = threeReplicas(map(counter()))
    a.write('update', ['x', 'increment', 2])
    a.write('update', ['x', 'decrement', 2])
    expect(a.value).toBeUndefined()
  })

  test('an entry may have any name', () => {
    const { a } = threeReplicas(map(register<number>()))
    for (const name of ['__proto__', 'constructor', 'toString', '']) a.write('update', [name, 'set', 1])
    expect(Object.keys(a.value as object)).toEqual(['', '__proto__', 'constructor', 'toString'])
    expect(Object.getPrototypeOf(a.value)).toBe(Object.prototype)
  })
})

describe('records', () => {
  const product = map({ price: register<number>(), tags: set<string>(), notes })

  test('each field follows its own strategy', () => {
    // a: price = 1 at 1, tags + x, notes a   ∥   b: price = 2 at 2, tags + y, notes b
    const { a, b } = threeReplicas(product)
    for (const [replica, n, letter] of [
      [a, 1, 'x'],
      [b, 2, 'y'],
    ] as const) {
      replica.write('update', ['price', 'set', n], { wall: n })
      replica.write('update', ['tags', 'add', letter])
      replica.write('update', ['notes', 'set', [letter]], { wall: 10 - n })
    }
    const expected = { price: 2, tags: new Set(['x', 'y']), notes: ['y', 'x'] }
    expect(exchange(a, b)).toEqual([expected, expected])
  })

  test('one field in canonical order puts the whole record in canonical order', () => {
    expect([product.fold, map({ price: register() }).fold]).toEqual(['canonical', 'any'])
  })

  test('queries reach the fields', () => {
    const { a } = threeReplicas(product)
    a.write('update', ['tags', 'add', 'x'])
    expect(a.query('ask', 'tags', 'has', 'x')).toBe(true)
    expect(codeOf(() => a.query('ask', 'price', 'has', 'x'))).toBe('WARP_E_MODE')
  })

  test('fields and verbs that do not exist are refused, inherited names too', () => {
    const { a } = threeReplicas(product)
    for (const call of [
      ['colour', 'set', 1],
      ['price', 'increment'],
      ['price', 'toString'],
      ['toString', 'set', 1],
    ]) {
      expect(codeOf(() => a.write('update', call))).toBe('WARP_E_MODE')
    }
    expect(codeOf(() => a.write('remove', ['colour']))).toBe('WARP_E_MODE')
  })

  test('an operation on a field that only another replica has is refused by apply', () => {
    const { a } = threeReplicas(product)
    const operation = { payload: ['colour', 1], hlc: 1, replica: a.id, sequence: 1, observed: () => false }
    expect(codeOf(() => product.apply(product.initial(), operation))).toBe('WARP_E_UNKNOWN_OP')
    expect(product.cancels?.(operation.payload)).toBeUndefined()
  })
})

describe('nesting', () => {
  test('a remove in an inner map leaves the outer entry if anything else is in it', () => {
    const { a } = threeReplicas(map(map(counter())))
    a.write('update', ['x', 'update', 'left', 'increment', 1])
    a.write('update', ['x', 'update', 'right', 'increment', 2])
    a.write('update', ['x', 'remove', 'left'])
    expect(a.value).toEqual({ x: { right: 2 } })
    a.write('update', ['x', 'remove', 'right'])
    expect(a.value).toBeUndefined()
  })

  test('an inner remove spares what is concurrent', () => {
    // a: x.left + 1 ──► b: remove x.left   ∥   a: x.left + 4
    const { a, b } = threeReplicas(map(map(counter())))
    a.write('update', ['x', 'update', 'left', 'increment', 1])
    b.deliverAll(a.operations.values())
    b.write('update', ['x', 'remove', 'left'])
    a.write('update', ['x', 'update', 'left', 'increment', 4])
    expect(exchange(a, b)).toEqual([{ x: { left: 4 } }, { x: { left: 4 } }])
  })
})

describe('refusals', () => {
  test('documents that apply what they prepare cannot be entries', () => {
    expect(codeOf(() => map({ ...counter(), appliesOnPrepare: true }))).toBe('WARP_E_CONFIG')
    expect(codeOf(() => map({ text: { ...counter(), appliesOnPrepare: true } }))).toBe('WARP_E_CONFIG')
  })

  test('an entry whose strategy refuses deletes cannot be removed, nor the key deleted', () => {
    const strategy = map({ stock: boundedCounter(), name: register<string>() })
    const { a } = threeReplicas(strategy)
    a.write('update', ['stock', 'increment', 1])
    expect(codeOf(() => a.write('remove', ['stock']))).toBe('WARP_E_MODE')
    expect(strategy.deletes).toBe('refused')
  })

  test('removing what is not there writes nothing', () => {
    expect(threeReplicas(map(counter())).a.write('remove', ['x'])).toBeUndefined()
  })
})
