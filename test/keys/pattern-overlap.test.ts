import { describe, expect, it } from 'vitest'
import { intersects } from '../../src/keys/pattern-overlap.ts'
import { compilePattern } from '../../src/keys/pattern.ts'

function witness(a: string, b: string): string | undefined {
  return intersects(compilePattern(a), compilePattern(b))
}

describe('two patterns', () => {
  it.each([
    ['*a', 'b*', 'ba'],
    ['a*b*c', 'a*x*c', 'abxc'],
    ['a?c*', 'ab?*', 'abc'],
    ['a?', '?b', 'ab'],
    ['*bc*', 'a???', 'abcx'],
    ['*b*b', '?bb', 'bbb'],
    ['ab*ba', '????', 'abba'],
    ['*', '?', 'x'],
    ['a*😀', 'a?', 'a😀'],
  ])('%s and %s meet in %o', (a, b, expected) => {
    expect(witness(a, b)).toBe(expected)
    const other = witness(b, a)
    expect(other).toBeDefined()
    for (const text of [a, b]) expect(compilePattern(text).matches(other ?? '')).toBe(true)
  })

  it.each([
    ['a*', 'b*'],
    ['*a', '*b'],
    ['a?', 'ab?'],
    ['a?c', '?bd'],
    ['*bb*', '?cc?'],
    ['aa*aa', '???'],
    ['a*b*a', 'ab?c'],
  ])('%s and %s never meet', (a, b) => {
    expect(witness(a, b)).toBeUndefined()
    expect(witness(b, a)).toBeUndefined()
  })
})
