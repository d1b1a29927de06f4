/**
 * Messages over a WebSocket of `ws`: each is a text of JSON. A ping is the sign of life; who does
 * not answer it before the next one is cut off. What the consumer says is not listened to.
 */
import type { WebSocket } from 'ws'
import { ConsumerGone, type HttpMessage, type Outlet } from './watch-pump.ts'

/** RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001
const INTERNAL_ERROR = 1011

export class WebSocketStream implements Outlet {
  readonly #socket: WebSocket
  #hasAnswered = true

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('pong', () => (this.#hasAnswered = true))
  }

  send(message: HttpMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      // Called when the operating system has taken it, so a full socket holds the next one back.
      this.#socket.send(JSON.stringify(message), (error) => {
        if (error === undefined || error === null) resolve()
        else reject(new ConsumerGone())
      })
    })
  }

  beat(): void {
    if (!this.#hasAnswered) {
      this.cutOff()
      return
    }
    this.#hasAnswered = false
    this.#socket.ping()
  }

  cutOff(): void {
    this.#socket.terminate()
  }

  end(isClosing: boolean): void {
    this.#socket.close(isClosing ? GOING_AWAY : INTERNAL_ERROR)
  }
}
