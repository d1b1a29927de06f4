/**
 * A request as somebody types it: words apart by blanks, `"…"` with escapes (`\n`, `\r`, `\t`, `\b`, `\a`,
 * `\xHH`), `'…'` with `\'` alone.
 */
import { ProtocolError } from './protocol-error.ts'

const BLANK = /[\0\t\n\v\f\r ]/
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }
const HEX_PAIR = /^[0-9a-fA-F]{2}$/

interface Read {
  readonly text: string
  /** Behind it. */
  readonly at: number
}

/** Throws `ProtocolError` for quotes that do not close, or close in the middle of a word. */
export function inlineArguments(line: string): string[] {
  const words: string[] = []
  let at = 0
  for (;;) {
    while (at < line.length && BLANK.test(line[at]!)) at++
    if (at >= line.length) return words
    const word = readWord(line, at)
    words.push(word.text)
    at = word.at
  }
}

function readWord(line: string, from: number): Read {
  let text = ''
  let at = from
  while (at < line.length && !BLANK.test(line[at]!)) {
    const quote = line[at]!
    if (quote !== '"' && quote !== "'") {
      text += quote
      at++
      continue
    }
    const quoted = quote === '"' ? readDouble(line, at + 1) : readSingle(line, at + 1)
    text += quoted.text
    at = quoted.at
    if (at < line.length && !BLANK.test(line[at]!)) throw unbalanced()
  }
  return { text, at }
}

function readDouble(line: string, from: number): Read {
  let text = ''
  for (let at = from; at < line.length; at++) {
    const character = line[at]!
    if (character === '"') return { text, at: at + 1 }
    if (character !== '\\' || at + 1 >= line.length) {
      text += character
      continue
    }
    const escaped = line[++at]!
    const hex = line.slice(at + 1, at + 3)
    if (escaped === 'x' && HEX_PAIR.test(hex)) {
      text += String.fromCharCode(Number.parseInt(hex, 16))
      at += 2
    } else text += ESCAPES[escaped] ?? escaped
  }
  throw unbalanced()
}

function readSingle(line: string, from: number): Read {
  let text = ''
  for (let at = from; at < line.length; at++) {
    const character = line[at]!
    if (character === "'") return { text, at: at + 1 }
    const isEscaped = character === '\\' && line[at + 1] === "'"
    if (isEscaped) at++
    text += isEscaped ? "'" : character
  }
  throw unbalanced()
}

function unbalanced(): ProtocolError {
  return new ProtocolError('unbalanced quotes in request')
}
