/**
 * What replicas say to each other over a broker that sees bytes only. A packet holds what one replica says to one channel, as
 * much as has come together: format (1 byte), reserved (1), the sender's address (8), the packet's
 * number (4), then entries: kind (1), bytes (4), the bytes. A frame that is too large for one packet
 * goes in parts (`adapters/broker/frame-parts.ts`).
 *
 * Packets to all are numbered from 1: who finds that one is missing has missed something. 0 is none.
 */
export const FORMAT = 1
export const HEAD_BYTES = 14
export const ENTRY_HEAD_BYTES = 5
const ADDRESS_BYTES = 8

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
}

/** Another format, which is not to be guessed at. */
export class OtherFormat extends Error {
  readonly format: number

  constructor(format: number) {
    super(`format ${format}`)
    this.format = format
  }
}

/** `from`: 16 hexadecimal digits. */
export function writePacket({ from, number, entries }: Packet): Buffer {
  const length = entries.reduce((sum, { bytes }) => sum + ENTRY_HEAD_BYTES + bytes.length, HEAD_BYTES)
  const packet = Buffer.allocUnsafe(length)
  packet[0] = FORMAT
  packet[1] = 0
  packet.write(from, 2, 'hex')
  packet.writeUInt32BE(number, 2 + ADDRESS_BYTES)
  let at = HEAD_BYTES
  for (const { kind, bytes } of entries) {
    packet[at] = KINDS.indexOf(kind)
    packet.writeUInt32BE(bytes.length, at + 1)
    packet.set(bytes, at + ENTRY_HEAD_BYTES)
    at += ENTRY_HEAD_BYTES + bytes.length
  }
  return packet
}

/** `undefined` if it is malformed, in whatever place. Throws `OtherFormat`. */
export function readPacket(packet: Buffer): Packet | undefined {
  if (packet.length < 1) return undefined
  if (packet[0] !== FORMAT) throw new OtherFormat(packet[0]!)
  if (packet.length < HEAD_BYTES) return undefined
  const entries: Entry[] = []
  for (let at = HEAD_BYTES; at < packet.length;) {
    if (at + ENTRY_HEAD_BYTES > packet.length) return undefined
    const kind = KINDS[packet[at]!]
    const end = at + ENTRY_HEAD_BYTES + packet.readUInt32BE(at + 1)
    if (kind === undefined || end > packet.length) return undefined
    entries.push({ kind, bytes: packet.subarray(at + ENTRY_HEAD_BYTES, end) })
    at = end
  }
  return {
    from: packet.toString('hex', 2, 2 + ADDRESS_BYTES),
    number: packet.readUInt32BE(2 + ADDRESS_BYTES),
    entries,
  }
}

/** Behind the largest comes 1. */
export function numberBehind(number: number): number {
  return (number + 1) >>> 0 || 1
}
