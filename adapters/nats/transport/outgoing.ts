/**
 * What is handed to the client and has not reached the server yet, in bytes: the client itself takes
 * everything, and keeps it. Told by the server's answer to a ping behind it.
 */
import type { Connection } from '../connection.ts'

/** So much is handed over between two pings, so that few bytes cost none. */
const PING_BYTES = 64 * 1024

export class Outgoing {
  readonly #connection: Connection
  readonly #bytesMax: number
  #bytes = 0
  /** Handed over since the last ping. */
  #sincePing = 0

  constructor(connection: Connection, bytesMax: number) {
    this.#connection = connection
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  hasRoomFor(bytes: number): boolean {
    return this.#connection.isUp && this.#bytes + bytes <= this.#bytesMax
  }

  /** `false` if there is no connection. */
  publish(subject: string, bytes: Uint8Array): boolean {
    if (!this.#connection.isUp) return false
    try {
      this.#connection.nats.publish(subject, bytes)
    } catch {
      // It was closed, or takes less than it said: replication repairs what is lost.
      return false
    }
    this.#bytes += bytes.length
    this.#sincePing += bytes.length
    if (this.#sincePing >= PING_BYTES) this.#ping()
    return true
  }

  /** The connection is lost, and with it what waited. */
  lost(): void {
    this.#bytes = 0
    this.#sincePing = 0
  }

  #ping(): void {
    const bytes = this.#sincePing
    this.#sincePing = 0
    const arrived = (): void => void (this.#bytes = Math.max(0, this.#bytes - bytes))
    void this.#connection.nats.flush().then(arrived, () => undefined)
  }
}
