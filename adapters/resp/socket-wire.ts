/** A socket, as a connection uses it. */
import type { Socket } from 'node:net'
import type { Wire } from './connections/connection.ts'

export class SocketWire implements Wire {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  write(binary: string): boolean {
    return this.#socket.write(binary, 'latin1')
  }

  end(): void {
    this.#socket.end()
    // Whoever does not close its side holds the memory of the connection.
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }
}
