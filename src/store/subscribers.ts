/** Who is told of every operation that enters, in log order. A list that is copied when it changes, so that telling costs no copy. */
import type { Entered, Subscriber } from './draft.ts'

export class Subscribers {
  #list: readonly Subscriber[] = []

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  /** Returns how to unsubscribe. */
  add(subscriber: Subscriber): () => void {
    this.#list = [...this.#list, subscriber]
    return () => {
      this.#list = this.#list.filter((other) => other !== subscriber)
    }
  }

  tell(entered: Entered): void {
    for (const subscriber of this.#list) subscriber(entered)
  }
}
