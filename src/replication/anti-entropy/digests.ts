/**
 * When to send a digest: at a steady, jittered interval when nothing happens; soon after this
 * replica has written; never closer than a quarter of the interval. What came from others can wait
 * for the next one: if each of n replicas told all others at once that it has a write, one write
 * would cost n^2 digests. So each replica sends at most four digests per interval, however busy it
 * is.
 */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { ReplicationStore } from '../store.ts'
import type { Position } from '../../operation/position.ts'

export interface DigestScheduleOptions {
  readonly env: Env
  readonly intervalMs: number
  readonly soonMs: number
  /** A number in [0, 1). */
  readonly random: () => number
  readonly send: () => void
}

/** Digests, broadcast and in reply to one peer, keep this share of the interval between them. */
export const DIGEST_SPACING = 4

export class DigestSchedule {
  readonly #options: DigestScheduleOptions
  #timer: Timer | undefined
  #dueMs = Infinity
  #sentMs = -Infinity
  #isRunning = false
  /** A digest is due that tells of a change: later changes until then are told by the same one. */
  #isSoon = false

  constructor(options: DigestScheduleOptions) {
    this.#options = options
  }

  start(): void {
    this.#isRunning = true
    this.changed()
  }

  /**
   * There is something to tell. Cheap: called for each operation, it asks no clock but for the
   * first.
   */
  changed(): void {
    if (this.#isSoon || !this.#isRunning) return
    this.#isSoon = true
    const { env, intervalMs, soonMs } = this.#options
    this.#sendAt(Math.max(env.monotonic() + soonMs, this.#sentMs + intervalMs / DIGEST_SPACING))
  }

  close(): void {
    this.#isRunning = false
    this.#timer?.cancel()
  }

  #sendAt(dueMs: number): void {
    if (!this.#isRunning || dueMs >= this.#dueMs) return
    this.#dueMs = dueMs
    this.#timer?.cancel()
    this.#timer = this.#options.env.schedule(Math.max(0, dueMs - this.#options.env.monotonic()), () => this.#run())
  }

  #run(): void {
    const { env, intervalMs, random, send } = this.#options
    this.#dueMs = Infinity
    this.#isSoon = false
    this.#sentMs = env.monotonic()
    this.#sendAt(this.#sentMs + intervalMs * (0.9 + random() / 5))
    send()
  }
}

/**
 * What has been applied here and will survive this process: others compact by it, so it must not go
 * back. When the last records are not in the log for good, it is a copy taken earlier, without what
 * has been void since.
 */
export class SafeVector {
  readonly #store: ReplicationStore
  #safe: VersionVector = new VersionVector()
  #pending: { readonly vector: VersionVector; readonly end: Position } | undefined

  constructor(store: ReplicationStore) {
    this.#store = store
  }

  /** Something has been applied that could not be told of yet. */
  get isBehind(): boolean {
    return this.#pending !== undefined
  }

  /** Not changed later. */
  read(): VersionVector {
    const { sendable, end, applied } = this.#store
    if (sendable >= end) {
      this.#pending = undefined
      this.#safe = applied.copy()
    } else if (this.#pending === undefined) {
      this.#pending = { vector: applied.copy(), end }
    } else if (this.#pending.end <= sendable) {
      this.#safe = this.#pending.vector
      this.#pending = { vector: applied.copy(), end }
    }
    return this.#pending === undefined ? this.#safe : this.#safe.meet(applied)
  }
}
