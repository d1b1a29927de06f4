/**
 * Whether two key patterns can match the same key, and which one. Needed when the engine opens: two
 * patterns of equal specificity that meet in some key would make that key's strategy a matter of
 * chance.
 *
 * No search over a product of automata is needed. A star absorbs anything, so if both patterns have
 * one, they meet exactly when their parts before the first star agree, place by place, and their
 * parts after the last star agree from the end: the key is then the longer of the two heads, both
 * middles, and the longer of the two tails. If one has no star, its keys have one length, its
 * places are independent of each other, and the other's pieces are laid on it from left to right,
 * first fit, which leaves the most room for the next. Cost O(a + b) with two stars, O(a × b) at
 * most without: 65,536 comparisons at the limits.
 */
import { ANY_ONE, ANY_RUN, type KeyPattern, type PatternToken } from './pattern.ts'

type Tokens = readonly PatternToken[]

/**
 * A key that both match, `undefined` if there is none. Wildcards that nothing constrains are filled
 * with `x`.
 */
export function intersects(a: KeyPattern, b: KeyPattern): string | undefined {
  const left = pieces(a.tokens)
  const right = pieces(b.tokens)
  const tokens =
    left.length === 1 ? lay(right, a.tokens) : right.length === 1 ? lay(left, b.tokens) : joinOpen(left, right)
  return tokens === undefined ? undefined : spell(tokens)
}

/** What stands before, between and after the stars. */
function pieces(tokens: Tokens): Tokens[] {
  const found: PatternToken[][] = [[]]
  for (const token of tokens) {
    if (token === ANY_RUN) found.push([])
    else found.at(-1)?.push(token)
  }
  return found
}

/** Both have stars. */
function joinOpen(left: readonly Tokens[], right: readonly Tokens[]): Tokens | undefined {
  const head = overlay(left[0] ?? [], right[0] ?? [])
  const tail = overlay([...(left.at(-1) ?? [])].reverse(), [...(right.at(-1) ?? [])].reverse())
  if (head === undefined || tail === undefined) return undefined
  return [...head, ...left.slice(1, -1).flat(), ...right.slice(1, -1).flat(), ...tail.reverse()]
}

/**
 * The two on top of each other from the first place on, the rest of the longer one behind;
 * `undefined` if they disagree.
 */
function overlay(a: Tokens, b: Tokens): PatternToken[] | undefined {
  const result = a.length > b.length ? [...a] : [...b]
  const count = Math.min(a.length, b.length)
  for (let i = 0; i < count; i++) {
    const token = meet(a[i], b[i])
    if (token === undefined) return undefined
    result[i] = token
  }
  return result
}

/** Lays the pieces of one pattern, with free space at each star, on one that has no star. */
function lay(parts: readonly Tokens[], fixed: Tokens): Tokens | undefined {
  const result = [...fixed]
  let from = 0
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] ?? []
    const last = fixed.length - part.length
    const earliest = i === parts.length - 1 ? Math.max(from, last) : from
    const latest = i === 0 ? 0 : last
    const at = place(part, result, earliest, latest)
    if (at < 0) return undefined
    part.forEach((token, offset) => (result[at + offset] = meet(token, result[at + offset]) ?? token))
    from = at + part.length
  }
  return result
}

/** The first place from `earliest` to `latest` where `part` agrees with `tokens`, -1 if none. */
function place(part: Tokens, tokens: Tokens, earliest: number, latest: number): number {
  for (let at = earliest; at <= latest && at + part.length <= tokens.length; at++) {
    if (part.every((token, offset) => meet(token, tokens[at + offset]) !== undefined)) return at
  }
  return -1
}

function meet(a: PatternToken | undefined, b: PatternToken | undefined): PatternToken | undefined {
  if (a === b || b === ANY_ONE) return a
  return a === ANY_ONE ? b : undefined
}

function spell(tokens: Tokens): string {
  return tokens.map((token) => (token === ANY_ONE ? 'x' : String.fromCodePoint(token))).join('')
}
