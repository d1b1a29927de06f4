/**
 * The two clocks of one machine, derived from virtual time and wrong in their own ways: the wall
 * clock is off, drifts, jumps and stands still; the monotonic one begins anywhere with each boot
 * and stops while the machine is suspended. Each machine has its own.
 */

/** What the clocks of the world begin with. */
export const WALL_START_MS = 1_700_000_000_000

export class MachineClock {
  readonly #nowMs: () => number
  #wallAtMs: number
  #sinceMs: number
  /** Wall milliseconds per virtual one. */
  #rate = 1
  #monotonicOffsetMs: number
  /** How long the machine has slept in all. */
  sleptMs = 0
  /** The latest time that anybody has read. */
  latestMs = 0

  constructor(nowMs: () => number, wallMs: number, monotonicStartMs: number) {
    this.#nowMs = nowMs
    this.#wallAtMs = wallMs
    this.#sinceMs = nowMs()
    this.#monotonicOffsetMs = monotonicStartMs - nowMs()
  }

  get wallMs(): number {
    const ms = Math.floor(this.#wall())
    this.latestMs = Math.max(this.latestMs, ms)
    return ms
  }

  get monotonicMs(): number {
    return this.#nowMs() + this.#monotonicOffsetMs
  }

  set(wallMs: number): void {
    this.#wallAtMs = wallMs
    this.#sinceMs = this.#nowMs()
  }

  jump(byMs: number): void {
    this.set(this.#wall() + byMs)
  }

  /** Parts per million that it is too fast; -1,000,000 stands still. */
  drift(partsPerMillion: number): void {
    this.set(this.#wall())
    this.#rate = 1 + partsPerMillion / 1_000_000
  }

  /** The monotonic clock did not notice that so much time has passed. */
  slept(ms: number): void {
    this.sleptMs += ms
    this.#monotonicOffsetMs -= ms
  }

  /** A new boot. */
  restartMonotonic(startMs: number): void {
    this.#monotonicOffsetMs = startMs - this.#nowMs()
  }

  #wall(): number {
    return this.#wallAtMs + (this.#nowMs() - this.#sinceMs) * this.#rate
  }
}
