/**
 * A network inside one process: the executable specification of the broadcast port, and the one
 * that tests torment. Every pair of transports has a link each way, with its own delay, loss,
 * repetition, reordering, bandwidth and bounded queue; links can be cut, one way or both, and
 * healed. All chances come from one seeded generator, and with a virtual `Env` the same seed gives
 * the same run.
 *
 * Frames are copied on their way, as by a real network: a receiver never sees what the sender does
 * to its buffer later. A cut is silent, as in life, and swallows what is under way; healing tells
 * both ends that their peer is up.
 */
import { checkOptions } from '../../../crdt/checked-options.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { FRAME_BYTES_MAX } from '../../limits.ts'
import type { Transport, TransportLink, TransportReceiver } from '../transport.ts'
import { DirectedLink, type NetworkClock } from './directed-link.ts'
import { type Behaviour, FLAWLESS, type LinkSettings, LINK_SETTINGS, behaviour } from './link-settings.ts'
import { seededChance } from './seeded-chance.ts'

export interface MemoryNetworkSettings extends LinkSettings {
  /** Decides every loss, repetition and delay. Default 1. */
  readonly seed?: number
  /** Bytes that wait in one link, each way; a frame on top is dropped. Default 16 MiB. */
  readonly queueBytesMax?: number
}

export interface MemoryNetworkStats {
  readonly sentFrames: number
  readonly deliveredFrames: number
  readonly deliveredBytes: number
  /** By `loss`, by cuts, and because a queue was full or the receiver had gone. */
  readonly lostFrames: number
  readonly cutFrames: number
  readonly droppedFrames: number
  readonly repeatedFrames: number
  readonly reorderedFrames: number
  /** On their way now. */
  readonly queuedFrames: number
  readonly queuedBytes: number
}

/** A pair of transports, both ways. */
export interface LinkEnds {
  /** Changes how the link behaves, for frames sent from now on. Throws `WARP_E_CONFIG`. */
  set(settings: LinkSettings): void
}

export interface Direction {
  /** Only from the first to the second. Default `false`. */
  readonly oneWay?: boolean
}

export interface MemoryNetwork {
  /** A place on the network. Its name is its address; one open transport has a name at a time. */
  transport(name: string): Transport
  cut(a: string, b: string, direction?: Direction): void
  /** Undoes cuts: of one pair, of all links of `a`, or of everything. */
  heal(a?: string, b?: string): void
  /** Cuts every link between different groups. Names that are in no group keep their links. */
  partition(groups: readonly (readonly string[])[]): void
  link(a: string, b: string, direction?: Direction): LinkEnds
  /** Resolves when no frame is under way. */
  idle(): Promise<void>
  stats(): MemoryNetworkStats
}

const QUEUE_BYTES_MAX = 16 * 1024 * 1024
const NETWORK_SETTINGS = [...LINK_SETTINGS, 'seed', 'queueBytesMax', 'env']

/** `clock`: time and timers. `warp-engine/memory` takes the platform's by default. */
export function memoryNetworkOn(clock: NetworkClock, options: MemoryNetworkSettings = {}): MemoryNetwork {
  return new Network(clock, options)
}

class Network implements MemoryNetwork {
  readonly #receivers = new Map<string, TransportReceiver>()
  readonly #links = new Map<string, Map<string, DirectedLink>>()
  readonly #base: Behaviour
  readonly #clock: NetworkClock
  readonly #chance: () => number
  readonly #queueBytesMax: number
  #idleWaiters: (() => void)[] = []
  readonly #counts = { sent: 0, delivered: 0, bytes: 0, lost: 0, cut: 0, dropped: 0, repeated: 0, reordered: 0 }

  constructor(clock: NetworkClock, options: MemoryNetworkSettings) {
    checkOptions('memoryNetwork', options, NETWORK_SETTINGS)
    this.#base = behaviour(FLAWLESS, options)
    this.#clock = clock
    this.#chance = seededChance(options.seed ?? 1)
    this.#queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX
  }

