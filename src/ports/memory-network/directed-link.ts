/**
 * One direction between two transports of the memory network: carries frames with delay, in order
 * unless told otherwise.
 */
import type { Env } from '../env.ts'
import type { Behaviour } from './link-settings.ts'

export type NetworkClock = Pick<Env, 'monotonic' | 'schedule' | 'defer'>

export interface LinkWorld {
  readonly clock: NetworkClock
  /** A number in [0, 1). */
  readonly chance: () => number
  readonly arrive: (bytes: Uint8Array) => void
}

/** A frame that is held up comes up to this much later, on top of twice the delay. */
const HELD_UP_MS = 20

/** Scattered delays end here. */
const SCATTERED_MS_MAX = 10_000

export class DirectedLink {
  readonly from: string
  readonly to: string
  behaviour: Behaviour
  isCut = false
  queuedFrames = 0
  queuedBytes = 0
  readonly #world: LinkWorld
  /** When the last frame that keeps the order arrives, and when the line is free. */
  #lastMs = 0
  #freeMs = 0

  constructor(ends: { readonly from: string; readonly to: string }, behaviour: Behaviour, world: LinkWorld) {
    this.from = ends.from
    this.to = ends.to
    this.behaviour = behaviour
    this.#world = world
  }

  /** Owns `bytes` from here on. `'repeat'`: as if it were held up, and later still. */
  carry(bytes: Uint8Array, how: 'in order' | 'held up' | 'repeat'): void {
    const now = this.#world.clock.monotonic()
    const lateMs = how === 'repeat' ? this.#lateMs() : 0
    const dueMs = (how === 'in order' ? this.#inOrder(now, bytes.length) : this.#heldUp(now)) + lateMs
    this.queuedFrames++
    this.queuedBytes += bytes.length
    const arrive = (): void => {
      this.queuedFrames--
      this.queuedBytes -= bytes.length
      this.#world.arrive(bytes)
    }
    if (dueMs <= now) this.#world.clock.defer(arrive)
    else this.#world.clock.schedule(dueMs - now, arrive)
  }

  #inOrder(now: number, bytes: number): number {
    const { delayMs, jitterMs, bandwidth } = this.behaviour
    this.#freeMs = Math.max(now, this.#freeMs) + (bytes * 1000) / bandwidth
    const dueMs = this.#freeMs + this.#scattered(delayMs) + jitterMs * this.#world.chance()
    this.#lastMs = Math.max(this.#lastMs, dueMs)
    return this.#lastMs
  }

  #heldUp(now: number): number {
    const { delayMs, jitterMs } = this.behaviour
    return now + this.#scattered(delayMs) + this.#world.chance() * (delayMs + jitterMs + HELD_UP_MS)
  }

  #lateMs(): number {
    const { repeatDelayMs } = this.behaviour
    return repeatDelayMs === 0 ? 0 : repeatDelayMs * this.#world.chance()
  }

  /** `delayMs` times a factor with a log-normal distribution (Box and Muller 1958). */
  #scattered(delayMs: number): number {
    const { delaySpread } = this.behaviour
    if (delaySpread === 0) return delayMs
    const radius = Math.sqrt(-2 * Math.log(1 - this.#world.chance()))
    const factor = Math.exp(delaySpread * radius * Math.cos(2 * Math.PI * this.#world.chance()))
    return Math.min(delayMs * factor, Math.max(delayMs, SCATTERED_MS_MAX))
  }
}
