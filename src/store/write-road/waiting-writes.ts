/**
 * Writes that wait until their key has been folded, which takes a long history many steps. Those of
 * one key keep the order in which they were asked for, and whoever reads the key finds them: a read
 * that is asked for after a write waits for it (`read-steadily.ts`). Writes of other keys do not
 * wait, so they may come before it. Closing waits for what was asked for before.
 */
import { WarpError } from '../../../crdt/warp-error.ts'
import { WAITING_WRITES_MAX } from '../../limits.ts'
import type { Env } from '../../ports/env.ts'

/** Of those that wait, so many follow each other in one turn of the event loop. */
const WRITES_PER_TURN = 1024

export class WaitingWrites {
  /** By key, what its last write ends with. */
  readonly #last = new Map<string, Promise<void>>()
  readonly #env: Env
  #count = 0
  /** Of this turn. */
  #left = WRITES_PER_TURN

  constructor(env: Env) {
    this.#env = env
  }

  /** Whether no write of any key waits. */
  get isEmpty(): boolean {
    return this.#count === 0
  }

  has(key: string): boolean {
    return this.#last.has(key)
  }

  /** Resolves when what waits now of a key has been written, or refused. */
  async rest(key: string): Promise<void> {
    await this.#last.get(key)
  }

  /** Resolves when nothing waits of any key. */
  async all(): Promise<void> {
    while (!this.isEmpty) await Promise.all(this.#last.values())
  }

  /** Runs `write` behind the writes of the key that wait already. Throws `WARP_E_LIMIT`. */
  add<Result>(key: string, write: () => Promise<Result>): Promise<Result> {
    if (this.#count >= WAITING_WRITES_MAX) throw tooMany(key)
    this.#count++
    const before = this.#last.get(key)
    const done =
      before === undefined ? write() : before.then(() => (--this.#left > 0 ? write() : this.#nextTurn(write)))
    const end = (): void => {
      this.#count--
      if (this.#last.get(key) === ended) this.#last.delete(key)
    }
    const ended = done.then(end, end)
    this.#last.set(key, ended)
    return done
  }

  /** Half of what waits, if that is more: who writes faster than a turn allows is caught up with. */
  async #nextTurn<Result>(write: () => Promise<Result>): Promise<Result> {
    this.#left = Math.max(WRITES_PER_TURN, this.#count / 2)
    await this.#env.yield()
    return write()
  }
}

function tooMany(key: string): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `'${key}' cannot be written: ${WAITING_WRITES_MAX} writes wait for keys that are being folded; await them`,
    { details: { key, limit: WAITING_WRITES_MAX } },
  )
}
