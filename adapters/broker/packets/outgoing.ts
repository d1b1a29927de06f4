/**
 * What waits to be published. While nothing is under way an entry goes at once; otherwise what comes
 * for one channel comes together until an answer is there, or a packet is full. So few go alone, and
 * in a burst many share a packet.
 */
import { PART_HEAD_BYTES, partsOf, writePart } from '../frame-parts.ts'
import {
  ENTRY_HEAD_BYTES,
  type Entry,
  type EntryKind,
  HEAD_BYTES,
  numberBehind,
  PACKET_BYTES,
  writePacket,
} from './packets.ts'

export interface OutgoingOptions {
  readonly address: string
  /** The channel whose packets are numbered. */
  readonly numbered: string
  /** That may wait, or be under way. */
  readonly bytesMax: number
  /** Whether who hears the channel understands what is deflated. */
  readonly deflates: (channel: string) => boolean
  readonly publish: (channel: string, packet: Buffer) => Promise<unknown>
  /** A packet did not go: the error of the server. */
  readonly refused: (error: unknown) => void
}

interface Waiting extends Entry {
  readonly channel: string
}

/** Full packets under way at a time. */
const WINDOW_BYTES = 1024 * 1024
const PART_BYTES = PACKET_BYTES - HEAD_BYTES - ENTRY_HEAD_BYTES - PART_HEAD_BYTES

export class Outgoing {
  readonly #options: OutgoingOptions
  #queue: Waiting[] = []
  #queuedBytes = 0
  #underWayBytes = 0
  #framesCount = 0
  #number = 0
  /** Answers of a lost connection count no more. */
  #age = 0

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#queuedBytes + this.#underWayBytes
  }

  hasRoomFor(bytes: number): boolean {
    return this.bytes + bytes <= this.#options.bytesMax
  }

  /** Copies it. */
  frame(channel: string, frame: Uint8Array): void {
    if (frame.length <= PART_BYTES) {
      this.#add({ channel, kind: 'frame', bytes: new Uint8Array(frame) })
      return
    }
    this.#framesCount = (this.#framesCount + 1) >>> 0
    for (const part of partsOf(frame, this.#framesCount, PART_BYTES)) {
      const bytes = new Uint8Array(PART_HEAD_BYTES + part.bytes.length)
      writePart(bytes, 0, part)
      this.#add({ channel, kind: 'part', bytes })
    }
  }

  say(channel: string, kind: Exclude<EntryKind, 'frame' | 'part'>): void {
    this.#add({ channel, kind, bytes: new Uint8Array() })
  }

  /** The connection is lost, and with it what waited. */
  lost(): void {
    this.#age++
    this.#queue = []
    this.#queuedBytes = 0
    this.#underWayBytes = 0
  }

  #add(waiting: Waiting): void {
    this.#queue.push(waiting)
    this.#queuedBytes += sizeOf(waiting)
    this.#pump()
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const isFull = this.#queuedBytes >= PACKET_BYTES && this.#underWayBytes < WINDOW_BYTES
      if (this.#underWayBytes > 0 && !isFull) return
      this.#publish()
    }
  }

  /** What stands first, and what follows it for the same channel. */
  #publish(): void {
    const { channel } = this.#queue[0]!
    const { numbered, address, publish, refused, deflates } = this.#options
    let [count, bytes] = [0, HEAD_BYTES]
    for (const waiting of this.#queue) {
      if (waiting.channel !== channel || (count > 0 && bytes + sizeOf(waiting) > PACKET_BYTES)) break
      count++
      bytes += sizeOf(waiting)
    }
    const entries = this.#queue.splice(0, count)
    this.#queuedBytes -= bytes - HEAD_BYTES
    this.#underWayBytes += bytes
    if (channel === numbered) this.#number = numberBehind(this.#number)
    const age = this.#age
    const arrived = (): void => {
      if (age !== this.#age) return
      this.#underWayBytes -= bytes
      this.#pump()
    }
    const number = channel === numbered ? this.#number : 0
    const packet = writePacket({ from: address, number, entries }, deflates(channel))
    void publish(channel, packet).then(arrived, (error: unknown) => {
      if (age === this.#age) refused(error)
      arrived()
    })
  }
}

function sizeOf({ bytes }: Entry): number {
  return ENTRY_HEAD_BYTES + bytes.length
}
