/** One partition of an open log: what its appends, its barriers and its reader learn of each other. */
import { asError, isWarpError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import type { AppendOutcome, Bookmark, OrderedLogReader } from '../../../src/ports/ordered-log.ts'
import type { Appender } from '../../broker/appender.ts'
import { Barriers } from '../../broker/barriers.ts'
import { LogFollower, type LogFollowerOptions, type LogRead } from '../../broker/log-follower.ts'
import { type BrokerClock, randomHex } from '../../broker/platform-clock.ts'
import { type Connection, connectionError, type Lines } from '../connection.ts'
import type { PlaceOfTopic } from '../line.ts'
import { Sender } from '../sender.ts'
import { orderBroken, PlaceCheck, type Verdict } from './place-check.ts'
import { BARRIER, recordOf } from './records.ts'
import type { KafkaEntry } from './sending.ts'

export interface PartitionOptions {
  readonly place: PlaceOfTopic
  /** Of the log, for messages. */
  readonly name: string
  readonly connection: Connection
  readonly clock: BrokerClock
  readonly appender: Appender<KafkaEntry>
  readonly timeoutMs: number
  /** What the broker waits for something to come. */
  readonly waitMs: number
  readonly readBytesMax: number
  /** The largest message that the topic takes. */
  readonly messageBytesMax: number
  readonly snapshot: () => Promise<Bookmark | undefined>
  readonly reading: Pick<LogFollowerOptions, 'up' | 'interrupted' | 'resumed'>
  /** Rejects where the topic is not the one that it was. */
  readonly proved: (lines: Lines, place: PlaceOfTopic) => Promise<void>
}

/** More would hold up what comes behind it. */
const REQUEST_BYTES_MAX = 1024 * 1024

export class Partition {
  readonly #options: PartitionOptions
  readonly #sender: Sender
  readonly #barriers: Barriers
  readonly #check: PlaceCheck
  #follower: LogFollower | undefined
  /** The lines on which the record that the reader has last was looked at. */
  #seenOn: Lines | undefined
  #warned: string | undefined
  /** The furthest place that is known to be taken. */
  #knownOffset = 0
  #broken: WarpError | undefined

  constructor(options: PartitionOptions) {
    this.#options = options
    const { place, connection, clock, timeoutMs, messageBytesMax, proved } = options
    const bytesMax = Math.min(REQUEST_BYTES_MAX, messageBytesMax)
    const proof = (lines: Lines): Promise<void> => proved(lines, place)
    this.#sender = new Sender({ connection, place, acks: 'all', timeoutMs, bytesMax, proved: proof })
    this.#barriers = new Barriers(() => this.append(BARRIER + randomHex(clock, 8), new Uint8Array()))
    this.#check = new PlaceCheck({ ...options, barrier: () => this.#barriers.place() })
  }

  async append(id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<AppendOutcome> {
    if (this.#broken !== undefined) return { kind: 'refused', error: this.#broken }
    const { appender, name } = this.#options
    const before = this.#knownOffset
    const outcome = await appender.append({ stream: name, id, bytes, sender: this.#sender }, signal)
    if (outcome.kind !== 'appended') return outcome
    this.#knows(outcome.offset)
    if (outcome.offset > before) return outcome
    // Everything up to there was taken when this was sent.
    const reason = `a new record has the place ${outcome.offset}, and ${before} was taken`
    const error = orderBroken(name, reason)
    this.isBroken(error)
    return { kind: 'unknown', error }
  }

  async barrier(signal?: AbortSignal): Promise<number> {
    const offset = await this.#barriers.place(signal)
    // Else the reader notices, before it is handed what lies at the barrier.
    if (!this.#isReading) await this.#refuseBroken()
    return offset
  }

  /** Rejects with `WARP_E_TRANSPORT` where it cannot be found out now. */
  async check(bookmark: Bookmark | undefined): Promise<Verdict> {
    if (this.#broken !== undefined) return { kind: 'broken', error: this.#broken }
    return this.#over((lines) => this.#check.check(lines, bookmark))
  }

  /** Throws `WARP_E_CONFIG`. */
  follow(after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    const { name, place, clock, reading } = this.#options
    if (this.#follower?.hasEnded === false) {
      const message = `partition ${place.partition} of ${name} has a reader; end it before another one begins`
      throw new WarpError('WARP_E_CONFIG', message)
    }
    this.#seenOn = undefined
    const bookmark = after === undefined ? undefined : { offset: after.offset, id: after.id }
    // A read waits by itself for something to come.
    const options = { ...reading, clock, lookMs: 0, read: (last: Bookmark | undefined) => this.#read(last) }
    const follower = new LogFollower(options, bookmark, reader)
    this.#follower = follower
    return () => follower.end()
  }

  /** Somebody has proof that it is not the log that it was. */
  isBroken(error: WarpError): void {
    this.#broken ??= error
    this.#follower?.broken(this.#broken)
  }

  lost(error: WarpError): void {
    this.#sender.lost(error)
  }

  close(): void {
    this.#follower?.end()
  }

  get #isReading(): boolean {
    const { lines } = this.#options.connection
    return this.#follower?.hasEnded !== true && lines !== undefined && this.#seenOn === lines
  }

  async #refuseBroken(): Promise<void> {
    const verdict = await this.check(this.#follower?.last)
    if (verdict.kind === 'broken') throw verdict.error
  }

  #read(last: Bookmark | undefined): Promise<LogRead> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    const { place, readBytesMax, waitMs, name } = this.#options
    return this.#over(async (lines) => {
      if (this.#seenOn !== lines) {
        const verdict = await this.#check.check(lines, last)
        if (verdict.kind === 'broken') throw verdict.error
        if (verdict.kind === 'trimmed') return verdict
        this.#warn(verdict.warning)
        this.#knows(last?.offset ?? 0)
        this.#seenOn = lines
      }
      const from = last?.offset ?? 0
      const wanted = { ...place, from, bytesMax: readBytesMax, waitMs, epoch: lines.epoch(place) }
      const records = (await lines.follows(place).fetch(wanted)).map(recordOf)
      const hole = records.findIndex(({ offset }, i) => offset !== from + 1 + i)
      if (hole === 0) throw orderBroken(name, `the record ${from + 1} is gone`)
      const whole = hole < 0 ? records : records.slice(0, hole)
      this.#knows(whole.at(-1)?.offset ?? 0)
      return { kind: 'records', records: whole }
    })
  }

  #knows(offset: number): void {
    this.#knownOffset = Math.max(this.#knownOffset, offset)
  }

  /** Once. */
  #warn(warning: WarpError | undefined): void {
    if (warning !== undefined && warning.message !== this.#warned) this.#options.reading.interrupted(warning)
    this.#warned = warning?.message
  }

  /** Rejects with a `WarpError`. */
  async #over<Answer>(ask: (lines: Lines) => Promise<Answer>): Promise<Answer> {
    const { connection, name } = this.#options
    const { lines } = connection
    if (lines === undefined) throw connection.error
    try {
      return await ask(lines)
    } catch (error) {
      // Where it reads from there is nothing (any more): it is looked at again.
      this.#seenOn = undefined
      connection.failed(lines, error)
      if (isWarpError(error)) throw error
      throw connectionError(`${name}: reading did not succeed: ${asError(error).message}`, error)
    }
  }
}
