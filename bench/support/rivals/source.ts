/** The database behind the caches. A load reads when it begins and answers when its time is over. */
import { setTimeout as pause } from 'node:timers/promises'

export class Source {
  readonly #values = new Map<string, unknown>()
  delayMs = 0
  failure: Error | undefined
  loadsCount = 0
  /** How long the last load took, on a machine that may be busy. */
  tookMs = 0

  set(key: string, value: unknown): void {
    this.#values.set(key, value)
  }

  readonly load = async (key: string): Promise<unknown> => {
    this.loadsCount++
    const { failure } = this
    const value = this.#values.get(key)
    const since = performance.now()
    if (this.delayMs > 0) await pause(this.delayMs)
    this.tookMs = performance.now() - since
    if (failure !== undefined) throw failure
    // Of each reader's own, as from a driver.
    return structuredClone(value)
  }
}
