/** Clients of ioredis that print nothing: whoever asks is told by what it asked for. */
import { Redis } from 'ioredis'

export class RedisClients {
  readonly #clients: Redis[] = []

  open(url: string): Redis {
    return this.#kept(new Redis(url))
  }

  close(): void {
    for (const client of this.#clients) client.disconnect()
  }

  /** Some libraries make more of what they are given, for their subscriptions. */
  #kept(client: Redis): Redis {
    client.on('error', () => undefined)
    this.#clients.push(client)
    const duplicate = client.duplicate.bind(client)
    client.duplicate = (override) => this.#kept(duplicate(override))
    return client
  }
}
