/**
 * Follows one partition for one reader. Each read looks whether the log goes on behind the record that
 * was handed over last, and takes what follows. Where a read does not wait for something to come,
 * appends wake it; where that is lost, it looks by itself after a while.
 */
import type { WarpError } from '../../src/index.ts'
import type { Timer } from '../../src/index.ts'
import type { Bookmark, OrderedLogReader, OrderedRecord } from '../../src/ports/ordered-log.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { type BrokerClock, withJitter } from './platform-clock.ts'

export type LogRead =
  /** Perhaps none. */
  | { readonly kind: 'records'; readonly records: readonly OrderedRecord[] }
  | { readonly kind: 'trimmed'; readonly firstOffset: number }

export interface LogFollowerOptions {
  readonly clock: BrokerClock
  /** What lies behind the bookmark. Rejects with `WARP_E_ORDER_BROKEN`, or where nobody answers. */
  readonly read: (after: Bookmark | undefined) => Promise<LogRead>
  /** After a read that found nothing. 0 where reads wait for something to come. */
  readonly lookMs: number
  /** Settles when the connection is up. */
  readonly up: () => Promise<void>
  readonly interrupted: (error: WarpError) => void
  readonly resumed: () => void
}

/** After a read that failed. */
const AGAIN_MS = 250

export class LogFollower {
  readonly #options: LogFollowerOptions
  readonly #reader: OrderedLogReader
  #last: Bookmark | undefined
  /** A read has gone on behind that record. Of a bookmark it is not known at first whether the log has it. */
  #isProved = false
  #hasEnded = false
  #isAtBatch = false
  /** Told when the reader has dealt with its batch. */
  #proof: WarpError | undefined
  #wasWoken = false
  #wake: (() => void) | undefined

  constructor(options: LogFollowerOptions, after: Bookmark | undefined, reader: OrderedLogReader) {
    this.#options = options
    this.#last = after
    this.#reader = reader
    void this.#run()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** The last record that the reader has, or is being given. */
  get last(): Bookmark | undefined {
    return this.#last
  }

  /** The same, if the log is known to have it. */
  get proved(): Bookmark | undefined {
    return this.#isProved ? this.#last : undefined
  }

  /** There may be more. */
  wake(): void {
    this.#wasWoken = true
    this.#wake?.()
  }

  end(): void {
    this.#hasEnded = true
    this.#wake?.()
  }

  /** Somebody has proof that the log is not what it was. */
  broken(error: WarpError): void {
    if (this.#hasEnded) return
    this.#proof = error
    if (!this.#isAtBatch) this.#tellBroken(error)
  }

  async #run(): Promise<void> {
    while (!this.#hasEnded) {
      await this.#options.up()
      if (this.#hasEnded) return
      this.#wasWoken = false
      try {
        const read = await this.#options.read(this.#last)
        if (this.#hasEnded) return
        this.#options.resumed()
        if (!(await this.#take(read))) await this.#pause(this.#options.lookMs)
      } catch (error) {
        if (this.#hasEnded) return
        this.#failed(error)
        if (!this.#hasEnded) await this.#pause(AGAIN_MS)
      }
    }
  }

  /** Whether there may be more already. */
  async #take(read: LogRead): Promise<boolean> {
    if (read.kind === 'trimmed') {
      this.end()
      this.#reader.trimmed(read.firstOffset)
      return true
    }
    this.#isProved = true
    const last = read.records.at(-1)
    if (last === undefined) return false
    this.#last = { offset: last.offset, id: last.id }
    this.#isAtBatch = true
    await this.#reader.records(read.records)
    this.#isAtBatch = false
    if (this.#proof !== undefined && !this.#hasEnded) this.#tellBroken(this.#proof)
    return true
  }

  #failed(error: unknown): void {
    if (isWarpError(error, 'WARP_E_ORDER_BROKEN')) this.#tellBroken(error)
    else if (isWarpError(error)) this.#options.interrupted(error)
  }

  #tellBroken(error: WarpError): void {
    this.end()
    this.#reader.broken(error)
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#wasWoken || this.#hasEnded || delayMs === 0) return
    const { clock } = this.#options
    let timer: Timer | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = clock.schedule(withJitter(clock, delayMs), resolve)
    })
    timer?.cancel()
    this.#wake = undefined
  }
}
