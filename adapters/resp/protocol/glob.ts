/**
 * Patterns of Redis, over binary strings: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\x`. A class that does not
 * close goes to the end; a class without characters matches nothing.
 *
 * A matcher that backtracks to the last star alone, so that it costs at most text × pattern steps whatever
 * they look like (CVE-2022-36021 is Redis's own, which does not).
 */

type Token =
  | { readonly kind: 'run' }
  | { readonly kind: 'one' }
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly (readonly [string, string])[] }

export type Glob = (text: string) => boolean

export function globOf(pattern: string): Glob {
  if (!/[*?[\\]/.test(pattern)) return (text) => text === pattern
  if (pattern === '*') return () => true
  const tokens = tokensOf(pattern)
  return (text) => isMatch(tokens, text)
}

function isMatch(tokens: readonly Token[], text: string): boolean {
  let [at, token] = [0, 0]
  /** Where the last run stands, and up to where of the text it goes. */
  let [run, runEnd] = [-1, 0]
  while (at < text.length) {
    const next = tokens[token]
    if (next?.kind === 'run') {
      run = token++
      runEnd = at
    } else if (next !== undefined && fits(next, text[at]!)) {
      token++
      at++
    } else if (run >= 0) {
      token = run + 1
      at = ++runEnd
    } else return false
  }
  while (tokens[token]?.kind === 'run') token++
  return token === tokens.length
}

function fits(token: Token, character: string): boolean {
  if (token.kind === 'literal') return token.character === character
  if (token.kind !== 'class') return true
  return token.ranges.some(([low, high]) => low <= character && character <= high) !== token.isNegated
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'run') tokens.push({ kind: 'run' })
    } else if (character === '?') tokens.push({ kind: 'one' })
    else if (character === '[') at = readClass(pattern, at + 1, tokens)
    else {
      if (character === '\\' && at + 1 < pattern.length) at++
      tokens.push({ kind: 'literal', character: pattern[at]! })
    }
  }
  return tokens
}

/** Returns where the class ends. */
function readClass(pattern: string, from: number, tokens: Token[]): number {
  const isNegated = pattern[from] === '^'
  const ranges: (readonly [string, string])[] = []
  let at = isNegated ? from + 1 : from
  for (; at < pattern.length && pattern[at] !== ']'; at++) {
    if (pattern[at] === '\\' && at + 1 < pattern.length) {
      at++
      ranges.push([pattern[at]!, pattern[at]!])
    } else if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
      const [one, other] = [pattern[at]!, pattern[at + 2]!]
      ranges.push(one <= other ? [one, other] : [other, one])
      at += 2
    } else ranges.push([pattern[at]!, pattern[at]!])
  }
  tokens.push({ kind: 'class', isNegated, ranges })
  return at
}
