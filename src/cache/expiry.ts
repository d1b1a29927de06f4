/**
 * Lets go of values in memory whose life is over though nobody reads them: a hashed timer wheel
 * (Varghese and Lauck 1987) of slots, turned by one timer of `Env`. Reads do not rely on it: of a
 * value with a life each read asks the clock, since timers are late when the event loop is busy.
 */
import type { Env, Timer } from '../ports/env.ts'
import type { Slot } from '../keys/key-table.ts'

export const EXPIRY_TICK_MS = 50
const BUCKETS = 512

export class Expiry {
  readonly #env: Env
  readonly #due: (slot: Slot, nowMs: number) => number
  readonly #buckets: Slot[][] = Array.from({ length: BUCKETS }, () => [])
  readonly #registered = new Set<Slot>()
  #timer: Timer | undefined
  #tick = 0

  /**
   * `due` is asked when a slot's time seems to have come; it returns the time to ask again, or 0
   * for never.
   */
  constructor(env: Env, due: (slot: Slot, nowMs: number) => number) {
    this.#env = env
    this.#due = due
  }

  /**
   * Watches a slot that expires at `atMs`. Later times replace nothing: the slot is asked about
   * when its first one comes.
   */
  watch(slot: Slot, atMs: number): void {
    if (this.#registered.has(slot)) return
    this.#registered.add(slot)
    if (this.#timer === undefined) this.#start()
    this.#place(slot, atMs)
  }

  /**
   * The slot may become another key's. Its place on the wheel stays, and asks about whoever is
   * there then.
   */
  forget(slot: Slot): void {
    this.#registered.delete(slot)
  }

  /** All slots have become other keys'. */
  reset(): void {
    this.#registered.clear()
    for (const [bucket, slots] of this.#buckets.entries()) if (slots.length > 0) this.#buckets[bucket] = []
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#registered.clear()
  }

  #start(): void {
    this.#tick = Math.floor(this.#env.now() / EXPIRY_TICK_MS)
    this.#timer = this.#env.schedule(EXPIRY_TICK_MS, () => this.#turn())
  }

  #place(slot: Slot, atMs: number): void {
    const tick = Math.min(Math.max(Math.ceil(atMs / EXPIRY_TICK_MS), this.#tick + 1), this.#tick + BUCKETS - 1)
    this.#buckets[tick % BUCKETS]!.push(slot)
  }

  #turn(): void {
    const nowMs = this.#env.now()
    const target = Math.floor(nowMs / EXPIRY_TICK_MS)
    // A clock that jumped, either way, is caught up with in at most one round.
    const steps = Math.min(Math.abs(target - this.#tick), BUCKETS)
    const from = target >= this.#tick ? target - steps : this.#tick
    this.#tick = target
    for (let i = 1; i <= steps; i++) this.#empty((from + i) % BUCKETS, nowMs)
    this.#timer = this.#registered.size > 0 ? this.#env.schedule(EXPIRY_TICK_MS, () => this.#turn()) : undefined
  }

  #empty(bucket: number, nowMs: number): void {
    const slots = this.#buckets[bucket]!
    if (slots.length === 0) return
    this.#buckets[bucket] = []
    for (const slot of slots) {
      const again = this.#due(slot, nowMs)
      if (again === 0) this.#registered.delete(slot)
      else this.#place(slot, again)
    }
  }
}
