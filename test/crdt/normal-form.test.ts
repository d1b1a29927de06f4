import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalForm } from '../../crdt/encoding/normal-form.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { runs } from '../../property-tests/seed.ts'
import { codeOf } from '../support/three-replicas.ts'

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
})
const odd = fc.constantFrom<unknown>(
  -0,
  NaN,
  undefined,
  '\ud800',
  'ok \u{1f388}',
  2n ** 64n,
  -(2n ** 63n),
  new Date(NaN),
  Symbol.iterator,
)
const loose = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, odd, anything, tie('list'), tie('record'), fc.uint8Array({ maxLength: 3 })),
  list: fc.array(tie('value'), { maxLength: 4 }),
  record: fc.dictionary(
    fc.oneof(fc.string({ maxLength: 2 }), fc.constantFrom('__proto__', '10', '9', 'é')),
    tie('value'),
    {
      maxKeys: 4,
    },
  ),
})).value

function attempt(action: () => unknown): unknown {
  try {
    return { value: action() }
  } catch (error) {
    return { code: (error as { code?: unknown }).code }
  }
}

/** What `toStrictEqual` does not look at. */
function keysOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 'minus zero' : null
  return Object.entries(value).map(([key, entry]) => [key, keysOf(entry)])
}

test('a normal form is what the codec gives back, and is refused where the codec refuses', () => {
  fc.assert(
    fc.property(loose, (value) => {
      const expected = attempt(() => decode(encode(value)))
      const actual = attempt(() => normalForm(value))
      expect(actual).toStrictEqual(expected)
      expect(keysOf(actual)).toEqual(keysOf(expected))
    }),
    runs(2000),
  )
})

test('parts that are normal already are shared', () => {
  const old = normalForm([{ a: 1 }, [2]]) as readonly object[]
  const next = normalForm([...old, { b: 2 }]) as readonly object[]
  expect([next[0] === old[0], next[1] === old[1], normalForm(next) === next]).toEqual([true, true, true])
})

test('nesting is counted across parts that are shared', () => {
  let nested = normalForm([])
  for (let depth = 1; depth < 64; depth++) nested = normalForm([nested])
  expect(encode(nested).length).toBe(64)
  expect(codeOf(() => normalForm([nested]))).toBe(codeOf(() => encode([nested])))
  expect(codeOf(() => normalForm([nested]))).toBeDefined()
})

test('nesting too deep and cycles are refused as the codec refuses them', () => {
  let deep: unknown = []
  for (let depth = 1; depth < 65; depth++) deep = { deep }
  const cycle: unknown[] = []
  cycle.push(cycle)
  for (const value of [deep, cycle]) {
    expect(codeOf(() => normalForm(value))).toBeDefined()
    expect(codeOf(() => normalForm(value))).toBe(codeOf(() => encode(value)))
  }
})

test('all of it is frozen', () => {
  const normal = normalForm({ list: [{ a: 1 }] }) as { readonly list: readonly object[] }
  expect([normal, normal.list, normal.list[0]].map((part) => Object.isFrozen(part))).toEqual([true, true, true])
})
