/**
 * Gathers small messages into datagrams: what is said to one contact within a turn goes out
 * together at the turn's end, or as soon as a datagram is full. So batches adapt to the load by
 * themselves: one message waits for nothing but the end of the turn, and a burst costs one seal and
 * one system call for each full datagram. Bounded: one datagram for each contact; nothing is kept
 * beyond the turn.
 */
import type { Contact, MeshClock } from './contacts/contact.ts'
import { MESSAGE_HEAD_BYTES_MAX, type MessageKind, writeMessage } from './messages.ts'

export interface OutboxOptions {
  readonly clock: Pick<MeshClock, 'defer'>
  readonly payloadBytesMax: number
  /** Does not keep `payload`. */
  transmit(contact: Contact, payload: Uint8Array): void
}

interface Batch {
  readonly contact: Contact
  readonly bytes: Uint8Array
  at: number
}

export class Outbox {
  readonly #options: OutboxOptions
  readonly #batches = new Map<Contact, Batch>()
  #waiting: Batch[] = []

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  /** Whether a body of `bytes` can go by datagram. */
  fits(bytes: number): boolean {
    return bytes + MESSAGE_HEAD_BYTES_MAX <= this.#options.payloadBytesMax
  }

  /** Copies `body`, which fits. */
  add(contact: Contact, kind: MessageKind, body: Uint8Array): void {
    const batch = this.#batchOf(contact)
    if (batch.at + body.length + MESSAGE_HEAD_BYTES_MAX > batch.bytes.length) this.#transmit(batch)
    else if (batch.at === 0) this.#wait(batch)
    batch.at = writeMessage(batch.bytes, batch.at, kind, body)
  }

  /** Sends what waits now. */
  flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const batch of waiting) this.#transmit(batch)
  }

  drop(contact: Contact): void {
    const batch = this.#batches.get(contact)
    if (batch !== undefined) batch.at = 0
    this.#batches.delete(contact)
  }

  #wait(batch: Batch): void {
    this.#waiting.push(batch)
    if (this.#waiting.length === 1) this.#options.clock.defer(() => this.flush())
  }

  #transmit(batch: Batch): void {
    if (batch.at === 0) return
    this.#options.transmit(batch.contact, batch.bytes.subarray(0, batch.at))
    batch.at = 0
  }

  #batchOf(contact: Contact): Batch {
    let batch = this.#batches.get(contact)
    if (batch === undefined) {
      batch = { contact, bytes: new Uint8Array(this.#options.payloadBytesMax), at: 0 }
      this.#batches.set(contact, batch)
    }
    return batch
  }
}
