/**
 * Where answers come: one subscription for all of them, told apart by the last token of the subject.
 * A question may have many answers; who asked closes its place.
 */
import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'

export interface ReplyPlace {
  /** To be given as the reply subject. */
  readonly subject: string
  close(): void
}

export class Inbox {
  readonly #subscription: Subscription
  readonly #base: string
  readonly #places = new Map<string, (message: Msg) => void>()
  #count = 0

  constructor(connection: NatsConnection, prefix: string | undefined) {
    this.#base = `${createInbox(prefix)}.`
    this.#subscription = connection.subscribe(`${this.#base}*`, {
      callback: (error, message) => {
        // What is not allowed is told by the connection's status.
        if (error === null) this.#places.get(message.subject.slice(this.#base.length))?.(message)
      },
    })
  }

  place(answered: (message: Msg) => void): ReplyPlace {
    const token = (++this.#count).toString(36)
    this.#places.set(token, answered)
    return { subject: this.#base + token, close: () => void this.#places.delete(token) }
  }

  close(): void {
    this.#places.clear()
    this.#subscription.unsubscribe()
  }
}
