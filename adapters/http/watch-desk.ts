/** The consumers of `/watch` and `/channel`: how many there may be, and how they are let go. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocketServer } from 'ws'
import { WarpError } from '../../crdt/warp-error.ts'
import type { HttpSettings, WatchedEngine } from './options.ts'
import { EventStream } from './event-stream.ts'
import { Refusal, unavailable } from './refusals.ts'
import { channelMessageOf } from './channel-messages.ts'
import { messageOf } from './watch-messages.ts'
import { type Outlet, WatchPump } from './watch-pump.ts'
import { WebSocketStream } from './web-socket-stream.ts'

/** What somebody wants to follow. */
export type Wish = WatchWish | ChannelWish

export interface WatchWish {
  readonly route: 'watch'
  /** A key or a pattern. */
  readonly keys: string
  /** The cursor of an earlier message. */
  readonly from?: string
}

export interface ChannelWish {
  readonly route: 'channel'
  /** A channel or a pattern. */
  readonly channel: string
  readonly from?: string
  /** What is kept to begin with: all of it, or the newest so many messages of each channel. */
  readonly replay?: true | number
}

export interface Upgrade {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** Consumers have so long to hear that the server goes down. */
const CLOSING_MS_MAX = 1000
/** Nothing that a consumer says is read; more than this is cut off. */
const HEARD_BYTES_MAX = 1024

/** Of whatever it pumps. */
type Pump = Pick<WatchPump<unknown>, 'run' | 'close'>

interface Consumer {
  readonly pump: Pump
  readonly outlet: Outlet
  readonly over: Promise<void>
}

/** A watch or a subscription that somebody has asked for. */
interface Following {
  close(): void
  pumpTo(outlet: Outlet): Pump
}

export class WatchDesk {
  readonly #settings: HttpSettings
  readonly #consumers = new Set<Consumer>()
  #sockets: WebSocketServer | undefined

  constructor(settings: HttpSettings) {
    this.#settings = settings
  }

  /** Server-sent events, until either side ends them. Throws what the answer should be instead. */
  async stream(engine: WatchedEngine, wish: Wish, response: ServerResponse): Promise<void> {
    if (response.destroyed) return
    const consumer = this.#serve(this.#follow(engine, wish), new EventStream(response))
    response.on('close', () => consumer.pump.close())
    await consumer.over
  }

  /** The same over a WebSocket. */
  async upgrade(engine: WatchedEngine, wish: Wish, { request, socket, head }: Upgrade): Promise<void> {
    this.#assertRoom()
    const server = await this.#socketServer()
    if (socket.destroyed) return
    const following = this.#follow(engine, wish)
    // `ws` answers by itself what is no handshake, and does not call back then.
    socket.once('close', () => following.close())
    await new Promise<void>((resolve) => {
      socket.once('close', resolve)
      server.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => undefined)
        const consumer = this.#serve(following, new WebSocketStream(webSocket))
        webSocket.on('close', () => consumer.pump.close())
        void consumer.over.then(resolve)
      })
    })
  }

  /** Tells all of them, and waits until they are gone, no longer than a second. */
  async close(): Promise<void> {
    const consumers = [...this.#consumers]
    for (const { pump } of consumers) pump.close()
    const atOnce = setTimeout(() => {
      for (const { outlet } of this.#consumers) outlet.cutOff()
    }, CLOSING_MS_MAX)
    await Promise.all(consumers.map(({ over }) => over))
    clearTimeout(atOnce)
    this.#sockets?.close()
  }

  /** It runs from here on. */
  #follow(engine: WatchedEngine, wish: Wish): Following {
    this.#assertRoom()
    const settings = this.#settings
    const { pendingCountMax } = settings
    const options = { pendingCountMax, ...(wish.from === undefined ? {} : { from: wish.from }) }
    if (wish.route === 'watch') {
      const source = engine.watch(wish.keys, options)
      return {
        close: () => source.close(),
        pumpTo: (outlet) => new WatchPump({ source, shown: messageOf }, outlet, settings),
      }
    }
    const replay = wish.replay === undefined ? {} : { replay: wish.replay }
    const source = engine.channel(wish.channel).subscribe({ ...options, ...replay })
    return {
      close: () => source.close(),
      pumpTo: (outlet) => new WatchPump({ source, shown: channelMessageOf }, outlet, settings),
    }
  }

  #serve(following: Following, outlet: Outlet): Consumer {
    const pump = following.pumpTo(outlet)
    const over = pump.run().then(() => void this.#consumers.delete(consumer))
    const consumer: Consumer = { pump, outlet, over }
    this.#consumers.add(consumer)
    return consumer
  }

  #assertRoom(): void {
    const { watchesMax } = this.#settings
    if (this.#consumers.size < watchesMax) return
    throw unavailable(
      new WarpError('WARP_E_LIMIT', `${watchesMax} consumers watch already; come again in a moment`, {
        details: { limit: watchesMax },
      }),
    )
  }

  async #socketServer(): Promise<WebSocketServer> {
    if (this.#sockets !== undefined) return this.#sockets
    const { WebSocketServer: Sockets } = await import('ws').catch((cause: unknown) => {
      const problem = 'WebSockets need the package ws on the server; use server-sent events, or install it there'
      throw new Refusal(501, new WarpError('WARP_E_CONFIG', problem, { cause }))
    })
    const options = { noServer: true, clientTracking: false, maxPayload: HEARD_BYTES_MAX, perMessageDeflate: false }
    return (this.#sockets ??= new Sockets(options))
  }
}
