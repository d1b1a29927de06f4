/**
 * The mesh's network without an operating system: machines with addresses, datagrams that are lost, repeated and overtaken by chance
 * from one seed, streams that keep their order, multicast groups, names, and links between machines that can be cut. On a virtual
 * clock the same seed gives the same run.
 *
 * Streams: a cut link holds bytes back until it is healed, as TCP does; a window of bytes counts as handed to the system, what is on
 * top of it waits and shows in `queuedBytes`. `crash` frees a machine's ports, kills its streams (the other ends see a reset) and
 * swallows what it still sends.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { DirectedLink } from '../../src/ports/memory-network/directed-link.ts'
import { type Behaviour, FLAWLESS, type LinkSettings, behaviour } from '../../src/ports/memory-network/link-settings.ts'
import { seededChance } from '../../src/ports/memory-network/seeded-chance.ts'
import type { Env } from '../../src/ports/env.ts'
import type { DatagramPort, Endpoint, MeshNetwork, OnDatagram } from '../../adapters/mesh/sockets/network.ts'
import { type Accept, FakeStreams } from './fake-mesh-streams.ts'

export interface FakeMeshNetworkOptions extends LinkSettings {
  readonly clock: Pick<Env, 'monotonic' | 'schedule' | 'defer'>
  readonly seed?: number
  /** What `resolve` knows beside IP literals. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  /** Default true. Without, joining a group is refused. */
  readonly hasMulticast?: boolean
}

/** A copy of what was sent, seen by a wire tap before chance and cuts. */
export type OnWire = (from: Endpoint, to: Endpoint, bytes: Uint8Array) => void

interface Bound {
  readonly host: string
  readonly onDatagram: OnDatagram
}

const EPHEMERAL_PORT_MIN = 40_000
const WILDCARDS = ['0.0.0.0', '::']

export class FakeMeshNetwork {
  readonly counts = { sent: 0, sentBytes: 0, delivered: 0, lost: 0, cut: 0, unbound: 0 }
  /** Changes what `resolve` answers. */
  readonly names: Map<string, readonly string[]>
  hasMulticast: boolean
  /** Sees every datagram that is sent. */
  onWire: OnWire | undefined
  readonly #clock: FakeMeshNetworkOptions['clock']
  readonly #chance: () => number
  readonly #links = new Map<string, DirectedLink>()
  readonly #bound = new Map<string, Bound>()
  readonly #groups = new Map<string, Set<Bound>>()
  readonly #streams: FakeStreams
  /** What becomes of a datagram when its link lets it out. */
  readonly #landings = new Map<Uint8Array, (bytes: Uint8Array) => void>()
  #base: Behaviour
  #nextPort = EPHEMERAL_PORT_MIN