  transport(name: string): Transport {
    return { kind: 'broadcast', name: `memory:${name}`, open: (receiver) => this.#open(name, receiver) }
  }

  cut(a: string, b: string, { oneWay = false }: Direction = {}): void {
    this.#link(a, b).isCut = true
    if (!oneWay) this.#link(b, a).isCut = true
  }

  heal(a?: string, b?: string): void {
    const healed: DirectedLink[] = []
    for (const link of this.#all()) {
      const concerned = [a, b].every((name) => name === undefined || name === link.from || name === link.to)
      if (!concerned || !link.isCut) continue
      link.isCut = false
      healed.push(link)
    }
    // Only when all of them are up: what an end says at once would otherwise still be cut.
    for (const link of healed) this.#tellUp(link.from, link.to)
  }

  partition(groups: readonly (readonly string[])[]): void {
    const members = groups.flatMap((group) => group.map((name) => ({ name, group })))
    for (const a of members) {
      for (const b of members) if (a.group !== b.group) this.cut(a.name, b.name)
    }
  }

  link(a: string, b: string, { oneWay = false }: Direction = {}): LinkEnds {
    const links = oneWay ? [this.#link(a, b)] : [this.#link(a, b), this.#link(b, a)]
    return {
      set: (settings) => {
        checkOptions('link', settings, LINK_SETTINGS)
        for (const link of links) link.behaviour = behaviour(link.behaviour, settings)
      },
    }
  }

  idle(): Promise<void> {
    if (this.stats().queuedFrames === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  stats(): MemoryNetworkStats {
    let queuedFrames = 0
    let queuedBytes = 0
    for (const link of this.#all()) {
      queuedFrames += link.queuedFrames
      queuedBytes += link.queuedBytes
    }
    return {
      sentFrames: this.#counts.sent,
      deliveredFrames: this.#counts.delivered,
      deliveredBytes: this.#counts.bytes,
      lostFrames: this.#counts.lost,
      cutFrames: this.#counts.cut,
      droppedFrames: this.#counts.dropped,
      repeatedFrames: this.#counts.repeated,
      reorderedFrames: this.#counts.reordered,
      queuedFrames,
      queuedBytes,
    }
  }

  #open(name: string, receiver: TransportReceiver): Promise<TransportLink> {
    if (this.#receivers.has(name)) {
      const error = new WarpError('WARP_E_CONFIG', `the memory network has an open transport ${name}; names are unique`)
      return Promise.reject(error)
    }
    this.#receivers.set(name, receiver)
    for (const other of this.#receivers.keys()) {
      if (other === name) continue
      this.#clock.defer(() => {
        this.#tellUp(name, other)
        this.#tellUp(other, name)
      })
    }
    return Promise.resolve(this.#linkOf(name, receiver))
  }

  #linkOf(name: string, receiver: TransportReceiver): TransportLink {
    const isOpen = (): boolean => this.#receivers.get(name) === receiver
    return {
      frameBytesMax: FRAME_BYTES_MAX,
      broadcast: (bytes) => {
        if (!isOpen()) return
        for (const other of this.#receivers.keys()) if (other !== name) this.#send(name, other, bytes)
      },
      send: (to, bytes) => isOpen() && this.#receivers.has(to) && this.#send(name, to, bytes),
      close: () => {
        if (!isOpen()) return Promise.resolve()
        this.#receivers.delete(name)
        for (const [other, peer] of this.#receivers) {
          if (!this.#link(name, other).isCut) peer.peerDown?.(name)
        }
        return Promise.resolve()
      },
    }
  }

  /** Returns `false` only if the queue is full: a sender does not learn of losses. */
  #send(from: string, to: string, bytes: Uint8Array): boolean {
    if (bytes.length > FRAME_BYTES_MAX) {
      throw new WarpError(
        'WARP_E_LIMIT',
        `a frame of ${bytes.length} bytes exceeds the ${FRAME_BYTES_MAX} of frameBytesMax`,
      )
    }
    const link = this.#link(from, to)
    const { loss, repeat, reorder } = link.behaviour
    this.#counts.sent++
    // Always three draws, so that one setting does not change what another one does.
    const [isLost, isRepeated, isReordered] = [this.#chance() < loss, this.#chance() < repeat, this.#chance() < reorder]
    if (link.isCut || isLost) {
      this.#counts[link.isCut ? 'cut' : 'lost']++
      return true
    }
    if (link.queuedBytes + bytes.length > this.#queueBytesMax) {
      this.#counts.dropped++
      return false
    }
    if (isReordered) this.#counts.reordered++
    link.carry(bytes.slice(), isReordered ? 'held up' : 'in order')
    if (isRepeated) {
      this.#counts.repeated++
      link.carry(bytes.slice(), 'repeat')
    }
    return true
  }

  #arrive(link: DirectedLink, bytes: Uint8Array): void {
    const receiver = this.#receivers.get(link.to)
    if (link.isCut) {
      this.#counts.cut++
    } else if (receiver === undefined || !this.#receivers.has(link.from)) {
      this.#counts.dropped++
    } else {
      this.#counts.delivered++
      this.#counts.bytes += bytes.length
      receiver.receive(link.from, bytes)
    }
    if (this.#idleWaiters.length === 0 || this.stats().queuedFrames > 0) return
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #tellUp(name: string, peer: string): void {
    if (!this.#receivers.has(peer) || this.#link(name, peer).isCut) return
    this.#receivers.get(name)?.peerUp?.(peer)
  }

  #link(from: string, to: string): DirectedLink {
    let links = this.#links.get(from)
    if (links === undefined) {
      links = new Map()
      this.#links.set(from, links)
    }
    let link = links.get(to)
    if (link === undefined) {
      link = new DirectedLink({ from, to }, this.#base, {
        clock: this.#clock,
        chance: this.#chance,
        arrive: (bytes) => this.#arrive(this.#link(from, to), bytes),
      })
      links.set(to, link)
    }
    return link
  }

  *#all(): IterableIterator<DirectedLink> {
    for (const links of this.#links.values()) yield* links.values()
  }
}
