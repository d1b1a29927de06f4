/**
 * An `Env` on virtual time: the same seed gives the same run, an hour costs nothing, and nobody
 * sleeps.
 *
 * Timers fire only inside `advance` and `advanceToNextTimer`, in the order of their due time and
 * then of their creation, and everything that a timer set going (promises, deferred callbacks,
 * yields) has come to rest before the next one fires. Deferred callbacks and yields need no
 * driving: they run by themselves once the work in progress and the promises that it settled are
 * done, as in Node, so that a test may simply `await` a write. `defer` keeps the order of its
 * calls.
 *
 * Several replicas live on one time line, each with a wall clock and random numbers of its own:
 * `fork`.
 *
 * Not covered: waiting for real I/O (files, sockets). `runUntilIdle` cannot know of it.
 */
import type { Env } from '../../src/ports/env.ts'
import { type Random, seededRandom } from './random.ts'
import { TimeLine } from './time-line.ts'

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
  /**
   * Fires what is due now and waits until promises, deferred callbacks and yields have come to
   * rest. Time stands still.
   */
  runUntilIdle(): Promise<void>
  /**
   * Sets this Env's wall clock; it goes on from there with virtual time. Timers do not notice, as
   * in life.
   */
  setWall(ms: number): void
  /** Moves this Env's wall clock by `deltaMs`, either way. */
  jumpWall(deltaMs: number): void
  /** Timers that wait, of all forks together. */
  readonly timerCount: number
  /**
   * Another replica's Env on the same time line: own wall clock (`wallOffsetMs` from this one's),
   * own random numbers.
   */
  fork(options?: { readonly label?: string; readonly wallOffsetMs?: number }): VirtualEnv
}

export const VIRTUAL_START_MS = 1_700_000_000_000

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
