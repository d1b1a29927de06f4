/** Makes guest links over WebSockets: the platform's own, or those of `ws` where it has none. */
import { WarpError } from '../../crdt/warp-error.ts'
import { whenAborted } from '../../src/ports/abort-signals.ts'
import type { GuestLink, GuestLinkReceiver, LinkEnd } from '../../src/ports/guest-link/guest-link.ts'

/** What is used of a WebSocket: the standard's, and that of `ws`. */
interface SocketLike {
  binaryType: string
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null
  send(data: Uint8Array): void
  close(code?: number, reason?: string): void
}

type SocketMaker = new (url: string) => SocketLike

/** Codes below are the standard's own, and a client may send none of them but 1000. */
const OWN_CODES_MIN = 3000
const DONE = 1000
const REASON_CHARACTERS_MAX = 40

export async function dialWebSocket(url: string, signal: AbortSignal): Promise<GuestLink> {
  const Socket = await socketMaker()
  return new Promise((resolve, reject) => {
    const socket = new Socket(url)
    const refuse = (reason: string): void => {
      stop()
      reject(new WarpError('WARP_E_TRANSPORT', `no connection to the gateway at ${url}: ${reason}`))
    }
    const stop = whenAborted(signal, () => {
      refuse('given up')
      socket.close()
    })
    socket.binaryType = 'arraybuffer'
    socket.onerror = () => undefined
    socket.onclose = ({ code }) => refuse(`closed with ${code}`)
    socket.onopen = () => {
      stop()
      resolve(new DialledLink(socket))
    }
  })
}

/** A window's worth of writes waits in the guest, so the socket is not asked whether it is full. */
class DialledLink implements GuestLink {
  readonly #socket: SocketLike
  readonly #early: Uint8Array[] = []
  #receiver: GuestLinkReceiver | undefined
  #end: LinkEnd | undefined

  constructor(socket: SocketLike) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(0)
      if (this.#receiver === undefined) this.#early.push(frame)
      else this.#receiver.receive(frame)
    }
    socket.onclose = ({ code, reason }) => {
      this.#end = { code, reason }
      this.#receiver?.closed(this.#end)
    }
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount
  }

  open(receiver: GuestLinkReceiver): void {
    this.#receiver = receiver
    for (const frame of this.#early.splice(0)) receiver.receive(frame)
    if (this.#end !== undefined) receiver.closed(this.#end)
  }

  send(frame: Uint8Array): boolean {
    if (this.#end === undefined) this.#socket.send(frame)
    return true
  }

  close({ code, reason }: LinkEnd): void {
    this.#socket.close(code >= OWN_CODES_MIN ? code : DONE, reason.slice(0, REASON_CHARACTERS_MAX))
  }
}

async function socketMaker(): Promise<SocketMaker> {
  const own = (globalThis as { readonly WebSocket?: unknown }).WebSocket
  if (typeof own === 'function') return own as SocketMaker
  try {
    const { WebSocket } = await import('ws')
    return WebSocket as unknown as SocketMaker // its handlers take more than the standard's
  } catch (cause) {
    throw new WarpError(
      'WARP_E_CONFIG',
      'openGuest needs WebSockets, and this platform has none; install ws: npm install ws',
      {
        cause,
      },
    )
  }
}
