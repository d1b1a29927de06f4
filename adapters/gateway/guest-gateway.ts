/** A gateway over WebSockets: takes upgrades of an HTTP server, and hands them to the engine as links. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { refusedOption } from '../../crdt/checked-options.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { Gateway } from '../../src/guests/gateway/gateway.ts'
import { gatewaySettings, type GatewayOptions } from '../../src/guests/gateway/options.ts'
import { FRAME_BYTES_MAX } from '../../src/limits.ts'
import type { WebSocketServer } from 'ws'
import { WebSocketLink } from './web-socket-link.ts'

export interface GuestGatewayOptions extends GatewayOptions<IncomingMessage> {
  /**
   * Pages that may connect, by their `Origin`, such as `'https://app.example'`. Who sends none is no browser,
   * and is asked for its token alone. Default: no page.
   */
  readonly origins?: readonly string[]
  /** Where guests come to; other paths are left to others. Default `'/guests'`. */
  readonly path?: string
}

export interface GuestGateway {
  /** `server.on('upgrade', gateway.handleUpgrade)`, of node:http, and of what Express and Fastify listen with. */
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Guests that are there now. */
  readonly guestsCount: number
  /** Lets nobody in any more, answers what has been taken, and sends all guests elsewhere. Idempotent. */
  close(): Promise<void>
}

const OPTIONS = ['origins', 'path']
/** A frame holds one state at least. */
const PAYLOAD_BYTES_MAX = FRAME_BYTES_MAX + 64 * 1024

/**
 * Lets guests of a cluster in at this engine. Needs the package `ws`. Throws `WARP_E_CONFIG`.
 *
 *     const gateway = await guestGateway(warp, { authorize: async (token) => permissionOf(token) })
 *     server.on('upgrade', gateway.handleUpgrade)
 */
export async function guestGateway(warp: object, options: GuestGatewayOptions): Promise<GuestGateway> {
  const settings = gatewaySettings<IncomingMessage>(options, OPTIONS)
  const { origins = [], path = '/guests' } = options
  if (!Array.isArray(origins) || !origins.every((origin) => typeof origin === 'string'))
    throw refusedOption('guestGateway', 'origins', origins, "give a list such as ['https://app.example']")
  if (typeof path !== 'string' || !path.startsWith('/'))
    throw refusedOption('guestGateway', 'path', path, "give a path such as '/guests'")
  const gateway = new Gateway<IncomingMessage>(warp, settings)
  const { WebSocketServer: Server } = await importWs()
  const server = new Server({ noServer: true, maxPayload: PAYLOAD_BYTES_MAX, perMessageDeflate: false })
  const handleUpgrade: GuestGateway['handleUpgrade'] = (request, socket, head) => {
    if (pathOf(request.url) !== path) return
    const { origin } = request.headers
    const status = origin !== undefined && !origins.includes(origin) ? 403 : gateway.isFull ? 503 : undefined
    if (status === undefined)
      server.handleUpgrade(request, socket, head, (accepted) => gateway.connect(new WebSocketLink(accepted), request))
    else
      socket.end(
        `HTTP/1.1 ${status} ${status === 403 ? 'Forbidden' : 'Service Unavailable'}\r\nConnection: close\r\n\r\n`,
      )
  }
  await gateway.opened()
  return {
    handleUpgrade,
    get guestsCount() {
      return gateway.guestsCount
    },
    close: () => gateway.close(),
  }
}

function pathOf(url = '/'): string {
  return url.split('?', 1)[0] as string
}

async function importWs(): Promise<{ readonly WebSocketServer: typeof WebSocketServer }> {
  try {
    return await import('ws')
  } catch (cause) {
    throw new WarpError('WARP_E_CONFIG', 'guestGateway needs the package ws; install it: npm install ws', { cause })
  }
}
