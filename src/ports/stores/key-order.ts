/**
 * Keys in the order of their code points. That is the order of their bytes in UTF-8, so stores that
 * compare bytes agree; JavaScript's own order, by UTF-16 units, differs beyond U+FFFF.
 */

export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x !== y) return rankOf(x) - rankOf(y)
  }
  return a.length - b.length
}

/** Surrogates stand for what lies beyond U+FFFF: above everything else. */
function rankOf(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/**
 * The least text above all texts that begin with `prefix`, or `undefined` if there is none: lets a
 * store look for a prefix as a range.
 */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.length > 0) {
    const last = points.pop() ?? 0
    if (last === 0x10_ffff) continue
    // The next code point that text may hold: surrogates are none.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}

/** The least `limit` of `keys` beyond `after` that begin with `prefix`, in order. O(keys). */
export function firstKeys(
  keys: Iterable<string>,
  { prefix, after, limit }: { readonly prefix: string; readonly after?: string | undefined; readonly limit: number },
): string[] {
  let least: string[] = []
  for (const key of keys) {
    if (!key.startsWith(prefix) || (after !== undefined && compareKeys(key, after) <= 0)) continue
    least.push(key)
    // Sorted now and then only: a page costs little more than one look at each key.
    if (least.length >= 2 * limit + 64) least = least.sort(compareKeys).slice(0, limit)
  }
  return least.sort(compareKeys).slice(0, limit)
}
