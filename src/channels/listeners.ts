/** Running subscriptions, by what they listen to. */
import type { RunningSubscription } from './running-subscription.ts'

export class Listeners {
  readonly #all = new Set<RunningSubscription>()
  /** Those of one channel, by its name. */
  readonly #exact = new Map<string, Set<RunningSubscription>>()
  readonly #patterns = new Set<RunningSubscription>()

  get count(): number {
    return this.#all.size
  }

  all(): Iterable<RunningSubscription> {
    return this.#all
  }

  add(subscription: RunningSubscription): void {
    this.#all.add(subscription)
    const { exact } = subscription.name
    if (exact === undefined) {
      this.#patterns.add(subscription)
      return
    }
    const same = this.#exact.get(exact) ?? new Set()
    this.#exact.set(exact, same)
    same.add(subscription)
  }

  remove(subscription: RunningSubscription): void {
    this.#all.delete(subscription)
    this.#patterns.delete(subscription)
    const { exact } = subscription.name
    const same = exact === undefined ? undefined : this.#exact.get(exact)
    if (same?.delete(subscription) === true && same.size === 0) this.#exact.delete(exact as string)
  }

  /** Whether anybody listens to a channel. */
  has(channel: string): boolean {
    if (this.#exact.has(channel)) return true
    for (const { name } of this.#patterns) if (name.matches(channel)) return true
    return false
  }

  *of(channel: string): IterableIterator<RunningSubscription> {
    yield* this.#exact.get(channel) ?? []
    for (const subscription of this.#patterns) if (subscription.name.matches(channel)) yield subscription
  }
}
