/**
 * Follows one partition for one reader: looks whether the log goes on behind the reader's bookmark,
 * hands over what comes, and begins anew there whenever that was interrupted. A record that is not the
 * one behind the last is a reason to look again.
 */
import { asError } from '../../../crdt/warp-error.ts'
import type { Bookmark, OrderedLogReader, OrderedRecord } from '../../../src/ports/ordered-log.ts'
import { WarpError } from '../../../src/index.ts'
import { withJitter } from '../../broker/platform-clock.ts'
import type { PlaceCheck, Verdict } from './place-check.ts'
import { Pull, type PullOptions } from './pull.ts'

export interface FollowerOptions {
  readonly pull: PullOptions
  readonly check: PlaceCheck
  /** Settles when the connection is up. */
  readonly up: () => Promise<void>
  /** It goes on less well than it should. */
  readonly interrupted: (error: WarpError) => void
  readonly resumed: () => void
}

/** Between two beginnings: at first, and at most. */
const AGAIN_MS = 100
const AGAIN_MS_MAX = 1000
/** Between two looks whether the log is still the same. */
const LOOK_MS = 10_000

export class Follower {
  readonly #options: FollowerOptions
  readonly #reader: OrderedLogReader
  #last: Bookmark | undefined
  /** The log has that record: it has been looked at, or handed over. Of a bookmark it is not known at first. */
  #isProved = false
  #pull: Pull | undefined
  #hasEnded = false
  #isAtBatch = false
  /** Told when the reader has dealt with its batch. */
  #proof: WarpError | undefined
  #warned: string | undefined
  #lookedMs = 0
  #againMs = AGAIN_MS

  constructor(options: FollowerOptions, after: Bookmark | undefined, reader: OrderedLogReader) {
    this.#options = options
    this.#last = after
    this.#reader = reader
    void this.#run()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Whether it is handed what comes. */
  get isLive(): boolean {
    return this.#pull !== undefined && !this.#pull.hasFailed && !this.#hasEnded
  }

  get last(): Bookmark | undefined {
    return this.#last
  }

  /** Of the last record that the reader has, or is about to be given. */
  get offset(): number {
    return this.#last?.offset ?? 0
  }

  /** The furthest place that it knows to be taken. */
  get provedOffset(): number {
    return this.#isProved ? this.offset : 0
  }

  end(): void {
    this.#hasEnded = true
    this.#pull?.close()
  }

  lost(error: WarpError): void {
    this.#pull?.lost(error)
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
      try {
        await this.#follow()
      } catch (error) {
        if (!this.#hasEnded) this.#options.interrupted(asWarpError(error))
      }
      this.#pull?.close()
      this.#pull = undefined
      if (!this.#hasEnded) await this.#pause()
    }
  }

  /** Rejects when it was interrupted. */
  async #follow(): Promise<void> {
    if (!(await this.#isThere())) return
    const pull = await Pull.open(this.#options.pull, this.offset + 1)
    this.#pull = pull
    if (this.#hasEnded) return
    this.#options.resumed()
    for (;;) {
      const taken = await pull.take()
      if (this.#hasEnded) return
      await this.#handOver(taken)
      if (this.#hasEnded) return
      if (this.#options.pull.clock.monotonic() - this.#lookedMs > LOOK_MS && !(await this.#isThere())) return
    }
  }

  async #handOver(taken: readonly OrderedRecord[]): Promise<void> {
    // What comes again is passed over.
    const batch = taken.filter(({ offset }) => offset > this.offset)
    const [first] = batch
    if (first === undefined) return
    const hole = batch.findIndex(({ offset }, i) => offset !== this.offset + 1 + i)
    const whole = hole < 0 ? batch : batch.slice(0, hole)
    const last = whole.at(-1)
    if (last !== undefined) {
      this.#last = { offset: last.offset, id: last.id }
      this.#againMs = AGAIN_MS
      this.#isAtBatch = true
      await this.#reader.records(whole)
      this.#isAtBatch = false
      if (this.#proof !== undefined && !this.#hasEnded) this.#tellBroken(this.#proof)
    }
    if (hole < 0 || this.#hasEnded) return
    const { stream } = this.#options.pull
    throw new WarpError(
      'WARP_E_TRANSPORT',
      `stream '${stream}' went on with ${batch[hole]!.offset} behind ${this.offset}; what is between is looked for`,
    )
  }

  /** Tells the reader if it is not. */
  async #isThere(): Promise<boolean> {
    const verdict: Verdict = await this.#options.check.check(this.#last)
    this.#lookedMs = this.#options.pull.clock.monotonic()
    if (this.#hasEnded) return false
    if (verdict.kind === 'there') {
      this.#isProved = true
      this.#warn(verdict.warning)
      return true
    }
    if (verdict.kind === 'broken') this.#tellBroken(verdict.error)
    else {
      this.end()
      this.#reader.trimmed(verdict.firstOffset)
    }
    return false
  }

  /** Once. */
  #warn(warning: WarpError | undefined): void {
    if (warning !== undefined && warning.message !== this.#warned) this.#options.interrupted(warning)
    this.#warned = warning?.message
  }

  #tellBroken(error: WarpError): void {
    this.end()
    this.#reader.broken(error)
  }

  #pause(): Promise<void> {
    const { clock } = this.#options.pull
    const waitMs = this.#againMs
    this.#againMs = Math.min(2 * waitMs, AGAIN_MS_MAX)
    return new Promise((resolve) => clock.schedule(withJitter(clock, waitMs), resolve))
  }
}

function asWarpError(error: unknown): WarpError {
  return error instanceof WarpError
    ? error
    : new WarpError('WARP_E_TRANSPORT', asError(error).message, { cause: error })
}
