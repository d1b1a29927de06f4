import { describe, expect, test } from 'vitest'
import { custom } from '../../crdt/custom.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

const append = custom<string[]>((old, next) => [...old, ...next])

describe('canonical order', () => {
  test('a merge that does not commute gives one value on every replica', () => {
    // a: 'a' at 3   ∥   b: 'b' at 1   ∥   c: 'c' at 2
    const { a, b, c } = threeReplicas(append)
    a.write('set', [['a']], { wall: 3 })
    b.write('set', [['b']], { wall: 1 })
    c.write('set', [['c']], { wall: 2 })
    const value = ['b', 'c', 'a']
    expect(exchange(a, b, c)).toEqual([value, value, value])
  })

  test('the first write is the value, the function is not called for it', () => {
    let calls = 0
    const { a } = threeReplicas(custom<number>((old, next) => (calls++, old + next)))
    a.write('set', [4])
    expect([a.value, calls]).toEqual([4, 0])
  })

  test('with an initial value the function is called from the first write on', () => {
    const longest = custom<{ length: number }, string>((old, next) => ({ length: Math.max(old.length, next.length) }), {
      initial: { length: 2 },
    })
    const { a } = threeReplicas(longest)
    expect(a.value).toBeUndefined()
    a.write('set', ['x'])
    expect(a.value).toEqual({ length: 2 })
    a.write('set', ['four'])
    expect(a.value).toEqual({ length: 4 })
  })

  test('a delete cancels what is before it in the order, and the next write starts over', () => {
    // a: 'x' at 1 ──► a: delete at 5   ∥   b: 'y' at 4   ∥   c: 'z' at 9
    const { a, b, c } = threeReplicas(append)
    a.write('set', [['x']], { wall: 1 })
    a.delete({ wall: 5 })
    b.write('set', [['y']], { wall: 4 })
    c.write('set', [['z']], { wall: 9 })
    expect(exchange(a, b, c)).toEqual([['z'], ['z'], ['z']])
  })
})

describe('merge functions that misbehave', () => {
  const attempts: Readonly<Record<string, (old: unknown[]) => unknown>> = {
    throws: () => {
      throw new Error('no')
    },
    'changes the old value': (old) => (old.push(1), old),
    'returns undefined': () => undefined,
    'returns a promise': async () => [],
    'returns a class instance': () => new Map(),
    'returns a hole': () => [undefined],
    'returns a cycle': () => {
      const cycle: unknown[] = []
      cycle.push(cycle)
      return cycle
    },
  }

  test.each(Object.keys(attempts))('a function that %s refuses the write, and nothing is written', (name) => {
    const { a } = threeReplicas(custom<unknown>((old) => attempts[name]?.(old as unknown[])))
    a.write('set', [[0]])
    expect(codeOf(() => a.write('set', [[1]]))).toBe('WARP_E_MERGE')
    expect([a.operations.size, a.value]).toEqual([1, [0]])
  })

  test('an operation that fails only in the merged order is skipped on every replica', () => {
    // b: 5 at 1   ∥   a: 5 at 2, which the function refuses after another 5   ──► c: 7
    const distinct = custom<number>((old, next) => {
      if (old === next) throw new Error('the same again')
      return next
    })
    const { a, b, c } = threeReplicas(distinct)
    a.write('set', [5], { wall: 2 })
    b.write('set', [5], { wall: 1 })
    c.write('set', [7], { wall: 3 })
    expect(exchange(a, b, c)).toEqual([7, 7, 7])
    expect(exchange(a, b)).toEqual([7, 7])
  })
})

describe('values', () => {
  test('the caller keeps its own object, unfrozen', () => {
    const mine = ['x']
    const { a } = threeReplicas(append)
    a.write('set', [mine])
    a.write('set', [mine])
    expect([Object.isFrozen(mine), Object.isFrozen(a.value)]).toEqual([false, true])
  })

  test('the function sees the same old value whether it comes from memory or from a snapshot', () => {
    const odd = custom<Record<string, unknown>>((old, next) => ({
      z: -0,
      gone: undefined,
      ...next,
      keys: Object.keys(old),
    }))
    const { a } = threeReplicas(odd)
    a.write('set', [{ a: 1 }])
    a.write('set', [{ b: 1 }])
    const revived = odd.decodeState(odd.encodeState(a.state as never))
    expect(Object.keys(revived ?? {})).toEqual(Object.keys(a.value as object))
    expect(revived).toStrictEqual(a.value)
    expect(Object.is((a.value as { z: number }).z, 0)).toBe(true)
  })

  test('undefined is refused', () => {
    expect(codeOf(() => threeReplicas(append).a.write('set', [undefined]))).toBe('WARP_E_UNENCODABLE')
  })
})
