/** The bodies of the two frames of channels, there and back. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { CHANNEL_BYTES_MAX, HEADS_PER_FRAME_MAX, MESSAGE_BYTES_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { MessageHead, SentMessage, ToldHead } from '../../ports/talk/message-talk.ts'

/** Length and one byte of the name, stream, number, how long ago. */
const HEAD_BYTES_MIN = 5

export function writeMessage(writer: ByteWriter, message: SentMessage): void {
  writeHead(writer, message)
  writer.varint(message.timeMs)
  writer.varint(message.bytes.length)
  writer.raw(message.bytes)
}

export function readMessage(reader: ByteReader): SentMessage {
  const head = readHead(reader)
  const timeMs = reader.varint()
  const length = reader.varint()
  if (length > MESSAGE_BYTES_MAX) throw reader.malformed(`a message of ${length} bytes`)
  const at = reader.skip(length)
  return { ...head, timeMs, bytes: reader.bytes.subarray(at, at + length) }
}

export function writeMessageHeads(writer: ByteWriter, heads: readonly ToldHead[]): void {
  writer.varint(heads.length)
  for (const head of heads) {
    writeHead(writer, head)
    writer.varint(head.agoMs)
  }
}

export function readMessageHeads(reader: ByteReader): ToldHead[] {
  const heads: ToldHead[] = []
  for (let left = reader.count(HEADS_PER_FRAME_MAX, HEAD_BYTES_MIN); left > 0; left--)
    heads.push({ ...readHead(reader), agoMs: reader.varint() })
  return heads
}

function writeHead(writer: ByteWriter, { channel, stream, number }: MessageHead): void {
  writer.text(channel)
  writer.varint(stream)
  writer.varint(number)
}

function readHead(reader: ByteReader): MessageHead {
  const begin = reader.at
  const channel = reader.text()
  if (channel === '' || reader.at - begin > CHANNEL_BYTES_MAX + 2) throw reader.malformed('the name of a channel')
  const [stream, number] = [reader.varint(), reader.varint()]
  if (stream === 0 || number === 0) throw reader.malformed('a message without a number')
  return { channel, stream, number }
}
