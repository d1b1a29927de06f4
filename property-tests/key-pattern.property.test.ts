/** Key patterns against oracles: a regular expression for matching, all short keys for meeting and for inclusion. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PatternIndex } from '../src/keys/pattern-index.ts'
import { intersects } from '../src/keys/pattern-overlap.ts'
import { comparePatterns, compilePattern } from '../src/keys/pattern.ts'
import { keyPatterns, keys } from '../testing/arbitraries.ts'
import './seed.ts'

const pieces = fc.constantFrom('a', 'b', 'a', 'b', '*', '?', '\\*', '\\?', '\\\\', '😀', '**', 'ab')
const shortPattern = fc
  .array(fc.constantFrom('a', 'b', '*', '?'), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join(''))

/** Every key of up to six of these characters; `c` stands for all that no pattern names. */
const SHORT_KEYS = allKeys(6)

function allKeys(lengthMax: number): string[] {
  const keys = ['']
  for (let from = 0, length = 1; length <= lengthMax; length++) {
    const to = keys.length
    for (; from < to; from++) for (const character of 'abc') keys.push(`${keys[from] ?? ''}${character}`)
  }
  return keys
}

function oracle(text: string): RegExp {
  const body = text.replace(/\\?[^]/gu, (token) => {
    if (token === '*') return '[^]*'
    if (token === '?') return '[^]'
    return (token.startsWith('\\') ? token.slice(1) : token).replace(/[\\*?^$.|+()[\]{}]/u, '\\$&')
  })
  return new RegExp(`^${body}$`, 'u')
}

describe('a key pattern', () => {
  it('matches what the regular expression matches', () => {
    fc.assert(
      fc.property(keyPatterns(), keys(), (text, candidate) => {
        expect(compilePattern(text).matches(candidate)).toBe(oracle(text).test(candidate))
      }),
      { numRuns: 10_000 },
    )
  })

  it('matches the keys that are made from it, however long', () => {
    const filling = fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { minLength: 40, maxLength: 40 })
    const long = fc.array(pieces, { minLength: 1, maxLength: 80 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(long, filling, (text, runsOfText) => {
        let next = 0
        const made = text.replace(/\\?[^]/gu, (token) => {
          if (token === '*') return runsOfText[next++ % runsOfText.length] ?? ''
          return token === '?' ? '😀' : token.replace(/^\\/u, '')
        })
        expect(compilePattern(text).matches(made)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('meets another one exactly where a key of both exists, and the example is one', () => {
    fc.assert(
      fc.property(shortPattern, shortPattern, (a, b) => {
        const left = compilePattern(a)
        const right = compilePattern(b)
        const example = intersects(left, right)
        if (example === undefined) {
          expect(SHORT_KEYS.find((candidate) => left.matches(candidate) && right.matches(candidate))).toBeUndefined()
        } else {
          expect(left.matches(example) && right.matches(example)).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('is more specific than every pattern that properly includes it', () => {
    fc.assert(
      fc.property(shortPattern, shortPattern, (a, b) => {
        const left = compilePattern(a)
        const right = compilePattern(b)
        const onlyLeft = SHORT_KEYS.some((candidate) => left.matches(candidate) && !right.matches(candidate))
        const onlyRight = SHORT_KEYS.some((candidate) => right.matches(candidate) && !left.matches(candidate))
        if (!onlyLeft && onlyRight) expect(comparePatterns(left, right)).toBeLessThan(0)
        if (!onlyLeft && !onlyRight) expect(comparePatterns(left, right)).toBe(0)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is found in the index as by trying all, most specific first', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(shortPattern, { maxLength: 8 }),
        fc.constantFrom(...SHORT_KEYS),
        (texts, candidate) => {
          const index = new PatternIndex<string>()
          const added = texts.filter((text) => isAdded(index, text))
          const expected = added
            .map((text) => compilePattern(text))
            .sort(comparePatterns)
            .find((entry) => entry.matches(candidate))
          expect(index.find(candidate)).toBe(expected?.text)
        },
      ),
      { numRuns: 10_000 },
    )
  })
})

function isAdded(index: PatternIndex<string>, text: string): boolean {
  try {
    index.add(text, text)
    return true
  } catch {
    return false
  }
}
