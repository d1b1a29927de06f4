/**
 * Items that arrive on a socket, waiting for whoever takes them one by one. While many wait nothing is read, so that the other side stops
 * sending: memory is bounded however slow the taker is.
 */
import type { Socket } from 'node:net'

const WAITING_MAX = 64

/** Several inflows share a socket: it is read while none of them is full. */
export class Valve {
  readonly #socket: Socket
  readonly #full = new Set<object>()

  constructor(socket: Socket) {
    this.#socket = socket
  }

  set(inflow: object, isFull: boolean): void {
    if (isFull) this.#full.add(inflow)
    else this.#full.delete(inflow)
    if (this.#full.size > 0) this.#socket.pause()
    else this.#socket.resume()
  }
}

export class Inflow<Item> implements AsyncIterable<Item> {
  readonly #valve: Valve
  readonly #waiting: Item[] = []
  #ended: { readonly error?: Error } | undefined
  #wake: () => void = () => undefined

  constructor(valve: Valve) {
    this.#valve = valve
  }

  push(item: Item): void {
    if (this.#ended !== undefined) return
    if (this.#waiting.push(item) === WAITING_MAX) this.#valve.set(this, true)
    this.#wake()
  }

  /** What waits is still handed out. The first end counts. */
  end(error?: Error): void {
    this.#ended ??= error === undefined ? {} : { error }
    this.#wake()
  }

  /** Nobody takes items any more. */
  discard(): void {
    this.end()
    this.#waiting.length = 0
    this.#valve.set(this, false)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      const item = this.#waiting.shift()
      if (item !== undefined) {
        if (this.#waiting.length === WAITING_MAX >> 1) this.#valve.set(this, false)
        yield item
      } else if (this.#ended !== undefined) {
        if (this.#ended.error !== undefined) throw this.#ended.error
        return
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
  }
}
