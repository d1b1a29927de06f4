/**
 * Who keeps compaction from dropping records that are still being read: exports, offers of snapshots, feeds. Each hold says whose it is
 * and since when, so that a log which only grows can be explained.
 */
import type { Env, Timer } from '../ports/env.ts'
import type { Position } from '../operation/position.ts'

/** A hold as it is shown. */
export interface HeldBy {
  /** What holds, in words: `an export`, `projection totals`. */
  readonly name: string
  /** When it began, in milliseconds since 1970 by the wall clock of this replica. */
  readonly sinceMs: number
  /** Records from here on stay as they are; 0 if everything does. */
  readonly from: Position
}

export interface HoldOptions {
  /** Records from here on stay. Default 0: everything does, and nothing is folded. */
  readonly from?: Position
  /** The hold ends by itself when it has not advanced for so long, in milliseconds. Default: never. */
  readonly boundMs?: number
  /** Told once when the bound has ended the hold. Not told of `release`. */
  readonly onLost?: () => void
}

export class Holds {
  readonly #env: Env
  readonly #holds = new Set<Hold>()

  constructor(env: Env) {
    this.#env = env
  }

  /** Keeps records until the hold is released or, if it has a bound, lost. */
  take(name: string, options: HoldOptions = {}): Hold {
    const hold: Hold = new Hold(this.#env, { ...options, name, onOver: () => void this.#holds.delete(hold) })
    this.#holds.add(hold)
    return hold
  }

  /** Whether everything has to stay as it is. */
  get isWhole(): boolean {
    return this.from === 0
  }

  /** Records from here on have to stay as they are; `Infinity` if nothing is held. */
  get from(): Position {
    let from = Number.POSITIVE_INFINITY
    for (const hold of this.#holds) if (hold.from < from) from = hold.from
    return from
  }

  /** Oldest first. */
  list(): HeldBy[] {
    return [...this.#holds].map(({ name, sinceMs, from }) => ({ name, sinceMs, from }))
  }
}

interface Terms extends HoldOptions {
  readonly name: string
  readonly onOver: () => void
}

export class Hold implements HeldBy {
  readonly name: string
  readonly sinceMs: number
  readonly #env: Env
  readonly #terms: Terms
  #from: Position
  #advancedMs: number
  #timer: Timer | undefined
  #isOver = false
  #isLost = false

  constructor(env: Env, terms: Terms) {
    this.name = terms.name
    this.sinceMs = env.now()
    this.#env = env
    this.#terms = terms
    this.#from = terms.from ?? 0
    this.#advancedMs = env.monotonic()
    if (terms.boundMs !== undefined) this.#watch(terms.boundMs, terms.boundMs)
  }

  get from(): Position {
    return this.#from
  }

  /** The hold did not advance within its bound: records behind `from` may be gone. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Records before `to` are not needed any more. A hold never goes back. */
  advance(to: Position): void {
    if (to <= this.#from) return
    this.#from = to
    this.#advancedMs = this.#env.monotonic()
  }

  /** Lets go. Idempotent. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer?.cancel()
    this.#terms.onOver()
  }

  #watch(boundMs: number, delayMs: number): void {
    this.#timer = this.#env.schedule(delayMs, () => {
      const leftMs = this.#advancedMs + boundMs - this.#env.monotonic()
      if (leftMs > 0) {
        this.#watch(boundMs, leftMs)
        return
      }
      this.#isLost = true
      this.release()
      this.#terms.onLost?.()
    })
  }
}
