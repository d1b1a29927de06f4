/**
 * What replicas say to each other over NATS. A message has a head of 12 bytes: format, kind, the
 * sender's address (8 bytes), two bytes for what the kind needs. A frame that is larger than what the
 * server takes goes in parts, one behind the other.
 *
 * Part: head, number of the frame (4), its bytes in all (4), where the part begins (4), the part.
 */
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'

export const FORMAT = 1
const HEAD_BYTES = 12
const PART_BYTES = HEAD_BYTES + 12
const ADDRESS_BYTES = 8

const KINDS = ['frame', 'part', 'here', 'asking', 'bye'] as const
/** `'here'`: it is there. `'asking'`: the same, and who hears it says so too. `'bye'`: it goes. */
export type MessageKind = (typeof KINDS)[number]

export interface Message {
  readonly kind: MessageKind
  readonly from: string
  /** A view: the frame, or the part of it. */
  readonly bytes: Uint8Array
  /** Of a part. */
  readonly frame: number
  readonly frameBytes: number
  readonly at: number
}

/** Another format, which is not to be guessed at. */
export class OtherFormat extends Error {
  readonly format: number

  constructor(format: number) {
    super(`format ${format}`)
    this.format = format
  }
}

/** `address`: 16 hexadecimal digits. */
export function sign(
  kind: Exclude<MessageKind, 'part'>,
  address: string,
  bytes: Uint8Array = new Uint8Array(),
): Uint8Array {
  const result = new Uint8Array(HEAD_BYTES + bytes.length)
  writeHead(result, kind, address)
  result.set(bytes, HEAD_BYTES)
  return result
}

/** The messages of a frame: one, or its parts. Copies `frame`. */
export function* messagesOf(
  frame: Uint8Array,
  address: string,
  number: number,
  messageBytesMax: number,
): Generator<Uint8Array> {
  if (frame.length + HEAD_BYTES <= messageBytesMax) {
    yield sign('frame', address, frame)
    return
  }
  const most = messageBytesMax - PART_BYTES
  for (let at = 0; at < frame.length; at += most) {
    const part = frame.subarray(at, at + most)
    const result = new Uint8Array(PART_BYTES + part.length)
    writeHead(result, 'part', address)
    const view = new DataView(result.buffer)
    view.setUint32(HEAD_BYTES, number)
    view.setUint32(HEAD_BYTES + 4, frame.length)
    view.setUint32(HEAD_BYTES + 8, at)
    result.set(part, PART_BYTES)
    yield result
  }
}

/** `undefined` if it is malformed. Throws `OtherFormat`. */
export function readMessage(bytes: Uint8Array): Message | undefined {
  if (bytes.length < 1) return undefined
  if (bytes[0] !== FORMAT) throw new OtherFormat(bytes[0]!)
  if (bytes.length < HEAD_BYTES) return undefined
  const kind = KINDS[bytes[1]!]
  if (kind === undefined) return undefined
  const from = Array.from(bytes.subarray(2, 2 + ADDRESS_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('')
  if (kind !== 'part') {
    const isSized = kind === 'frame' || bytes.length === HEAD_BYTES
    return isSized ? { kind, from, bytes: bytes.subarray(HEAD_BYTES), frame: 0, frameBytes: 0, at: 0 } : undefined
  }
  return readPart(bytes, from)
}

function readPart(bytes: Uint8Array, from: string): Message | undefined {
  if (bytes.length <= PART_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [frame, frameBytes, at] = [0, 4, 8].map((offset) => view.getUint32(HEAD_BYTES + offset)) as [
    number,
    number,
    number,
  ]
  const part = bytes.subarray(PART_BYTES)
  if (frameBytes > FRAME_BYTES_MAX || at + part.length > frameBytes) return undefined
  return { kind: 'part', from, bytes: part, frame, frameBytes, at }
}

function writeHead(bytes: Uint8Array, kind: MessageKind, address: string): void {
  bytes[0] = FORMAT
  bytes[1] = KINDS.indexOf(kind)
  for (let i = 0; i < ADDRESS_BYTES; i++) bytes[2 + i] = Number.parseInt(address.slice(2 * i, 2 * i + 2), 16)
}
