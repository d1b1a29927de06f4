/**
 * What replicas say to each other over a broker that sees bytes only. A packet holds what one replica says to one channel, as
 * much as has come together: format (1 byte), marks (1), the sender's address (8), the packet's
 * number (4), then entries: kind (1), bytes (4), the bytes. A frame that is too large for one packet
 * goes in parts (`adapters/broker/frame-parts.ts`).
 *
 * Marks: 1: the entries are deflated. 2: the sender understands such packets. Older builds leave the
 * byte 0 and do not look at it, so packets are deflated only for those who have sent mark 2.
 *
 * Packets to all are numbered from 1: who finds that one is missing has missed something. 0 is none.
 */
import { deflated, inflated, IS_DEFLATED, readMarks, TAKES_DEFLATED } from '../compression.ts'

export const FORMAT = 1
export const HEAD_BYTES = 14
export const ENTRY_HEAD_BYTES = 5
const ADDRESS_BYTES = 8
/** A larger packet would hold up what others say. */
export const PACKET_BYTES: number = 256 * 1024

const KINDS = ['frame', 'part', 'here', 'asking', 'bye'] as const
/** `'here'`: it is there. `'asking'`: the same, and who hears it says so too. `'bye'`: it goes. */
export type EntryKind = (typeof KINDS)[number]

export interface Entry {
  readonly kind: EntryKind
  readonly bytes: Uint8Array
}

export interface Packet {
  readonly from: string
  readonly number: number
  /** Their bytes are views. */
  readonly entries: readonly Entry[]
  readonly takesDeflated: boolean
}

/** Another format, which is not to be guessed at. */
export class OtherFormat extends Error {
  readonly format: number

  constructor(format: number) {
    super(`format ${format}`)
    this.format = format
  }
}

/** `from`: 16 hexadecimal digits. `deflates`: where that makes it smaller. */
export function writePacket({ from, number, entries }: Omit<Packet, 'takesDeflated'>, deflates = false): Buffer {
  const length = entries.reduce((sum, { bytes }) => sum + ENTRY_HEAD_BYTES + bytes.length, HEAD_BYTES)
  const packet = Buffer.allocUnsafe(length)
  packet[0] = FORMAT
  packet[1] = TAKES_DEFLATED
  packet.write(from, 2, 'hex')
  packet.writeUInt32BE(number, 2 + ADDRESS_BYTES)
  let at = HEAD_BYTES
  for (const { kind, bytes } of entries) {
    packet[at] = KINDS.indexOf(kind)
    packet.writeUInt32BE(bytes.length, at + 1)
    packet.set(bytes, at + ENTRY_HEAD_BYTES)
    at += ENTRY_HEAD_BYTES + bytes.length
  }
  return deflates ? deflatedPacket(packet) : packet
}

function deflatedPacket(packet: Buffer): Buffer {
  const smaller = deflated(packet.subarray(HEAD_BYTES))
  if (smaller === undefined) return packet
  const result = Buffer.concat([packet.subarray(0, HEAD_BYTES), smaller])
  result[1] = TAKES_DEFLATED | IS_DEFLATED
  return result
}

/** `undefined` if it is malformed, in whatever place. Throws `OtherFormat`. */
export function readPacket(packet: Buffer): Packet | undefined {
  if (packet.length < 1) return undefined
  if (packet[0] !== FORMAT) throw new OtherFormat(packet[0]!)
  if (packet.length < HEAD_BYTES) return undefined
  const { isDeflated, takesDeflated } = readMarks(packet[1]!)
  const body = packet.subarray(HEAD_BYTES)
  const whole = isDeflated ? inflated(body, PACKET_BYTES) : body
  const entries = whole && readEntries(Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength))
  return (
    entries && {
      from: packet.toString('hex', 2, 2 + ADDRESS_BYTES),
      number: packet.readUInt32BE(2 + ADDRESS_BYTES),
      entries,
      takesDeflated,
    }
  )
}

function readEntries(body: Buffer): Entry[] | undefined {
  const entries: Entry[] = []
  for (let at = 0; at < body.length;) {
    if (at + ENTRY_HEAD_BYTES > body.length) return undefined
    const kind = KINDS[body[at]!]
    const end = at + ENTRY_HEAD_BYTES + body.readUInt32BE(at + 1)
    if (kind === undefined || end > body.length) return undefined
    entries.push({ kind, bytes: body.subarray(at + ENTRY_HEAD_BYTES, end) })
    at = end
  }
  return entries
}

/** Behind the largest comes 1. */
export function numberBehind(number: number): number {
  return (number + 1) >>> 0 || 1
}
