/** One direction between two transports of the memory network: carries frames with delay, in order unless told otherwise. */
import type { Env } from '../../env.ts'
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

  /** Owns `bytes` from here on. */
  carry(bytes: Uint8Array, isHeldUp: boolean): void {
    const now = this.#world.clock.monotonic()
    const dueMs = isHeldUp ? this.#heldUp(now) : this.#inOrder(now, bytes.length)
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
    const dueMs = this.#freeMs + delayMs + jitterMs * this.#world.chance()
    this.#lastMs = Math.max(this.#lastMs, dueMs)
    return this.#lastMs
  }

  #heldUp(now: number): number {
    const { delayMs, jitterMs } = this.behaviour
    return now + delayMs + this.#world.chance() * (delayMs + jitterMs + HELD_UP_MS)
  }
}
