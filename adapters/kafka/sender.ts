/**
 * Records on their way to one partition. One request is under way at a time, with all that has come
 * together until then: so they get their places in the order of the calls. What has failed is not sent
 * again, because the broker may have it.
 */
import type { Connection, Lines } from './connection.ts'
import type { KafkaRecord, PlaceOfTopic } from './line.ts'

export type Sent =
  | { readonly kind: 'stored'; readonly offset: number }
  /** It may be stored. */
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'unsent'; readonly error: Error }

export interface SenderOptions {
  readonly connection: Connection
  readonly place: PlaceOfTopic
  readonly acks: 'leader' | 'all'
  /** What the leader waits for others. */
  readonly timeoutMs: number
  /** Of the records of one request, unless a single one has more. */
  readonly bytesMax: number
  /** Settles when what the lines have stored is certainly stored in the right topic. */
  readonly proved?: (lines: Lines) => Promise<void>
}

interface Waiting extends KafkaRecord {
  readonly bytes: number
  readonly done: (sent: Sent) => void
}

/** What a record takes beside its bytes, at most. */
export const RECORD_OVERHEAD_BYTES = 64

export class Sender {
  readonly #options: SenderOptions
  #queue: Waiting[] = []
  #isSending = false

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** `done` is called later, once. Returns what takes the record back, if it was not sent yet. */
  send({ key, value }: KafkaRecord, done: (sent: Sent) => void): () => void {
    const bytes = (key?.length ?? 0) + (value?.length ?? 0) + RECORD_OVERHEAD_BYTES
    const waiting: Waiting = { key, value, bytes, done }
    this.#queue.push(waiting)
    if (!this.#isSending) void this.#sendAll()
    return () => {
      const at = this.#queue.indexOf(waiting)
      if (at >= 0) this.#queue.splice(at, 1)
    }
  }

  /** The connection is lost: what was not sent is not. */
  lost(error: Error): void {
    const unsent = this.#queue
    this.#queue = []
    for (const { done } of unsent) done({ kind: 'unsent', error })
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    // What is appended in the same turn goes together.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const { lines, error } = this.#options.connection
      if (lines === undefined) this.lost(error)
      else await this.#send(lines, this.#take())
    }
    this.#isSending = false
  }

  #take(): Waiting[] {
    let [count, bytes] = [0, 0]
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes > this.#options.bytesMax) break
      count++
      bytes += waiting.bytes
    }
    return this.#queue.splice(0, count)
  }

  async #send(lines: Lines, batch: readonly Waiting[]): Promise<void> {
    const { connection, place, acks, timeoutMs, proved } = this.#options
    try {
      const first = await lines.asks(place).produce(place, batch, { acks, timeoutMs })
      const stored = (): void => batch.forEach(({ done }, i) => done({ kind: 'stored', offset: first + i }))
      // The next request does not wait for the proof.
      if (proved === undefined) stored()
      else void proved(lines).then(stored, (error: unknown) => failed(batch, error))
    } catch (error) {
      failed(batch, error)
      connection.failed(lines, error)
    }
  }
}

function failed(batch: readonly Waiting[], error: unknown): void {
  for (const { done } of batch) done({ kind: 'failed', error })
}
