/**
 * How many columns of a terminal a text takes: what East Asian scripts and emoji write is two wide
 * (Unicode Standard Annex 11), what joins the character before it (Annex 29) takes none. Terminals
 * differ over joined emoji; this is what most show.
 */

export interface Grapheme {
  readonly text: string
  readonly columns: number
}

const COLOURS = /\x1b\[[0-9;]*m/g
const ASCII = /^[\x20-\x7e]*$/
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}\ufe0f]|\p{Emoji_Presentation}/u
const NOTHING = /^[\p{M}\p{Cf}]+$/u

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Colours (see `cli/colour.ts`) take no room. */
export function textWidth(text: string): number {
  const plain = stripColours(text)
  if (ASCII.test(plain)) return plain.length
  let width = 0
  for (const { columns } of graphemes(plain)) width += columns
  return width
}

/** What is seen as one character each. */
export function* graphemes(text: string): IterableIterator<Grapheme> {
  for (const { segment } of SEGMENTER.segment(text))
    yield { text: segment, columns: NOTHING.test(segment) ? 0 : WIDE.test(segment) ? 2 : 1 }
}

export function stripColours(text: string): string {
  return text.replaceAll(COLOURS, '')
}
