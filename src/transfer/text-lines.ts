/** Lines out of text that comes in pieces, cut anywhere. Holds one line. */
import { WarpError } from '../../crdt/warp-error.ts'

/** The largest record in base64, and what stands beside it. */
const LINE_CHARACTERS_MAX = 24 * 1024 * 1024

/**
 * Without their ends. Empty lines are left out, and counted by whoever counts. Throws
 * `WARP_E_LIMIT`, `WARP_E_PROTOCOL`.
 */
export async function* textLines(
  pieces: AsyncIterable<string | Uint8Array>,
): AsyncGenerator<{ readonly number: number; readonly text: string }, void, undefined> {
  const decode = utf8Decoder()
  let number = 0
  let parts: string[] = []
  let length = 0
  for await (const piece of pieces) {
    const [first = '', ...more] = decode(piece).split('\n')
    parts.push(first)
    length += first.length
    if (length > LINE_CHARACTERS_MAX) throw tooLong(number + 1)
    for (const next of more) {
      number++
      const text = parts.join('')
      parts = [next]
      length = next.length
      if (text.trim() !== '') yield { number, text }
    }
  }
  const text = parts.join('')
  if (text.trim() !== '') yield { number: number + 1, text }
}

function utf8Decoder(): (piece: string | Uint8Array) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return (piece) => {
    if (typeof piece === 'string') return piece
    try {
      return decoder.decode(piece, { stream: true })
    } catch (cause) {
      throw new WarpError('WARP_E_PROTOCOL', 'the text of an import is not UTF-8', { cause })
    }
  }
}

function tooLong(line: number): WarpError {
  return new WarpError('WARP_E_LIMIT', `line ${line} is longer than ${LINE_CHARACTERS_MAX} characters`, {
    details: { line, limit: LINE_CHARACTERS_MAX },
  })
}
