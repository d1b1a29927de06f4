/**
 * From a key to what is registered for it: the most specific of the patterns that match. Asked once
 * per key; the answer is kept with the key.
 *
 * Patterns are filed under their literal prefix. Since the longer prefix is the more specific one,
 * a look-up tries the prefixes of the key from long to short, one hash look-up for each length that
 * occurs, and matches only the patterns filed there. Two patterns of equal specificity that can
 * match the same key are refused when they are added.
 *
 * Cost of a look-up: as many matches as there are patterns under the key's own prefixes, usually
 * one; all of them if all begin with a wildcard. Cost of `add`: a comparison with the patterns of
 * the same prefix, specificity and suffix.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { intersects } from './pattern-overlap.ts'
import { comparePatterns, compilePattern, type KeyPattern } from './pattern.ts'
import { PATTERNS_MAX } from '../limits.ts'

interface Entry<T> {
  readonly pattern: KeyPattern
  readonly value: T
}

export class PatternIndex<T> {
  readonly #byPrefix = new Map<string, Entry<T>[]>()
  /** The lengths of the prefixes that occur, longest first. */
  readonly #prefixLengths: number[] = []
  readonly #rivals = new Map<string, Rivals>()
  #size = 0

  /**
   * Throws `WARP_E_PATTERN`: malformed, a duplicate, ambiguous with another one, or one too many.
   */
  add(text: string, value: T): void {
    if (this.#size >= PATTERNS_MAX) {
      throw new WarpError('WARP_E_PATTERN', `more than ${PATTERNS_MAX} key patterns; join some of them with *`)
    }
    const pattern = compilePattern(text)
    this.#rivalsOf(pattern).add(pattern)
    const entries = this.#entriesAt(pattern.literalPrefix)
    entries.splice(lowerBound(entries, pattern), 0, { pattern, value })
    this.#size++
  }

  /** What was added for this very pattern. */
  at(text: string): T | undefined {
    const entries = this.#byPrefix.get(compilePattern(text).literalPrefix)
    return entries?.find(({ pattern }) => pattern.text === text)?.value
  }

  /** Takes a pattern away. Returns whether it was there. */
  remove(text: string): boolean {
    const pattern = compilePattern(text)
    const entries = this.#byPrefix.get(pattern.literalPrefix) ?? []
    const at = entries.findIndex((entry) => entry.pattern.text === text)
    if (at < 0) return false
    entries.splice(at, 1)
    this.#rivalsOf(pattern).remove(pattern)
    this.#size--
    return true
  }

  /** What was added for the most specific pattern that matches; `without` is passed over. */
  find(key: string, without?: T): T | undefined {
    for (const length of this.#prefixLengths) {
      if (length > key.length) continue
      const entries = this.#byPrefix.get(length === key.length ? key : key.slice(0, length))
      const found = entries?.find((entry) => entry.pattern.matches(key) && entry.value !== without)
      if (found !== undefined) return found.value
    }
    return undefined
  }

  /** The patterns that none is more specific than the other of. */
  #rivalsOf(pattern: KeyPattern): Rivals {
    const { literalLength, anyOneCount, anyRunCount } = pattern.specificity
    const name = `${literalLength} ${anyOneCount} ${anyRunCount} ${pattern.literalPrefix}`
    const rivals = this.#rivals.get(name) ?? new Rivals()
    this.#rivals.set(name, rivals)
    return rivals
  }

  #entriesAt(prefix: string): Entry<T>[] {
    const known = this.#byPrefix.get(prefix)
    if (known !== undefined) return known
    const entries: Entry<T>[] = []
    this.#byPrefix.set(prefix, entries)
    if (!this.#prefixLengths.includes(prefix.length)) {
      this.#prefixLengths.push(prefix.length)
      this.#prefixLengths.sort((a, b) => b - a)
    }
    return entries
  }
}

/**
 * Patterns of one prefix and specificity, none of which may meet another. Filed by suffix, because
 * two that meet have suffixes of which one ends with the other: ten thousand of the form `*:0001`
 * are not compared with each other.
 */
class Rivals {
  readonly #bySuffixLength = new Map<number, Map<string, KeyPattern[]>>()

  /** Throws `WARP_E_PATTERN` and is left as it was. */
  add(pattern: KeyPattern): void {
    const suffix = pattern.literalSuffix
    for (const other of this.#comparable(suffix)) {
      const example = intersects(other, pattern)
      if (example !== undefined) throw ambiguous(other.text, pattern.text, example)
    }
    const bySuffix = this.#bySuffixLength.get(suffix.length) ?? new Map<string, KeyPattern[]>()
    this.#bySuffixLength.set(suffix.length, bySuffix)
    const same = bySuffix.get(suffix)
    if (same === undefined) bySuffix.set(suffix, [pattern])
    else same.push(pattern)
  }

  remove({ literalSuffix, text }: KeyPattern): void {
    const same = this.#bySuffixLength.get(literalSuffix.length)?.get(literalSuffix) ?? []
    const at = same.findIndex((other) => other.text === text)
    if (at >= 0) same.splice(at, 1)
  }

  /** Those whose suffix ends with this one, or the other way round. */
  *#comparable(suffix: string): Iterable<KeyPattern> {
    for (const [length, bySuffix] of this.#bySuffixLength) {
      if (length <= suffix.length) yield* bySuffix.get(suffix.slice(suffix.length - length)) ?? []
      else yield* [...bySuffix.values()].flat().filter((other) => other.literalSuffix.endsWith(suffix))
    }
  }
}

/** The first place whose pattern is not more specific. */
function lowerBound(entries: readonly { readonly pattern: KeyPattern }[], pattern: KeyPattern): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry !== undefined && comparePatterns(entry.pattern, pattern) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function ambiguous(pattern: string, other: string, example: string): WarpError {
  const message =
    pattern === other
      ? `the key pattern "${pattern}" is registered twice`
      : `the key patterns "${pattern}" and "${other}" are equally specific and both match "${example}"; make one of them more specific`
  return new WarpError('WARP_E_PATTERN', message, { details: { pattern, other, example } })
}