  constructor(options: FakeMeshNetworkOptions) {
    this.#clock = options.clock
    this.#base = behaviour(FLAWLESS, options)
    this.#chance = seededChance(options.seed ?? 1)
    this.names = new Map(Object.entries(options.names ?? {}))
    this.hasMulticast = options.hasMulticast ?? true
    this.#streams = new FakeStreams({
      clock: options.clock,
      delayMs: () => this.#base.delayMs,
      isCut: (from, to) => this.#isCut(from, to),
      freePort: () => this.#nextPort++,
    })
  }

  /** The network as the machine with the address `host` sees it. */
  machine(host: string): MeshNetwork {
    return {
      bind: (local, onDatagram) => this.#bind(host, local, onDatagram),
      joinMulticast: (group, _on, onDatagram) => this.#join(host, group, onDatagram),
      listen: (local, accept: Accept) => this.#listen(host, local, accept),
      connect: (to, _from, handlers) => this.#streams.connect(host, to, handlers),
      resolve: (name) => this.#resolve(name),
    }
  }

  /** For datagrams sent from now on, on all links. */
  set(settings: LinkSettings): void {
    this.#base = behaviour(this.#base, settings)
    for (const link of this.#links.values()) link.behaviour = this.#base
  }

  cut(a: string, b: string, { oneWay = false }: { readonly oneWay?: boolean } = {}): void {
    this.#link(a, b).isCut = true
    if (!oneWay) this.#link(b, a).isCut = true
  }

  /** Undoes cuts: of one pair, of all links of `a`, or of everything. */
  heal(a?: string, b?: string): void {
    for (const link of this.#links.values()) {
      if ([a, b].every((host) => host === undefined || host === link.from || host === link.to)) link.isCut = false
    }
    this.#streams.resume()
  }

  crash(host: string): void {
    for (const [key, bound] of this.#bound) if (bound.host === host) this.#bound.delete(key)
    for (const members of this.#groups.values()) {
      for (const member of members) if (member.host === host) members.delete(member)
    }
    this.#streams.crash(host)
  }

  /** A datagram that nobody of the mesh has sent; `from` is whatever the forger says. */
  inject(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    this.#bound.get(keyOf(to))?.onDatagram(from, bytes.slice())
  }

  /** A stream that nobody of the mesh has opened. */
  get streams(): FakeStreams {
    return this.#streams
  }

  /** Datagrams under way. */
  get queuedCount(): number {
    let count = 0
    for (const link of this.#links.values()) count += link.queuedFrames
    return count
  }

  #bind(host: string, local: Endpoint, onDatagram: OnDatagram): Promise<DatagramPort> {
    const endpoint = { host, port: local.port === 0 ? this.#nextPort++ : local.port }
    const refusal = this.#refusal(host, local, this.#bound.has(keyOf(endpoint)), endpoint.port)
    if (refusal !== undefined) return Promise.reject(refusal)
    const bound = { host, onDatagram }
    const key = keyOf(endpoint)
    this.#bound.set(key, bound)
    const isOpen = (): boolean => this.#bound.get(key) === bound
    return Promise.resolve({
      local: { host: local.host, port: endpoint.port },
      queuedBytes: 0,
      send: (to, bytes) => {
        if (isOpen()) this.#send(endpoint, to, bytes)
      },
      sendMulticast: (group, bytes) => {
        if (!this.hasMulticast) throw new Error('no route to the group')
        if (isOpen()) this.#sendMulticast(endpoint, group, bytes)
      },
      close: () => {
        if (isOpen()) this.#bound.delete(key)
        return Promise.resolve()
      },
    })
  }

  #listen(host: string, local: Endpoint, accept: Accept): ReturnType<MeshNetwork['listen']> {
    const endpoint = { host, port: local.port === 0 ? this.#nextPort++ : local.port }
    const refusal = this.#refusal(host, local, this.#streams.isTaken(endpoint), endpoint.port)
    if (refusal !== undefined) return Promise.reject(refusal)
    const close = this.#streams.listen(endpoint, accept)
    return Promise.resolve({ local: { host: local.host, port: endpoint.port }, close })
  }

  #refusal(host: string, local: Endpoint, isTaken: boolean, port: number): WarpError | undefined {
    if (local.host !== host && !WILDCARDS.includes(local.host)) {
      return new WarpError('WARP_E_TRANSPORT', `${local.host} is no address of this machine`)
    }
    return isTaken ? new WarpError('WARP_E_TRANSPORT', `port ${port} of ${local.host} is taken`) : undefined
  }

  #join(host: string, group: Endpoint, onDatagram: OnDatagram): ReturnType<MeshNetwork['joinMulticast']> {
    if (!this.hasMulticast) return Promise.reject(new WarpError('WARP_E_TRANSPORT', 'this machine has no multicast'))
    const key = keyOf(group)
    const members = this.#groups.get(key) ?? new Set<Bound>()
    this.#groups.set(key, members)
    const member = { host, onDatagram }
    members.add(member)
    return Promise.resolve({
      close: () => {
        members.delete(member)
        return Promise.resolve()
      },
    })
  }

  #resolve(name: string): Promise<readonly string[]> {
    const addresses = this.names.get(name) ?? (/^[\d.]+$|:/.test(name) ? [name] : undefined)
    if (addresses !== undefined) return Promise.resolve(addresses)
    return Promise.reject(new WarpError('WARP_E_TRANSPORT', `the name ${name} has no address`))
  }

  #send(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    this.onWire?.(from, to, bytes.slice())
    this.#carry(from, to.host, bytes, (copy) => {
      const bound = this.#bound.get(keyOf(to))
      if (bound === undefined) this.counts.unbound++
      else bound.onDatagram(from, copy)
    })
  }

  #sendMulticast(from: Endpoint, group: Endpoint, bytes: Uint8Array): void {
    for (const member of this.#groups.get(keyOf(group)) ?? []) {
      this.#carry(from, member.host, bytes, (copy) => {
        if (this.#groups.get(keyOf(group))?.has(member) === true) member.onDatagram(from, copy)
      })
    }
  }

  #carry(from: Endpoint, host: string, bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    this.counts.sent++
    this.counts.sentBytes += bytes.length
    const link = this.#link(from.host, host)
    const { loss, repeat, reorder } = link.behaviour
    // Always three draws, so that one setting does not change what another one does.
    const [isLost, isRepeated, isReordered] = [this.#chance() < loss, this.#chance() < repeat, this.#chance() < reorder]
    if (link.isCut || isLost) {
      this.counts[link.isCut ? 'cut' : 'lost']++
      return
    }
    const travel = (isHeldUp: boolean): void => {
      const copy = bytes.slice()
      this.#landings.set(copy, arrive)
      link.carry(copy, isHeldUp ? 'held up' : 'in order')
    }
    travel(isReordered)
    if (isRepeated) travel(true)
  }

  #isCut(from: string, to: string): boolean {
    return this.#link(from, to).isCut
  }

  #link(from: string, to: string): DirectedLink {
    const key = `${from} ${to}`
    const known = this.#links.get(key)
    if (known !== undefined) return known
    const link: DirectedLink = new DirectedLink({ from, to }, this.#base, {
      clock: this.#clock,
      chance: this.#chance,
      arrive: (bytes) => this.#arrive(link, bytes),
    })
    this.#links.set(key, link)
    return link
  }

  #arrive(link: DirectedLink, bytes: Uint8Array): void {
    const land = this.#landings.get(bytes)
    this.#landings.delete(bytes)
    if (link.isCut) {
      this.counts.cut++
      return
    }
    this.counts.delivered++
    land?.(bytes)
  }
}

function keyOf({ host, port }: Endpoint): string {
  return `${host} ${port}`
}
