/**
 * One consumer of a stream, from a place on: records are asked for as long as there is room for
 * them, and wait here until they are taken. The server keeps the consumer, and removes it when nobody
 * asks. No state of it is needed: a new consumer begins behind the last record that was taken.
 */
import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node'
import type { JetStreamManager } from '@nats-io/jetstream'
import { WarpError } from '../../../src/index.ts'
import type { Timer } from '../../../src/index.ts'
import type { OrderedRecord } from '../../../src/ports/ordered-log.ts'
import type { Connection } from '../connection.ts'
import { type BrokerClock, randomHex } from '../../broker/platform-clock.ts'
import { deliveryOf } from './records.ts'

export interface PullOptions {
  readonly connection: Connection
  readonly manager: JetStreamManager
  readonly inboxPrefix: string | undefined
  readonly clock: BrokerClock
  readonly stream: string
  /** Bytes that are asked for at a time, and so kept here. */
  readonly bytesMax: number
}

/** The server ends a request after that long, and is asked again. */
const EXPIRES_MS = 10_000
/** While nothing comes it says so; silence for three of these is an outage. */
const HEARTBEAT_MS = 1000
const SILENT_MS = 3 * HEARTBEAT_MS
const REQUEST_RECORDS = 1000
const INACTIVE_MS = 30_000
/** Handed over at a time: a few milliseconds of work. */
const BATCH_RECORDS = 512
const BATCH_BYTES = 1024 * 1024
const NANOS = 1_000_000

/** What the server says of a request. */
const HEARTBEAT = 100
const NOTHING_THERE: readonly number[] = [404, 408]
const NOBODY = 503
/** A request is used up, or its consumer is no more; the words tell. */
const CONFLICT = 409
const BROKEN_OFF = /deleted|leadership|shutdown|push|exceeded/i

export class Pull {
  readonly #options: PullOptions
  readonly #consumer: string
  #records: OrderedRecord[] = []
  #bytes = 0
  #bytesAsked: number
  /** Of the request that is under way; 0 if there is none. */
  #awaited = 0
  #received = 0
  /** Of all that the consumer has delivered. */
  #number = 0
  /** Records come under the subject of the log, and what the server says of a request under that of its answers. */
  readonly #subscription: Subscription
  readonly #answers: string
  #requests = 0
  #heardMs: number
  #watch: Timer | undefined
  #failure: WarpError | undefined
  #wake: () => void = () => undefined

  private constructor(options: PullOptions, consumer: string) {
    this.#options = options
    this.#consumer = consumer
    this.#bytesAsked = options.bytesMax
    this.#heardMs = options.clock.monotonic()
    this.#answers = createInbox(options.inboxPrefix)
    this.#subscription = options.connection.nats.subscribe(`${this.#answers}.*`, {
      callback: (error, message) => {
        if (error === null) this.#heard(message)
        else this.#fail(error.message)
      },
    })
  }

  static async open(options: PullOptions, from: number): Promise<Pull> {
    const name = `warp-${randomHex(options.clock, 8)}`
    await options.manager.consumers.add(options.stream, {
      name,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: from,
      ack_policy: 'none',
      replay_policy: 'instant',
      // In memory, on one server: nothing of it must survive.
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * NANOS,
    })
    const pull = new Pull(options, name)
    pull.#guard()
    return pull
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** The next records, or none after a while without any. Rejects once nothing comes any more. */
  async take(): Promise<readonly OrderedRecord[]> {
    this.#ask()
    if (this.#records.length === 0 && this.#failure === undefined)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#records.length > 0) return this.#batch()
    if (this.#failure !== undefined) throw this.#failure
    return []
  }

  /** What was taken before stays taken; what waits is dropped. */
  close(): void {
    this.#subscription.unsubscribe()
    this.#watch?.cancel()
    this.#records = []
    this.#fail('the reader was closed')
    const { connection, manager, stream } = this.#options
    if (connection.isUp) void manager.consumers.delete(stream, this.#consumer).catch(() => undefined)
  }

  /** The connection is lost: what was asked for may never come. */
  lost(error: WarpError): void {
    this.#fail(error.message)
  }

  #ask(): void {
    if (this.#awaited > 0 || this.#failure !== undefined || this.#bytes > this.#options.bytesMax / 2) return
    const { connection, clock, manager, stream } = this.#options
    this.#requests++
    this.#awaited = REQUEST_RECORDS
    this.#received = 0
    this.#heardMs = clock.monotonic()
    const request = {
      batch: REQUEST_RECORDS,
      max_bytes: this.#bytesAsked,
      expires: EXPIRES_MS * NANOS,
      idle_heartbeat: HEARTBEAT_MS * NANOS,
    }
    const subject = `${manager.getOptions().apiPrefix ?? '$JS.API'}.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`
    try {
      connection.nats.publish(subject, JSON.stringify(request), { reply: `${this.#answers}.${this.#requests}` })
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
    }
  }

  #heard(message: Msg): void {
    this.#heardMs = this.#options.clock.monotonic()
    const delivery = deliveryOf(message)
    if (delivery === undefined) {
      if (message.subject === `${this.#answers}.${this.#requests}`) this.#told(message)
      return
    }
    const { record, number } = delivery
    // Lost on the way; or the server has begun anew, perhaps with another stream.
    if (number !== ++this.#number) this.#fail(`delivery ${this.#number} was expected, and ${number} came`)
    if (this.#failure !== undefined) return
    this.#records.push(record)
    this.#bytes += record.bytes.length
    this.#received++
    this.#awaited--
    this.#wake()
  }

  /**
   * The server tells a status of a request. The request may be an earlier one: the server also says when
   * a request is used up, and the next may have been made by then.
   */
  #told(message: Msg): void {
    const { code = 0, description = '' } = message.headers ?? {}
    if (code === HEARTBEAT) return
    const isUsedUp = code === CONFLICT && !BROKEN_OFF.test(description)
    if (isUsedUp || NOTHING_THERE.includes(code)) {
      // By a record that is larger than all that was asked for, perhaps.
      if (isUsedUp && this.#received === 0 && /maxbytes/i.test(description)) this.#bytesAsked *= 2
      this.#finished()
    } else this.#fail(code === NOBODY ? 'its consumer is gone' : `${code} ${description}`)
  }

  #finished(): void {
    this.#awaited = 0
    this.#wake()
  }

  #fail(reason: string): void {
    const { stream } = this.#options
    this.#failure ??= new WarpError('WARP_E_TRANSPORT', `reading stream '${stream}' was interrupted: ${reason}`)
    this.#wake()
  }

  #batch(): readonly OrderedRecord[] {
    let [count, bytes] = [0, 0]
    while (count < this.#records.length && count < BATCH_RECORDS) {
      const { length } = this.#records[count]!.bytes
      if (count > 0 && bytes + length > BATCH_BYTES) break
      bytes += length
      count++
    }
    this.#bytes -= bytes
    return this.#records.splice(0, count)
  }

  #guard(): void {
    const { clock } = this.#options
    this.#watch = clock.schedule(HEARTBEAT_MS, () => {
      if (this.#awaited > 0 && clock.monotonic() - this.#heardMs > SILENT_MS)
        this.#fail(`the server has said nothing for ${SILENT_MS} ms`)
      if (this.#failure === undefined) this.#guard()
    })
  }
}
