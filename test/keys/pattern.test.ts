import { describe, expect, it } from 'vitest'
import { isWarpError, type WarpError } from '../../crdt/warp-error.ts'
import { comparePatterns, compilePattern } from '../../src/keys/pattern.ts'
import { PATTERN_LENGTH_MAX } from '../../src/limits.ts'

function refusal(text: string): WarpError {
  try {
    compilePattern(text)
  } catch (error) {
    if (isWarpError(error, 'WARP_E_PATTERN')) return error
    throw error
  }
  throw new Error(`"${text}" was accepted`)
}

/** A key that counts how often one of its characters is read; all that the matcher uses of a string. */
function countingKey(text: string): { readonly key: string; readonly readsCount: () => number } {
  let reads = 0
  const key = {
    length: text.length,
    startsWith: (prefix: string): boolean => {
      reads += prefix.length
      return text.startsWith(prefix)
    },
    endsWith: (suffix: string): boolean => {
      reads += suffix.length
      return text.endsWith(suffix)
    },
    codePointAt: (at: number): number | undefined => {
      reads++
      return text.codePointAt(at)
    },
  }
  // A stand-in for a string, to see what the matcher does with it.
  return { key: key as unknown as string, readsCount: () => reads }
}

describe('matching', () => {
  it.each([
    ['user:*', 'user:1', true],
    ['user:*', 'user:', true],
    ['user:*', 'user', false],
    ['user:*', 'xuser:1', false],
    ['user:*', 'user:a:b', true],
    ['*', '', true],
    ['*', 'anything at all', true],
    ['user:1', 'user:1', true],
    ['user:1', 'user:12', false],
    ['*:cart', 'user:1:cart', true],
    ['*:cart', 'user:1:carts', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a?c', 'abbc', false],
    ['?', '', false],
    ['a**', 'a', true],
    ['*?*', '', false],
    ['*?*', 'xyz', true],
    ['aa*aa', 'aaa', false],
    ['aa*aa', 'aaaa', true],
  ])('%s and the key %o: %s', (pattern, key, expected) => {
    expect(compilePattern(pattern).matches(key)).toBe(expected)
  })

  it('takes a question mark for one code point, not half of an emoji', () => {
    expect(compilePattern('mood:?').matches('mood:😀')).toBe(true)
    expect(compilePattern('mood:??').matches('mood:😀')).toBe(false)
    expect(compilePattern('*?😀?*').matches('a😀😀')).toBe(true)
    expect(compilePattern('*?😀?*').matches('😀😀')).toBe(false)
  })

  it('takes the character behind a backslash literally', () => {
    expect(compilePattern('a\\*b').matches('a*b')).toBe(true)
    expect(compilePattern('a\\*b').matches('axb')).toBe(false)
    expect(compilePattern('\\?*').matches('?1')).toBe(true)
    expect(compilePattern('\\\\').matches('\\')).toBe(true)
    expect(compilePattern('\\a').matches('a')).toBe(true)
  })

  it('finds its way over the borders of machine words', () => {
    const body = 'abcdefghijklmnopqrstuvwxyz'.repeat(4)
    for (const length of [30, 31, 32, 33, 63, 64, 65, 96, 104]) {
      const pattern = compilePattern(`*${body.slice(0, length)}`)
      expect(pattern.matches(`zz${body.slice(0, length)}`)).toBe(true)
      expect(pattern.matches(`zz${body.slice(0, length - 1)}`)).toBe(false)
      expect(compilePattern('?'.repeat(length)).matches(body.slice(0, length))).toBe(true)
      expect(compilePattern('?'.repeat(length)).matches(body.slice(0, length - 1))).toBe(false)
    }
  })
})

describe('hostile patterns', () => {
  it.each([
    ['nested stars', `${'*a'.repeat(120)}*b*a`, 'a'.repeat(1024)],
    ['a star before a long tail that nearly matches', `*${'a'.repeat(253)}b?`, 'a'.repeat(1024)],
    ['stars and question marks in turn', `${'*?'.repeat(126)}b*`, 'a'.repeat(1024)],
    ['the twelve bytes that stalled minimatch', '*(*(*(*(a))))'.slice(0, 12), '((((((((((((((((((a'],
    ['nothing but stars', `${'*'.repeat(254)}b?`, 'a'.repeat(1024)],
  ])('%s: no character of the key is read more than twice', (_, text, key) => {
    const counting = countingKey(key)
    expect(compilePattern(text).matches(counting.key)).toBe(false)
    expect(counting.readsCount()).toBeLessThanOrEqual(2 * key.length)
  })

  it('stops reading as soon as nothing can change the answer', () => {
    const refused = countingKey('b'.repeat(1024))
    expect(compilePattern('?a*?').matches(refused.key)).toBe(false)
    expect(refused.readsCount()).toBeLessThanOrEqual(3)
    const accepted = countingKey('ab'.repeat(512))
    expect(compilePattern('a?*').matches(accepted.key)).toBe(true)
    expect(accepted.readsCount()).toBeLessThanOrEqual(3)
  })
})

describe('specificity', () => {
  it('puts the longer literal prefix first, then more literals, more question marks, fewer stars', () => {
    const texts = [
      '*',
      '*?',
      '*:cart',
      'user:*',
      'user:?',
      'user:*:cart',
      'user:?*',
      'user:1*',
      'user:1',
      'user:*a*b',
      'user:*ab',
    ]
    const sorted = texts.map((text) => compilePattern(text)).sort(comparePatterns)
    expect(sorted.map((pattern) => pattern.text)).toEqual([
      'user:1',
      'user:1*',
      'user:*:cart',
      'user:*ab',
      'user:*a*b',
      'user:?',
      'user:?*',
      'user:*',
      '*:cart',
      '*?',
      '*',
    ])
  })

  it('is the same for two ways of writing the same', () => {
    for (const [a, b] of [
      ['a**', 'a*'],
      ['a*?', 'a?*'],
      ['*?*?*', '??*'],
      ['\\a', 'a'],
    ] as const) {
      expect(comparePatterns(compilePattern(a), compilePattern(b))).toBe(0)
      expect(compilePattern(a).tokens).toEqual(compilePattern(b).tokens)
    }
  })

  it('counts what is escaped as literal', () => {
    expect(compilePattern('a\\*b*').literalPrefix).toBe('a*b')
  })
})

describe('refusals', () => {
  it('names what is wrong with a pattern', () => {
    expect(refusal('').message).toContain('is empty')
    expect(refusal('a\\').message).toContain('single backslash')
    expect(refusal('a\ud83d*').message).toContain('surrogate')
  })

  it('takes a pattern of the longest length and refuses one character more', () => {
    expect(compilePattern('a'.repeat(PATTERN_LENGTH_MAX - 1)).text).toHaveLength(PATTERN_LENGTH_MAX - 1)
    expect(compilePattern('a'.repeat(PATTERN_LENGTH_MAX)).text).toHaveLength(PATTERN_LENGTH_MAX)
    expect(refusal('a'.repeat(PATTERN_LENGTH_MAX + 1)).message).toContain('257 characters, more than the 256 allowed')
  })
})
