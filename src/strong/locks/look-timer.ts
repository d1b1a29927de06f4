/**
 * Nothing becomes of a lock before a record comes: so whoever waits for one appends a record when its
 * holder's time is over by the log's clock, as far as that is known here. Of several replicas that
 * wait the one that is next does so first.
 */
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { lockCommand } from './tables/lock-acts.ts'
import type { LockDesk } from './lock-desk.ts'
import { dueMsOf } from './tables/lock-state.ts'

/** The log's clock shows whole ms. */
const SLACK_MS = 2
/** A replica gives each of those before it so long to look. */
const TURN_MS = 40
const TURNS_MAX = 6
/** After a look in vain (the log's clock was set back, say) the next one is put off, up to so long. */
const VAIN_MS = 20
const VAIN_MS_MAX = 5000

export class LookTimer {
  readonly #env: Env
  readonly #desk: LockDesk
  readonly #partition: number
  /** Locks that are waited for here, and how often. */
  readonly #names = new Map<string, number>()
  #timer: Timer | undefined
  #isPlanned = false
  #isLooking = false
  #vainCount = 0

  constructor(env: Env, desk: LockDesk, partition: number) {
    this.#env = env
    this.#desk = desk
    this.#partition = partition
  }

  /** Returns how to say that the wait is over. */
  wait(name: string): () => void {
    this.#names.set(name, (this.#names.get(name) ?? 0) + 1)
    this.#planSoon()
    return () => {
      const count = (this.#names.get(name) ?? 0) - 1
      if (count > 0) this.#names.set(name, count)
      else this.#names.delete(name)
      this.#planSoon()
    }
  }

  /** Something has become of a lock. */
  noteChange(): void {
    this.#vainCount = 0
    if (this.#names.size > 0) this.#planSoon()
  }

  #planSoon(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#env.defer(() => {
      this.#isPlanned = false
      this.#plan()
    })
  }

  #plan(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#isLooking) return
    const nowMs = this.#desk.timeMs(this.#partition)
    let delayMs = Infinity
    for (const name of this.#names.keys()) delayMs = Math.min(delayMs, this.#delayMs(name, nowMs))
    if (delayMs === Infinity) return
    this.#timer = this.#env.schedule(delayMs, () => this.#look())
  }

  #delayMs(name: string, nowMs: number): number {
    const lock = this.#desk.locksOf(this.#partition).get(name)
    const before = new Set<string>()
    for (const { author } of lock.waiters) {
      if (author === this.#desk.author) break
      before.add(author)
    }
    const turnMs = SLACK_MS + Math.min(before.size, TURNS_MAX) * TURN_MS
    const vainMs = this.#vainCount === 0 ? 0 : Math.min(VAIN_MS * 2 ** this.#vainCount, VAIN_MS_MAX)
    return Math.max(0, dueMsOf(lock) - nowMs) + Math.max(turnMs, vainMs)
  }

  #look(): void {
    this.#timer = undefined
    const table = this.#desk.locksOf(this.#partition)
    const nowMs = this.#desk.timeMs(this.#partition)
    // It may have been renewed meanwhile.
    if (![...this.#names.keys()].some((name) => dueMsOf(table.get(name)) <= nowMs)) {
      this.#plan()
      return
    }
    this.#isLooking = true
    this.#vainCount++
    const over = (): void => {
      this.#isLooking = false
      this.#planSoon()
    }
    ignoreOutcome(this.#desk.submit(this.#partition, lockCommand({ act: 'look' })).then(over, over))
  }
}
