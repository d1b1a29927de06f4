/** Who is told when a key changes. What a listener throws is told to somebody else, and the others are told all the same. */
import { asError } from '../../../crdt/warp-error.ts'
import type { GuestStatus } from './guest-types.ts'

export class Listeners {
  readonly #onError: (error: Error) => void
  readonly #keys = new Map<string, Set<() => void>>()
  readonly #any = new Set<(key: string) => void>()
  readonly #status = new Set<(status: GuestStatus) => void>()

  constructor(onError: (error: Error) => void) {
    this.#onError = onError
  }

  /** Whether anybody is told of this key. */
  hasFor(key: string): boolean {
    return this.#any.size > 0 || this.#keys.has(key)
  }

  ofKey(key: string, listener: () => void): () => void {
    const listeners = this.#keys.get(key) ?? new Set()
    this.#keys.set(key, listeners)
    // One function may be given twice.
    const own = (): void => listener()
    listeners.add(own)
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#keys.get(key) === listeners) this.#keys.delete(key)
    }
  }

  ofAny(listener: (key: string) => void): () => void {
    const own = (key: string): void => listener(key)
    this.#any.add(own)
    return () => this.#any.delete(own)
  }

  ofStatus(listener: (status: GuestStatus) => void): () => void {
    const own = (status: GuestStatus): void => listener(status)
    this.#status.add(own)
    return () => this.#status.delete(own)
  }

  tell(key: string): void {
    for (const listener of [...(this.#keys.get(key) ?? [])]) this.#call(listener)
    for (const listener of [...this.#any]) this.#call(() => listener(key))
  }

  tellStatus(status: () => GuestStatus): void {
    for (const listener of [...this.#status]) this.#call(() => listener(status()))
  }

  #call(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      this.#onError(asError(error))
    }
  }
}
