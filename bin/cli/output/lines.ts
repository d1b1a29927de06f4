/** Lines of JSON over a stream of bytes, of bounded length. What is no JSON is told apart from what is too long: the latter ends the stream. */
import type { Socket } from 'node:net'

export interface LineReader {
  /** One line, parsed. `undefined` if it is not JSON. */
  onLine(json: unknown): void
  /** Once; nothing more is read. */
  onTooLong(): void
}

const LINE_FEED = 0x0a

export function readLines(socket: Socket, bytesMax: number, reader: LineReader): void {
  let parts: Buffer[] = []
  let length = 0
  const take = (part: Buffer): void => {
    parts.push(part)
    length += part.length
  }
  const onData = (chunk: Buffer): void => {
    let from = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, from)) {
      take(chunk.subarray(from, end))
      if (length > bytesMax) break
      const line = Buffer.concat(parts, length).toString('utf8')
      parts = []
      length = 0
      from = end + 1
      reader.onLine(parsed(line))
    }
    if (from < chunk.length && length <= bytesMax) take(chunk.subarray(from))
    if (length <= bytesMax) return
    socket.off('data', onData)
    reader.onTooLong()
  }
  socket.on('data', onData)
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // the reader answers it
  }
}
