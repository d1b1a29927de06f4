import { describe, expect, it } from 'vitest'
import { isWarpError, type WarpError } from '../../crdt/warp-error.ts'
import { PatternIndex } from '../../src/keys/pattern-index.ts'
import { PATTERNS_MAX } from '../../src/limits.ts'

function indexOf(...patterns: readonly string[]): PatternIndex<string> {
  const index = new PatternIndex<string>()
  for (const pattern of patterns) index.add(pattern, pattern)
  return index
}

function refusal(act: () => void): WarpError {
  try {
    act()
  } catch (error) {
    if (isWarpError(error, 'WARP_E_PATTERN')) return error
    throw error
  }
  throw new Error('accepted')
}

describe('the index of patterns', () => {
  it('finds the most specific pattern in whatever order they were added', () => {
    const patterns = ['*', 'user:*', 'user:admin:*', 'user:1', '*:cart', 'user:*:cart', 'user:?']
    for (const index of [indexOf(...patterns), indexOf(...patterns.toReversed())]) {
      expect(index.find('user:1')).toBe('user:1')
      expect(index.find('user:2')).toBe('user:?')
      expect(index.find('user:22')).toBe('user:*')
      expect(index.find('user:2:cart')).toBe('user:*:cart')
      expect(index.find('user:admin:2')).toBe('user:admin:*')
      expect(index.find('shop:2:cart')).toBe('*:cart')
      expect(index.find('')).toBe('*')
    }
  })

  it('finds nothing where no pattern matches', () => {
    expect(indexOf('user:*', 'a').find('cart:1')).toBeUndefined()
    expect(indexOf('user:*').find('')).toBeUndefined()
    expect(new PatternIndex<string>().find('a')).toBeUndefined()
  })

  it('falls back to a shorter prefix when the patterns of the longer one do not match', () => {
    expect(indexOf('user:*', 'user:1?').find('user:1')).toBe('user:*')
  })

  it('refuses two equally specific patterns that meet, naming both and a key', () => {
    const error = refusal(() => indexOf('user:*a*', 'user:*b*'))
    expect(error.message).toContain('"user:*a*" and "user:*b*" are equally specific and both match "user:ab"')
    expect(error.details).toEqual({ pattern: 'user:*a*', other: 'user:*b*', example: 'user:ab' })
  })

  it('refuses the same pattern twice, also in other words', () => {
    expect(refusal(() => indexOf('a*', 'a*')).message).toContain('registered twice')
    expect(refusal(() => indexOf('a*', 'a**')).message).toContain(
      '"a*" and "a**" are equally specific and both match "a"',
    )
    expect(refusal(() => indexOf('a', '\\a')).message).toContain('both match "a"')
  })

  it('keeps equally specific patterns that never meet', () => {
    const index = indexOf('*:a', '*:b', '?1', '?2')
    expect(index.find('x:b')).toBe('*:b')
    expect(index.find('x2')).toBe('?2')
  })

  it('is left as it was by a refused pattern', () => {
    const index = indexOf('a*')
    refusal(() => index.add('a**', 'other'))
    expect(index.find('ab')).toBe('a*')
  })

  it('takes as many patterns as allowed and refuses one more', () => {
    const index = new PatternIndex<number>()
    for (let i = 0; i < PATTERNS_MAX; i++) index.add(`*:${String(i).padStart(5, '0')}`, i)
    expect(index.find('cart:09999')).toBe(9999)
    expect(refusal(() => index.add('one:more', 0)).message).toContain('more than 10000 key patterns')
  })
})
