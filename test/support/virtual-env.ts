/**
 * An `Env` on virtual time: the same seed gives the same run, an hour costs nothing, and nobody sleeps.
 *
 * Timers fire only inside `advance` and `advanceToNextTimer`, in the order of their due time and then of their creation, and
 * everything that a timer set going (promises, deferred callbacks, yields) has come to rest before the next one fires.
 * Deferred callbacks and yields need no driving: they run by themselves once the work in progress and the promises that it
 * settled are done, as in Node, so that a test may simply `await` a write. `defer` keeps the order of its calls.
 *
 * Several replicas live on one time line, each with a wall clock and random numbers of its own: `fork`.
 *
 * Not covered: waiting for real I/O (files, sockets). `runUntilIdle` cannot know of it.
 */
import type { Env, Timer } from '../../src/env.ts'
import { type Random, seededRandom } from './random.ts'

export interface VirtualEnvOptions {
  readonly seed?: number | string
  /** The wall clock at the start. */
  readonly wallMs?: number
}

export interface VirtualEnv extends Env {
  /** Moves time by `ms`, firing what falls due on the way. */
  advance(ms: number): Promise<void>
  /** Moves time to the earliest timer and fires it; `false` when there is none. */
  advanceToNextTimer(): Promise<boolean>
  /** Fires what is due now and waits until promises, deferred callbacks and yields have come to rest. Time stands still. */
  runUntilIdle(): Promise<void>
  /** Sets this Env's wall clock; it goes on from there with virtual time. Timers do not notice, as in life. */
  setWall(ms: number): void
  /** Moves this Env's wall clock by `deltaMs`, either way. */
  jumpWall(deltaMs: number): void
  /** Timers that wait, of all forks together. */
  readonly timerCount: number
  /** Another replica's Env on the same time line: own wall clock (`wallOffsetMs` from this one's), own random numbers. */
  fork(options?: { readonly label?: string; readonly wallOffsetMs?: number }): VirtualEnv
}

export const VIRTUAL_START_MS = 1_700_000_000_000

/** Turns of the event loop without coming to rest after which a loop that feeds itself is assumed. */
const TURNS_MAX = 1_000_000

export function virtualEnv(options: VirtualEnvOptions = {}): VirtualEnv {
  return envOn(new TimeLine(), seededRandom(options.seed ?? 1), options.wallMs ?? VIRTUAL_START_MS)
}

function envOn(line: TimeLine, random: Random, wallMs: number): VirtualEnv {
  let wallOffsetMs = wallMs - line.nowMs
  const self: VirtualEnv = {
    now: () => Math.floor(line.nowMs + wallOffsetMs),
    monotonic: () => line.nowMs,
    schedule: (delayMs, callback) => line.schedule(delayMs, callback),
    defer: (callback) => line.defer(callback),
    yield: () => line.yield(),
    random: (count) => random.bytes(count),
    advance: (ms) => line.advanceTo(line.nowMs + ms),
    advanceToNextTimer: () => line.advanceToNextTimer(),
    runUntilIdle: () => line.advanceTo(line.nowMs),
    setWall: (ms) => {
      wallOffsetMs = ms - line.nowMs
    },
    jumpWall: (deltaMs) => {
      wallOffsetMs += deltaMs
    },
    get timerCount() {
      return line.timerCount
    },
    fork: ({ label = '', wallOffsetMs: offsetMs = 0 } = {}) =>
      envOn(line, random.fork(label), line.nowMs + wallOffsetMs + offsetMs),
  }
  return self
}

interface VirtualTimer {
  readonly dueMs: number
  readonly callback: () => void
}

/** Time, timers and the two queues: one for all replicas of a test. */
class TimeLine {
  nowMs = 0
  readonly #timers = new Set<VirtualTimer>()
  #deferred: (() => void)[] = []
  #yielded: (() => void)[] = []

  get timerCount(): number {
    return this.#timers.size
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.nowMs + Math.max(0, delayMs), callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback)
    // A tick asked for from a microtask runs when the microtasks have drained: after the work in progress, before any I/O.
    if (this.#deferred.length === 1) queueMicrotask(() => process.nextTick(() => this.#runDeferred()))
  }

  yield(): Promise<void> {
    return new Promise((resolve) => {
      this.#yielded.push(resolve)
      if (this.#yielded.length === 1) setImmediate(() => this.#runYielded())
    })
  }

  async advanceTo(targetMs: number): Promise<void> {
    if (!(targetMs >= this.nowMs))
      throw new RangeError(`virtual time is ${this.nowMs} ms and cannot go to ${targetMs} ms`)
    await this.#settle()
    for (let next = this.#next(targetMs); next !== undefined; next = this.#next(targetMs)) await this.#fire(next)
    this.nowMs = targetMs
  }

  async advanceToNextTimer(): Promise<boolean> {
    await this.#settle()
    const next = this.#next(Infinity)
    if (next !== undefined) await this.#fire(next)
    return next !== undefined
  }

  #next(limitMs: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs > limitMs) continue
      // The set keeps the order of creation, so the earlier of two with one due time is met first.
      if (first === undefined || timer.dueMs < first.dueMs) first = timer
    }
    return first
  }

  async #fire(timer: VirtualTimer): Promise<void> {
    this.#timers.delete(timer)
    this.nowMs = Math.max(this.nowMs, timer.dueMs)
    timer.callback()
    await this.#settle()
  }

  /** One turn of the real event loop drains every promise; another one follows as long as something was left waiting. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (this.#deferred.length === 0 && this.#yielded.length === 0) return
    }
    throw new Error(`not idle after ${TURNS_MAX} turns at ${this.nowMs} ms: something defers or yields for ever`)
  }

  #runDeferred(): void {
    const callbacks = this.#deferred
    this.#deferred = []
    for (const callback of callbacks) callback()
  }

  #runYielded(): void {
    const resolvers = this.#yielded
    this.#yielded = []
    for (const resolve of resolvers) resolve()
  }
}
