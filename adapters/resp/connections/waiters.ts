/**
 * Commands that wait for keys: BLPOP and its like. Each tries again when something entered one of its keys,
 * written here or by another replica, in the order in which they began to wait; and a whole chunk or
 * transaction is done before anybody is served.
 */
import type { Env } from '../../../src/ports/env.ts'

export interface Waiter {
  /** As Warp has them. */
  readonly keys: readonly string[]
  /** Replies if it can, and says so. */
  readonly attempt: () => boolean
}

export class Waiters {
  readonly #env: Env
  readonly #byKey = new Map<string, Set<Waiter>>()
  readonly #ready = new Set<string>()
  #isServing = false
  #isPlanned = false

  constructor(env: Env) {
    this.#env = env
  }

  get count(): number {
    return new Set([...this.#byKey.values()].flatMap((waiters) => [...waiters])).size
  }

  add(waiter: Waiter): void {
    for (const key of waiter.keys) {
      const waiters = this.#byKey.get(key) ?? new Set<Waiter>()
      waiters.add(waiter)
      this.#byKey.set(key, waiters)
    }
  }

  remove(waiter: Waiter): void {
    for (const key of waiter.keys) {
      const waiters = this.#byKey.get(key)
      if (waiters?.delete(waiter) === true && waiters.size === 0) this.#byKey.delete(key)
    }
  }

  /** Something entered a key. */
  touched(key: string): void {
    if (this.#byKey.size === 0 || !this.#byKey.has(key)) return
    this.#ready.add(key)
    if (this.#isPlanned) return
    this.#isPlanned = true
    // What other replicas wrote comes in no command's turn.
    this.#env.defer(() => {
      this.#isPlanned = false
      this.serve()
    })
  }

  /** Serves who waits for keys that something has entered. What that writes may be waited for as well. */
  serve(): void {
    if (this.#isServing || this.#ready.size === 0) return
    this.#isServing = true
    try {
      for (const key of this.#ready) this.#serveKey(key)
    } finally {
      this.#isServing = false
    }
  }

  #serveKey(key: string): void {
    this.#ready.delete(key)
    for (const waiter of [...(this.#byKey.get(key) ?? [])]) if (waiter.attempt()) this.remove(waiter)
  }
}
