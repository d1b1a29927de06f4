/**
 * Key patterns: literal characters, `*` for any run of characters (also none), `?` for exactly one
 * character (a Unicode code point, so that an emoji is one), and `\` before a character that is
 * meant literally. Nothing else is special: `user:*` matches `user:a:b`.
 *
 * Matching is bit-parallel (Baeza-Yates and Gonnet 1992, "A New Approach to Text Searching":
 * Shift-And, with a loop at each state that a star follows). A state is how many single characters
 * of the pattern have been matched; all states live in the bits of at most nine 32-bit words and
 * advance together, so there is no backtracking, and a key of n characters costs at most n × ⌈(m +
 * 1) / 32⌉ steps for a pattern of m, whatever they look like: 9,216 at the limits. Glob matchers
 * that backtrack have stalled for seconds on a dozen bytes (CVE-2026-27904 in minimatch,
 * CVE-2022-36021 in Redis). The two usual forms, a plain key and `prefix*`, are a string
 * comparison, and a wrong prefix or suffix is one too.
 *
 * Specificity is compared by (1) the longer literal prefix, (2) more literal characters, (3) more
 * `?`, (4) fewer stars. Within a run of wildcards only the number of `?` and whether there is a
 * star count, since `*?*` and `?*` mean the same. The order extends inclusion: if every key of one
 * pattern also matches another, the first is the more specific. For its literals must then contain
 * the other's, in order and from the same prefix; if no more of them, then its shortest key is no
 * shorter (3); and if no longer, it has no star where the other has none (4).
 */
import { shownKind } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { PATTERN_LENGTH_MAX } from '../limits.ts'
import { isHidden, mayMeetHidden } from './hidden/hidden-keys.ts'

/** A code point, or one of the two below. */
export type PatternToken = number
/** `?` */
export const ANY_ONE: PatternToken = -1
/** `*` */
export const ANY_RUN: PatternToken = -2

export interface Specificity {
  /** UTF-16 units before the first wildcard. */
  readonly prefixLength: number
  /** UTF-16 units that are not wildcards. */
  readonly literalLength: number
  readonly anyOneCount: number
  /** Runs of wildcards that contain a star. */
  readonly anyRunCount: number
}

export interface KeyPattern {
  /** As written. */
  readonly text: string
  /**
   * The characters before the first wildcard, without escapes. Every key that matches starts with
   * them.
   */
  readonly literalPrefix: string
  /**
   * The characters after the last wildcard, all of them if there is none. Every key that matches
   * ends with them.
   */
  readonly literalSuffix: string
  readonly specificity: Specificity
  /** In normal form: in each run of wildcards the `?` come first, then at most one `*`. */
  readonly tokens: readonly PatternToken[]
  matches(key: string): boolean
}

/** What a refusal calls a pattern, and what the pattern names. */
export interface PatternWords {
  readonly pattern: string
  readonly one: string
  readonly example: string
}

const OF_KEYS: PatternWords = { pattern: 'key pattern', one: 'key', example: 'user:*' }

/**
 * Throws `WARP_E_PATTERN` for a pattern that is empty, too long, not Unicode, or ends in the middle
 * of an escape.
 */
export function compilePattern(text: string, words: PatternWords = OF_KEYS): KeyPattern {
  if (typeof text !== 'string') {
    throw new WarpError(
      'WARP_E_PATTERN',
      `a ${words.pattern} is a text, such as '${words.example}', and not ${shownKind(text)}`,
    )
  }
  const tokens = normalise(parse(text, words))
  const wildcardAt = tokens.findIndex(isWildcard)
  const prefix = wildcardAt < 0 ? tokens : tokens.slice(0, wildcardAt)
  const literalPrefix = spell(prefix)
  const literalSuffix = spell(tokens.slice(tokens.findLastIndex(isWildcard) + 1))
  return {
    text,
    literalPrefix,
    literalSuffix,
    tokens,
    specificity: {
      prefixLength: literalPrefix.length,
      literalLength: spell(tokens.filter((token) => !isWildcard(token))).length,
      anyOneCount: tokens.filter((token) => token === ANY_ONE).length,
      anyRunCount: tokens.filter((token) => token === ANY_RUN).length,
    },
    matches: visible(matcher(literalPrefix, tokens.slice(prefix.length), literalSuffix), literalPrefix, wildcardAt),
  }
}

/** Keys that the engine writes for itself match where the pattern spells their prefix out. */
function visible(
  matches: (key: string) => boolean,
  literalPrefix: string,
  wildcardAt: number,
): (key: string) => boolean {
  if (wildcardAt < 0 || !mayMeetHidden(literalPrefix)) return matches
  return (key) => matches(key) && !isHidden(key)
}

/** Negative if `a` is more specific, so that sorting puts it first; zero if neither is. */
export function comparePatterns(a: KeyPattern, b: KeyPattern): number {
  const left = a.specificity
  const right = b.specificity
  return (
    right.prefixLength - left.prefixLength ||
    right.literalLength - left.literalLength ||
    right.anyOneCount - left.anyOneCount ||
    left.anyRunCount - right.anyRunCount
  )
}

