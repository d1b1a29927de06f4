/**
 * Lines of text over a stream of bytes, of bounded length, at the reader's pace. A rest without a
 * line's end is a line too.
 */
import { WarpError } from '../../../crdt/warp-error.ts'

const LINE_FEED = 0x0a

/** Throws `WARP_E_LIMIT` for a line that is longer than `bytesMax`, and what the stream throws. */
export async function* readLines(
  stream: AsyncIterable<Buffer>,
  bytesMax: number,
): AsyncGenerator<string, void, undefined> {
  let parts: Buffer[] = []
  let length = 0
  const take = (part: Buffer): void => {
    parts.push(part)
    length += part.length
    if (length > bytesMax) throw new WarpError('WARP_E_LIMIT', `a line of the answer is longer than ${bytesMax} bytes`)
  }
  const line = (): string => {
    const text = Buffer.concat(parts, length).toString('utf8')
    parts = []
    length = 0
    return text
  }
  for await (const chunk of stream) {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      take(chunk.subarray(from, end))
      from = end + 1
      yield line()
    }
    if (from < chunk.length) take(chunk.subarray(from))
  }
  if (length > 0) yield line()
}
