/** A guest link over a WebSocket of `ws`, as the gateway has it. */
import type { WebSocket } from 'ws'
import type { GuestLink, GuestLinkReceiver, LinkEnd } from '../../src/ports/guest-link/guest-link.ts'

/** What waits in a socket before no more is sent: the log is the queue. */
const WINDOW_BYTES = 1024 * 1024
/** A close frame has room for so many bytes. */
const REASON_CHARACTERS_MAX = 40

export class WebSocketLink implements GuestLink {
  readonly #socket: WebSocket
  #isFull = false

  constructor(socket: WebSocket) {
    this.#socket = socket
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  open(receiver: GuestLinkReceiver): void {
    const socket = this.#socket
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      // A text is no frame: it is refused as what it is.
      receiver.receive(isBinary ? data : new Uint8Array(0))
    })
    socket.on('close', (code: number, reason: Buffer) => receiver.closed({ code, reason: reason.toString() }))
    // What `close` tells behind it is all there is to know.
    socket.on('error', () => undefined)
    this.#drained = () => receiver.drained()
  }

  send(frame: Uint8Array): boolean {
    this.#socket.send(frame, () => {
      if (!this.#isFull || this.#socket.bufferedAmount > WINDOW_BYTES / 2) return
      this.#isFull = false
      this.#drained()
    })
    if (this.#socket.bufferedAmount > WINDOW_BYTES) this.#isFull = true
    return !this.#isFull
  }

  close({ code, reason }: LinkEnd): void {
    this.#socket.close(code, reason.slice(0, REASON_CHARACTERS_MAX))
  }

  #drained: () => void = () => undefined
}
