/**
 * Whether the client has a connection. ioredis keeps requests until it has one again, which may be ten seconds and
 * more; who waits for a store wants to know at once. A connection that is lost may be there again in a moment, so
 * that is no outage yet: a try to connect that fails is one.
 */
import type { RedisClient } from './options.ts'

export class NoConnection extends Error {
  /** Nothing has been handed to the client. */
  readonly isUndone: boolean

  constructor(isUndone: boolean, cause: unknown) {
    super('there is no connection to the server, and the last try to connect failed', { cause })
    this.isUndone = isUndone
  }
}

export class RedisConnection {
  readonly #client: RedisClient
  #isReady: boolean
  #isDown = false
  #error: unknown
  readonly #asked = new Set<(error: NoConnection) => void>()

  constructor(client: RedisClient) {
    this.#client = client
    this.#isReady = client.status === 'ready'
    client.on('error', this.#heard)
    client.on('close', this.#closed)
    client.on('ready', this.#ready)
  }

  close(): void {
    this.#client.off('error', this.#heard)
    this.#client.off('close', this.#closed)
    this.#client.off('ready', this.#ready)
  }

  /** The answer, or an error as soon as there is an outage. Then the client may still send what it was handed. */
  async whileUp<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (this.#isDown) throw new NoConnection(true, this.#error)
    let giveUp = (_error: NoConnection): void => undefined
    const outage = new Promise<never>((_resolve, reject) => (giveUp = reject))
    this.#asked.add(giveUp)
    try {
      return await Promise.race([ask(), outage])
    } finally {
      this.#asked.delete(giveUp)
    }
  }

  /** Otherwise ioredis would print it. Requests fail with it as well. */
  readonly #heard = (error: unknown): void => {
    this.#error = error
  }

  readonly #closed = (): void => {
    this.#isDown ||= !this.#isReady
    this.#isReady = false
    if (this.#isDown) for (const giveUp of this.#asked) giveUp(new NoConnection(false, this.#error))
  }

  readonly #ready = (): void => {
    this.#isReady = true
    this.#isDown = false
  }
}
