/**
 * The replica's hybrid logical clock (Kulkarni et al. 2014): every stamp is greater than every
 * stamp made or admitted before, whatever the wall clock does. Stamps too far ahead of the wall
 * clock may not move it.
 *
 * The wall clock may be set under a running process. It is compared with the monotonic clock when a
 * stamp is made, and a step beyond the bound is told. After a step back the stamps stay where they
 * were and lead the clock until it comes there; that is told as well, since other replicas do not
 * admit what lies further ahead than their bound.
 */
import { HLC_LOGICAL_STEPS, hlcFromMs, hlcToMs, nextHlc, type Hlc } from '../../crdt/time/hlc.ts'
import type { Env } from '../ports/env.ts'

export type ClockEvent =
  /**
   * The wall clock was set by so many milliseconds, or the machine has slept: told at the next
   * write. What was written in between is stamped by the clock as it was.
   */
  | { readonly kind: 'clock:stepped'; readonly stepMs: number }
  /**
   * What is written here is stamped further ahead of this replica's clock than `clockDriftMsMax`.
   * Other replicas take it in only when their clocks have come there. Once, until the clock has
   * caught up.
   */
  | { readonly kind: 'clock:ahead'; readonly aheadMs: number }

export class HybridClock {
  readonly #env: Env
  readonly #driftMsMax: number
  readonly #observe: (event: ClockEvent) => void
  #last: Hlc = 0
  /** Both clocks when they were last compared. */
  #wallMs: number
  #monotonicMs: number
  /** By how much the last stamp leads the wall clock, ms, if that is beyond the bound; otherwise 0. */
  aheadMs = 0

  constructor(env: Env, driftMsMax: number, observe: (event: ClockEvent) => void = () => undefined) {
    this.#env = env
    this.#driftMsMax = driftMsMax
    this.#observe = observe
    this.#wallMs = env.now()
    this.#monotonicMs = env.monotonic()
  }

  get last(): Hlc {
    return this.#last
  }

  /** The stamp of a new local operation. */
  tick(): Hlc {
    const nowMs = this.#env.now()
    // While writes go on, a step beyond the bound leaves this range: the monotonic clock need not be
    // asked for each stamp.
    if (nowMs < this.#wallMs || nowMs > this.#wallMs + this.#driftMsMax) this.#compare(nowMs)
    this.#last = nextHlc(this.#last, nowMs)
    if (this.aheadMs > 0 || this.#last > (nowMs + this.#driftMsMax + 1) * HLC_LOGICAL_STEPS) this.#lead(nowMs)
    return this.#last
  }

  /** The first of so many stamps that follow each other, all of one millisecond: at most 2,048. */
  ticks(count: number): Hlc {
    const first = this.tick()
    const ms = hlcToMs(first)
    const from = hlcToMs(first + count - 1) === ms ? first : hlcFromMs(ms + 1)
    this.#last = from + count - 1
    return from
  }

  #compare(nowMs: number): void {
    const monotonicMs = this.#env.monotonic()
    const stepMs = Math.round(nowMs - this.#wallMs - (monotonicMs - this.#monotonicMs))
    this.#wallMs = nowMs
    this.#monotonicMs = monotonicMs
    if (Math.abs(stepMs) > this.#driftMsMax) this.#tell({ kind: 'clock:stepped', stepMs })
  }

  #lead(nowMs: number): void {
    const before = this.aheadMs
    const aheadMs = hlcToMs(this.#last) - nowMs
    this.aheadMs = aheadMs > this.#driftMsMax ? aheadMs : 0
    if (before === 0 && this.aheadMs > 0) this.#tell({ kind: 'clock:ahead', aheadMs })
  }

  /** Not in the middle of a write: who is told may write as well. */
  #tell(event: ClockEvent): void {
    this.#env.defer(() => this.#observe(event))
  }

  /** Whether a stamp is further ahead of the wall clock than the drift allowed. */
  isAhead(hlc: Hlc): boolean {
    return hlc > this.#last && hlc > (this.#env.now() + this.#driftMsMax) * HLC_LOGICAL_STEPS
  }

  /** Moves past the stamp of an operation that has been admitted or recovered. */
  observe(hlc: Hlc): void {
    if (hlc > this.#last) this.#last = hlc
  }
}
