/**
 * The peers of the configuration: `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
 *
 * Names are resolved to all of their addresses, again every RESOLVED_EVERY_MS, because in clusters
 * names outlive addresses; never because something arrived. An address that a name no longer has is
 * let go, but a name that cannot be resolved for the moment keeps what it had. A peer none of whose
 * addresses answers for UNREACHABLE_AFTER_MS is reported once, until one does.
 */
import { type TransportReport, WarpError } from '../../../src/index.ts'
import { addressOf, type MeshClock } from '../contacts/contact.ts'
import { canonicalIp, parseIp } from '../sockets/ip-address.ts'
import type { Endpoint, MeshNetwork } from '../sockets/network.ts'

export const STATIC_PEERS_MAX = 256
/** Of one name. */
export const ADDRESSES_MAX = 64
export const RESOLVED_EVERY_MS = 30_000
export const UNREACHABLE_AFTER_MS = 5000

const HOST_NAME = /^[\w-]([\w.-]{0,251}[\w-])?\.?$/

/** A peer as it was configured; `host` may be a name. */
export function parsePeer(text: string, defaultPort: number): Endpoint {
  const [, bracketed, plain = text, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  const number = port === undefined ? defaultPort : Number(port)
  const isLiteral = parseIp(host.split('%', 1)[0] ?? '') !== undefined
  const isHost = host.includes(':') ? isLiteral : bracketed === undefined && HOST_NAME.test(host)
  if (isHost && number > 0 && number < 65_536) return { host, port: number }
  throw new WarpError('WARP_E_CONFIG', `the peer ${JSON.stringify(text)} is no 'host', 'host:port' or '[ipv6]:port'`)
}

export interface StaticPeersOptions {
  readonly network: Pick<MeshNetwork, 'resolve'>
  readonly clock: MeshClock
  readonly peers: readonly string[]
  readonly defaultPort: number
  /** One of its addresses, by its name or itself. */
  readonly onFound: (endpoint: Endpoint) => void
  readonly onGone: (endpoint: Endpoint) => void
  /** Somebody is there, or we are ourselves. */
  readonly isReached: (endpoint: Endpoint) => boolean
  readonly report: (report: TransportReport) => void
}

interface StaticPeer {
  readonly text: string
  readonly configured: Endpoint
  endpoints: readonly Endpoint[]
  /** Absent when it resolved. */
  refusal: unknown
  isResolving: boolean
  resolvedMs: number
  reachedMs: number
  isReported: boolean
}

export class StaticPeers {
  readonly #options: StaticPeersOptions
  readonly #peers: readonly StaticPeer[]
  #isClosed = false

  constructor(options: StaticPeersOptions) {
    const { peers, defaultPort, clock } = options
    if (peers.length > STATIC_PEERS_MAX)
      throw new WarpError('WARP_E_CONFIG', `${peers.length} static peers; ${STATIC_PEERS_MAX} at most: name a few`)
    this.#options = options
    this.#peers = peers.map((text) => ({
      text,
      configured: parsePeer(text, defaultPort),
      endpoints: [],
      refusal: undefined,
      isResolving: false,
      resolvedMs: -Infinity,
      reachedMs: clock.monotonic(),
      isReported: false,
    }))
  }

  /** Resolves what is due and reports who does not answer. Called now and then. */
  look(): void {
    const nowMs = this.#options.clock.monotonic()
    for (const peer of this.#peers) {
      if (!peer.isResolving && nowMs - peer.resolvedMs >= RESOLVED_EVERY_MS) void this.#resolve(peer)
      this.#watch(peer, nowMs)
    }
  }

  close(): void {
    this.#isClosed = true
  }

  async #resolve(peer: StaticPeer): Promise<void> {
    const { network, clock } = this.#options
    const { host, port } = peer.configured
    peer.isResolving = true
    try {
      // As answers show where they come from.
      const hosts = [...new Set((await network.resolve(host)).map(canonicalIp))]
      peer.refusal = undefined
      if (!this.#isClosed)
        this.#replace(
          peer,
          hosts.slice(0, ADDRESSES_MAX).map((address) => ({ host: address, port })),
        )
    } catch (error) {
      peer.refusal = error
    }
    peer.isResolving = false
    // A name without an address is asked for sooner: it has perhaps just been given out.
    peer.resolvedMs = clock.monotonic() - (peer.endpoints.length === 0 ? RESOLVED_EVERY_MS - 1000 : 0)
  }

  #replace(peer: StaticPeer, endpoints: readonly Endpoint[]): void {
    const former = peer.endpoints
    peer.endpoints = endpoints
    const used = new Set(this.#peers.flatMap((other) => other.endpoints.map(addressOf)))
    for (const endpoint of former) if (!used.has(addressOf(endpoint))) this.#options.onGone(endpoint)
    for (const endpoint of endpoints) this.#options.onFound(endpoint)
  }

  #watch(peer: StaticPeer, nowMs: number): void {
    if (peer.endpoints.some((endpoint) => this.#options.isReached(endpoint))) {
      peer.reachedMs = nowMs
      peer.isReported = false
    }
    if (peer.isReported || nowMs - peer.reachedMs <= UNREACHABLE_AFTER_MS) return
    peer.isReported = true
    this.#options.report({ kind: 'peer:unreachable', address: peer.text, error: unreachable(peer) })
  }
}

function unreachable({ text, configured, endpoints, refusal }: StaticPeer): WarpError {
  const { host, port } = configured
  const advice =
    endpoints.length === 0
      ? `the name ${host} has no address; check its spelling and the machine's resolver`
      : `check that it runs, that UDP and TCP port ${port} are open between the machines, that it is bound to an address that can be reached from here, and that both have the same clusterKey and cluster`
  const message = `the peer ${text} has not answered for ${UNREACHABLE_AFTER_MS / 1000} s; ${advice}. Warp keeps trying`
  return new WarpError('WARP_E_TRANSPORT', message, { details: { peer: text }, cause: refusal })
}