function parse(text: string, words: PatternWords): PatternToken[] {
  const malformed = (what: string): WarpError => refused(text, what, words)
  if (text.length === 0) throw malformed(`is empty; write * to match every ${words.one}`)
  if (text.length > PATTERN_LENGTH_MAX) {
    throw malformed(`has ${text.length} characters, more than the ${PATTERN_LENGTH_MAX} allowed; shorten it`)
  }
  if (/\p{Surrogate}/u.test(text)) throw malformed('contains half of a surrogate pair; remove it')
  const characters = Array.from(text)
  const tokens: PatternToken[] = []
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]
    if (character === '*') tokens.push(ANY_RUN)
    else if (character === '?') tokens.push(ANY_ONE)
    else tokens.push(codePoint(character === '\\' ? characters[++i] : character, malformed))
  }
  return tokens
}

function codePoint(character: string | undefined, malformed: (what: string) => WarpError): number {
  const value = character?.codePointAt(0)
  if (value === undefined) throw malformed('ends with a single backslash; write \\\\ for a backslash')
  return value
}

function refused(text: string, what: string, { pattern }: PatternWords): WarpError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
  return new WarpError('WARP_E_PATTERN', `the ${pattern} "${shown}" ${what}`, { details: { pattern: shown } })
}

function normalise(tokens: readonly PatternToken[]): PatternToken[] {
  const normal: PatternToken[] = []
  let runPending = false
  for (const token of tokens) {
    if (token === ANY_RUN) {
      runPending = true
      continue
    }
    if (token !== ANY_ONE && runPending) {
      normal.push(ANY_RUN)
      runPending = false
    }
    normal.push(token)
  }
  if (runPending) normal.push(ANY_RUN)
  return normal
}

function isWildcard(token: PatternToken): boolean {
  return token < 0
}

function spell(literals: readonly PatternToken[]): string {
  return String.fromCodePoint(...literals)
}

/** `rest` is what follows the prefix, the suffix included. */
function matcher(prefix: string, rest: readonly PatternToken[], suffix: string): (key: string) => boolean {
  if (rest.length === 0) return (key) => key === prefix
  if (rest.length === 1 && rest[0] === ANY_RUN) return (key) => key.startsWith(prefix)
  // Built at the first key with this prefix and suffix: few patterns ever see one.
  let automaton: Automaton | undefined
  return (key) => {
    if (!key.startsWith(prefix) || !key.endsWith(suffix)) return false
    automaton ??= buildAutomaton(rest)
    return run(automaton, key, prefix.length)
  }
}

/** State i, bit i: the first i single characters have been matched. */
interface Automaton {
  readonly wordsCount: number
  /** The states that a star follows: they also stay. */
  readonly loops: Int32Array
  /** Per code point of the pattern, the states that it leads on from. */
  readonly advances: ReadonlyMap<number, Int32Array>
  /** The states that any other code point leads on from: those before a `?`. */
  readonly advancesOther: Int32Array
  readonly finalState: number
  /** Whether the pattern ends with a star, so that reaching the final state decides. */
  readonly open: boolean
}

function buildAutomaton(tokens: readonly PatternToken[]): Automaton {
  const finalState = tokens.filter((token) => token !== ANY_RUN).length
  const wordsCount = (finalState >>> 5) + 1
  const loops = new Int32Array(wordsCount)
  const advancesOther = new Int32Array(wordsCount)
  const advances = new Map<number, Int32Array>()
  for (const token of tokens) if (token >= 0) advances.set(token, new Int32Array(wordsCount))
  let state = 0
  for (const token of tokens) {
    if (token === ANY_RUN) {
      setBit(loops, state)
      continue
    }
    for (const [character, states] of advances) if (token === character || token === ANY_ONE) setBit(states, state)
    if (token === ANY_ONE) setBit(advancesOther, state)
    state++
  }
  return { wordsCount, loops, advances, advancesOther, finalState, open: tokens.at(-1) === ANY_RUN }
}

function run(automaton: Automaton, key: string, from: number): boolean {
  const { wordsCount, loops, advances, advancesOther, finalState, open } = automaton
  const states = new Int32Array(wordsCount)
  setBit(states, 0)
  for (let at = from; at < key.length;) {
    if (open && hasBit(states, finalState)) return true
    const character = key.codePointAt(at) ?? 0
    at += character > 0xffff ? 2 : 1
    const advancing = advances.get(character) ?? advancesOther
    let carry = 0
    let alive = 0
    for (let word = 0; word < wordsCount; word++) {
      const moving = states[word]! & advancing[word]!
      const next = (moving << 1) | carry | (states[word]! & loops[word]!)
      carry = moving >>> 31
      states[word] = next
      alive |= next
    }
    if (alive === 0) return false
  }
  return hasBit(states, finalState)
}

function setBit(words: Int32Array, bit: number): void {
  words[bit >>> 5]! |= 1 << (bit & 31)
}

function hasBit(words: Int32Array, bit: number): boolean {
  return (words[bit >>> 5]! & (1 << (bit & 31))) !== 0
}
