/**
 * The only door through which time, timers and randomness enter the engine. The real ones are in
 * `adapters/node`; tests and the simulator bring their own, and then the same seed gives the same
 * run.
 */
export interface Timer {
  cancel(): void
}

export interface Env {
  /** Wall clock: milliseconds since 1970, an integer. May jump. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number
  /** Calls `callback` once after `delayMs`. Must not keep a process alive by itself. */
  schedule(delayMs: number, callback: () => void): Timer
  /** Calls `callback` after the work in progress, before the next I/O. */
  defer(callback: () => void): void
  /**
   * Lets I/O and other work proceed: resolves in a later turn of the event loop. For long work done
   * in steps.
   */
  yield(): Promise<void>
  /** `count` random bytes. */
  random(count: number): Uint8Array
  /**
   * Keeps the process alive until the returned function is called, for waits that end by a timer.
   * Absent where nothing ends by itself.
   */
  stayAlive?(): () => void
}
