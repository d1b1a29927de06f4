/**
 * What replicas say to each other over NATS. A message has a head of 12 bytes: format, kind, the
 * sender's address (8 bytes), marks, and a byte that is 0. A frame that is larger than what the server
 * takes goes in parts, one behind the other.
 *
 * Marks: 1: the frame is deflated, as a whole. 2: the sender understands such frames. Older builds leave
 * the byte 0 and do not look at it, so frames are deflated only for those who have sent mark 2.
 *
 * Part: head, and the part as `adapters/broker/frame-parts.ts` writes it.
 */
import { type DeflateMarks, IS_DEFLATED, readMarks, TAKES_DEFLATED } from '../../broker/compression.ts'
import { PART_HEAD_BYTES, partsOf, readPart, writePart } from '../../broker/frame-parts.ts'

export const FORMAT = 1
const HEAD_BYTES = 12
const PART_BYTES = HEAD_BYTES + PART_HEAD_BYTES
const ADDRESS_BYTES = 8
const MARKS_AT = 2 + ADDRESS_BYTES

const KINDS = ['frame', 'part', 'here', 'asking', 'bye'] as const
/** `'here'`: it is there. `'asking'`: the same, and who hears it says so too. `'bye'`: it goes. */
export type MessageKind = (typeof KINDS)[number]

/** `isDeflated`: the frame is, as a whole, also where this is a part of it. */
export interface Message extends DeflateMarks {
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
  for (const part of partsOf(frame, number, messageBytesMax - PART_BYTES)) {
    const result = new Uint8Array(PART_BYTES + part.bytes.length)
    writeHead(result, 'part', address)
    writePart(result, HEAD_BYTES, part)
    yield result
  }
}

/** The same message, which says that its frame is deflated. */
export function asDeflated(message: Uint8Array): Uint8Array {
  message[MARKS_AT]! |= IS_DEFLATED
  return message
}

/** `undefined` if it is malformed. Throws `OtherFormat`. */
export function readMessage(bytes: Uint8Array): Message | undefined {
  if (bytes.length < 1) return undefined
  if (bytes[0] !== FORMAT) throw new OtherFormat(bytes[0]!)
  if (bytes.length < HEAD_BYTES) return undefined
  const kind = KINDS[bytes[1]!]
  if (kind === undefined) return undefined
  const from = Array.from(bytes.subarray(2, 2 + ADDRESS_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const read = { from, ...readMarks(bytes[MARKS_AT]!) }
  if (kind !== 'part') {
    const isSized = kind === 'frame' || bytes.length === HEAD_BYTES
    const whole = { bytes: bytes.subarray(HEAD_BYTES), frame: 0, frameBytes: 0, at: 0 }
    return isSized ? { kind, ...read, ...whole } : undefined
  }
  const part = readPart(bytes.subarray(HEAD_BYTES))
  return part === undefined ? undefined : { kind: 'part', ...read, ...part }
}

function writeHead(bytes: Uint8Array, kind: MessageKind, address: string): void {
  bytes[0] = FORMAT
  bytes[1] = KINDS.indexOf(kind)
  bytes[MARKS_AT] = TAKES_DEFLATED
  for (let i = 0; i < ADDRESS_BYTES; i++) bytes[2 + i] = Number.parseInt(address.slice(2 * i, 2 * i + 2), 16)
}
