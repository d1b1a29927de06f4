/**
 * Deletes keys of `redis()` whose lives are over, so that memory and log let go of them.
 *
 * A delete takes away what its writer has seen. What somebody wrote before the deadline, and is heard of
 * only afterwards, would stay, without the life that it was written into: a rest that never ends; and a life
 * that somebody has made longer in time must bring the key back. So where other replicas write, a key is
 * deleted when nothing that was stamped before its deadline is still to come, nor what a clock that is
 * `SKEW_MS` late takes for before. That is known of a moment once an operation behind it is stable. If
 * nobody writes, none is: then the sweep writes one itself, which says of one dead key once more how long it
 * lived. While a replica is cut off nothing is known, and nothing is deleted.
 *
 * Whoever has said the deadline deletes; the others do so where it has not, `OTHERS_MS` later. Deletes of
 * several are one.
 *
 * Deadlines are known from what commands write here; keys that others have written, and those that were here
 * when the server was opened, are looked at in steps.
 */
import type { RedisState } from '../../../crdt/redis/state.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { FoldFirst, type DirectKeys } from '../../../src/api/direct/direct-keys.ts'
import type { Env, Timer } from '../../../src/ports/env.ts'
import { Deadlines } from './deadlines.ts'

/** By so much clocks of replicas may differ without harm: ten times what is told as too much. */
export const SKEW_MS = 5000
export const OTHERS_MS = 30_000
/** Lives that end within so many ms of each other are looked at in one turn. */
const TURN_MS_MIN = 20
/** The wall clock may jump, and timers do not notice. */
const TURN_MS_MAX = 1000
/** Keys that are looked at between two turns of the loop. */
const KEYS_PER_STEP = 256
/** An operation that was written to learn what is stable may be one that is not waited for. */
const PROBE_AGAIN_MS = 60_000

export class Sweep {
  readonly #direct: DirectKeys
  readonly #env: Env
  readonly #failed: (error: unknown) => void
  /** When keys are to be looked at. */
  readonly #deadlines = new Deadlines()
  /** Keys that were found dead, by their deadlines, of which it is not known yet whether all has come. */
  readonly #dead = new Deadlines()
  /** Keys that others have written, to be looked at. */
  readonly #entered = new Set<string>()
  /** Where the walk over the keys that were here at the beginning goes on; `undefined`: it is done. */
  #place: number | undefined = 0
  #isBurying = false
  /** What was settled, and the time, when an operation was written to learn more. */
  #probed = { settledMs: -1, atMs: -Infinity }
  #timer: Timer | undefined
  #timerMs = Infinity
  #isRunning = false
  #isClosed = false
  /** Keys that have been deleted. */
  deletedCount = 0

  constructor(direct: DirectKeys, failed: (error: unknown) => void) {
    this.#direct = direct
    this.#env = direct.env
    this.#failed = failed
    this.#plan(this.#env.now())
  }

  /** Whether what enters a key now is that its life is over. */
  get isBurying(): boolean {
    return this.#isBurying
  }

  /** Keys of which a deadline is known. */
  get watchedCount(): number {
    return this.#deadlines.size + this.#dead.size
  }

  /** A key has been said to live until then. */
  watch(name: string, untilMs: number): void {
    if (untilMs === Infinity) return
    this.#deadlines.add(name, untilMs)
    this.#plan(untilMs)
  }

  /** Something has entered a key, and it is not known how long it lives. */
  entered(name: string): void {
    if (this.#isBurying) return
    this.#entered.add(name)
    this.#plan(this.#env.now() + TURN_MS_MIN)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  /** Up to this moment everything is known. */
  get #knownMs(): number {
    return this.#direct.settledMs - SKEW_MS
  }

  #plan(atMs: number): void {
    if (this.#isClosed || this.#isRunning || atMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = atMs
    const delayMs = Math.min(TURN_MS_MAX, Math.max(TURN_MS_MIN, atMs - this.#env.now()))
    this.#timer = this.#env.schedule(delayMs, () => void this.#turn())
  }

  async #turn(): Promise<void> {
    this.#isRunning = true
    try {
      while (!this.#isClosed && (await this.#step(this.#env.now()))) await this.#env.yield()
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_CLOSED')) this.#failed(error)
    }
    this.#isRunning = false
    this.#timerMs = Infinity
    if (this.#entered.size > 0 || this.#place !== undefined) this.#plan(this.#env.now())
    if (this.#dead.size > 0) this.#plan(this.#env.now() + TURN_MS_MAX)
    if (this.#deadlines.size > 0) this.#plan(this.#deadlines.nextMs)
  }

  /** Returns whether there is more to do now. */
  async #step(nowMs: number): Promise<boolean> {
    let left = KEYS_PER_STEP
    for (const name of this.#due(nowMs)) {
      await this.#look(name, nowMs)
      if (--left === 0) return true
    }
    this.#probe(nowMs)
    if (this.#place === undefined) return false
    const { keys, next } = this.#direct.page(this.#place, left)
    for (const name of keys) await this.#look(name, nowMs)
    this.#place = next === 0 ? undefined : next
    return next > 0
  }

  *#due(nowMs: number): Generator<string, void> {
    for (const name of this.#entered) {
      this.#entered.delete(name)
      yield name
    }
    for (let name = this.#deadlines.take(nowMs); name !== undefined; name = this.#deadlines.take(nowMs)) yield name
    const knownMs = this.#knownMs
    if (knownMs > this.#dead.nextMs)
      for (let name = this.#dead.take(knownMs); name !== undefined; name = this.#dead.take(knownMs)) yield name
  }

  async #look(name: string, nowMs: number): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#judge(name, nowMs)
        return
      } catch (error) {
        if (!(error instanceof FoldFirst)) throw error
        await this.#direct.fold(name)
      }
    }
  }

  /** Deletes a key whose life is over, or keeps in mind when to look again. Throws `FoldFirst`. */
  #judge(name: string, nowMs: number): void {
    const direct = this.#direct
    if (direct.kindOf(name) !== 'redis') return
    const state = direct.state(name) as RedisState | undefined
    if (state === undefined || state.isInitial) return
    const { untilMs, lives } = state
    if (untilMs > nowMs) {
      if (untilMs < Infinity) this.#deadlines.add(name, untilMs)
      return
    }
    const isAlone = direct.settledMs === Infinity
    const isOwn = lives.some((life) => life.untilMs === untilMs && life.stamp.replica === direct.replica)
    const othersMs = untilMs + SKEW_MS + OTHERS_MS
    if (!isAlone && !isOwn && nowMs < othersMs) this.#deadlines.add(name, othersMs)
    else if (this.#knownMs <= untilMs) this.#dead.add(name, untilMs)
    else this.#bury(name)
  }

  #bury(name: string): void {
    this.#isBurying = true
    try {
      if (this.#direct.delete(name)) this.deletedCount++
    } finally {
      this.#isBurying = false
    }
  }

  /** Writes something behind the deadline of a dead key, if nobody else does. */
  #probe(nowMs: number): void {
    const { settledMs } = this.#direct
    const name = this.#dead.first
    if (name === undefined || this.#dead.nextMs + SKEW_MS >= nowMs) return
    const isTold = settledMs === this.#probed.settledMs && nowMs - this.#probed.atMs < PROBE_AGAIN_MS
    if (isTold) return
    this.#probed = { settledMs, atMs: nowMs }
    this.#isBurying = true
    try {
      this.#direct.write(name, 'repeatLife', [nowMs])
    } catch (error) {
      if (!(error instanceof FoldFirst)) throw error
    } finally {
      this.#isBurying = false
    }
  }
}
