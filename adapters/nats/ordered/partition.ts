/** One partition of an open log: what its appends, its barriers and its reader learn of each other. */
import type { JetStreamManager } from '@nats-io/jetstream'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import type { AppendOutcome, Bookmark, OrderedLogReader } from '../../../src/ports/ordered-log.ts'
import type { Connection } from '../connection.ts'
import { type BrokerClock, randomHex } from '../../broker/platform-clock.ts'
import type { Appender } from '../../broker/appender.ts'
import type { NatsEntry } from './sending.ts'
import { Barriers } from '../../broker/barriers.ts'
import { Follower, type FollowerOptions } from './follower.ts'
import { orderBroken, PlaceCheck, type Verdict } from './place-check.ts'
import { BARRIER, recordHeaders } from './records.ts'
import type { PartitionStream } from './streams.ts'

export interface PartitionOptions {
  readonly at: PartitionStream
  readonly connection: Connection
  readonly manager: JetStreamManager
  readonly clock: BrokerClock
  readonly appender: Appender<NatsEntry>
  readonly inboxPrefix: string | undefined
  readonly readBytesMax: number
  readonly snapshot: () => Promise<Bookmark | undefined>
  readonly reading: Pick<FollowerOptions, 'up' | 'interrupted' | 'resumed'>
  /** Why nothing is to be appended now. */
  readonly refusal: () => WarpError | undefined
}

export class Partition {
  readonly #options: PartitionOptions
  readonly #barriers: Barriers
  readonly #check: PlaceCheck
  #follower: Follower | undefined
  /** The furthest place that is known to be taken. */
  #knownOffset = 0
  #broken: WarpError | undefined

  constructor(options: PartitionOptions) {
    this.#options = options
    const { at, manager, clock, snapshot } = options
    this.#barriers = new Barriers(() => this.append(BARRIER + randomHex(clock, 8), new Uint8Array()))
    this.#check = new PlaceCheck({ ...at, manager, clock, snapshot, barrier: () => this.#barriers.place() })
  }

  get stream(): string {
    return this.#options.at.stream
  }

  async append(id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<AppendOutcome> {
    const error = this.#broken ?? this.#options.refusal()
    if (error !== undefined) return { kind: 'refused', error }
    const { stream, subject } = this.#options.at
    const before = Math.max(this.#knownOffset, this.#follower?.provedOffset ?? 0)
    const outcome = await this.#options.appender.append({ stream, subject, headers: recordHeaders(id), bytes }, signal)
    if (outcome.kind !== 'appended') return outcome
    this.#knownOffset = Math.max(this.#knownOffset, outcome.offset)
    if (outcome.offset > before) return outcome
    // Everything up to there was taken when this was sent.
    return {
      kind: 'unknown',
      error: this.#isBroken(`a new record has the place ${outcome.offset}, and ${before} was taken`),
    }
  }

  async barrier(signal?: AbortSignal): Promise<number> {
    try {
      const offset = await this.#barriers.place(signal)
      // Else the reader notices, before it is handed what lies at the barrier.
      if (this.#follower?.isLive === false) await this.#refuseBroken()
      return offset
    } catch (error) {
      // Nobody takes records: of another log, perhaps.
      if (isWarpError(error, 'WARP_E_TRANSPORT') && this.#options.connection.isUp)
        await this.#refuseBroken().catch((why: unknown) => {
          throw isWarpError(why, 'WARP_E_ORDER_BROKEN') ? why : error
        })
      throw error
    }
  }

  /** Rejects where it cannot be found out now. */
  check(bookmark: Bookmark): Promise<Verdict> {
    return this.#check.check(bookmark)
  }

  /** Throws `WARP_E_CONFIG`. */
  follow(after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    const { at, connection, manager, clock, inboxPrefix, readBytesMax, reading } = this.#options
    if (this.#follower?.hasEnded === false)
      throw new WarpError('WARP_E_CONFIG', `stream '${at.stream}' has a reader; end it before another one begins`)
    const pull = { connection, manager, clock, inboxPrefix, stream: at.stream, bytesMax: readBytesMax }
    const follower = new Follower({ ...reading, pull, check: this.#check }, after, reader)
    this.#follower = follower
    return () => follower.end()
  }

  lost(error: WarpError): void {
    this.#follower?.lost(error)
  }

  close(): void {
    this.#follower?.end()
  }

  async #refuseBroken(): Promise<void> {
    const verdict = await this.#check.check(this.#follower?.last)
    if (verdict.kind === 'broken') throw verdict.error
  }

  #isBroken(reason: string): WarpError {
    this.#broken ??= orderBroken(this.#options.at.stream, reason)
    this.#follower?.broken(this.#broken)
    return this.#broken
  }
}
