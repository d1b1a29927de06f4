/**
 * Keeps the state of one projection in the log now and then: after so many operations, when the
 * projection is closed, and before compaction begins, so that compaction never takes what the
 * newest checkpoint has not seen. It writes between operations, never while one enters: a state and
 * the end of the log that belong together.
 */
import { shownValue } from '../../crdt/shown-kind.ts'
import { isWholeFrom } from '../../crdt/checked-options.ts'
import { asError, WarpError } from '../../crdt/warp-error.ts'
import type { FeedCheckpoint } from '../log/feed/feed-checkpoints.ts'
import type { Follower } from '../log/holds.ts'
import type { Position } from '../operation/position.ts'
import { formatMark } from '../store/expirations/expiry-mark.ts'
import type { ProjectionSource } from './projection-source.ts'

export interface KeptState {
  /** Operations between two checkpoints. */
  readonly every: number
  /** The state as it is now. */
  encode(): Uint8Array
  follows(key: string): boolean
}

export class CheckpointKeeper implements Follower {
  readonly name: string
  readonly #source: ProjectionSource
  readonly #projection: { readonly name: string; readonly version: string }
  readonly #kept: KeptState
  /** Everything before is in the newest checkpoint. */
  #through: Position = 0
  /** Operations, and lives that have ended, taken in since. */
  #takenCount = 0
  #nextAt: number
  #isScheduled = false
  /** The state is what the log amounts to. */
  #isGood = false
  #letGo: (() => void) | undefined

  /** Throws `WARP_E_CONFIG`. */
  constructor(
    source: ProjectionSource,
    { name, version = 0 }: { readonly name: string; readonly version?: number | string },
    kept: KeptState,
  ) {
    if (!isWholeFrom(kept.every, 1)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `projection '${name}': checkpoint.every is ${shownValue(kept.every)}; give a whole number of at least 1`,
      )
    }
    this.name = `projection '${name}'`
    this.#source = source
    this.#projection = { name, version: String(version) }
    this.#kept = kept
    this.#nextAt = kept.every
  }

  /** The newest checkpoint. Throws `WARP_E_LOG_CORRUPT`. */
  find(): FeedCheckpoint | undefined {
    return this.#source.feeds.find(this.#source.store.log, this.#projection.name)
  }

  /** The state has been made from the whole log, and no checkpoint holds anything of it. */
  began(): void {
    this.#isGood = true
    this.#follow()
    this.#write()
  }

  /**
   * The state has been made from the checkpoint through a position and so many operations behind
   * it.
   */
  wentOn(through: Position, takenCount: number): void {
    this.#isGood = true
    this.#through = through
    this.#takenCount = takenCount
    this.#follow()
    if (takenCount >= this.#kept.every) this.#write()
  }

  /** One more operation, or the end of one more life, has been taken in. */
  took(): void {
    if (++this.#takenCount < this.#nextAt || this.#isScheduled) return
    this.#isScheduled = true
    this.#source.store.env.defer(() => {
      this.#isScheduled = false
      this.#write()
    })
  }

  /** The state is not what the log amounts to, until it has been made anew. */
  pause(): void {
    this.#isGood = false
    this.#letGo?.()
    this.#letGo = undefined
  }

  close(): void {
    if (this.#takenCount > 0) this.#write()
    this.pause()
  }

  /** Operations from here on are in no checkpoint. */
  get unseenFrom(): Position {
    return this.#takenCount === 0 ? this.#source.store.log.end : this.#through
  }

  catchUp(): void {
    if (this.#takenCount > 0) this.#write()
  }

  follows(key: string): boolean {
    return this.#kept.follows(key)
  }

  #follow(): void {
    this.#letGo ??= this.#source.holds.follow(this)
  }

  #write(): void {
    const { store, feeds, holds, observe } = this.#source
    // While a state is being taken over, or is half taken over, no state of a projection is worth
    // keeping.
    if (!this.#isGood || holds.isWhole) return
    try {
      const state = this.#kept.encode()
      const mark = formatMark(store.expirations.told)
      this.#through = feeds.write(store.log, { ...this.#projection, mark }, state)
      this.#takenCount = 0
      this.#nextAt = this.#kept.every
    } catch (error) {
      this.#nextAt = this.#takenCount + this.#kept.every
      observe({ kind: 'projection:checkpoint-failed', name: this.#projection.name, error: asError(error) })
    }
  }
}
