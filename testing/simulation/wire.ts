/**
 * The network of a simulation: the in-memory network with everything done to frames that can be
 * done. The transport port promises that frames arrive whole or not at all, so frames are sealed
 * with a checksum here, as the mesh authenticates its packets, and bits are flipped inside the
 * seal. What is truncated is given to the engine all the same, now and then: its decoders have to
 * withstand it.
 *
 *     sealed frame = crc32c:u32 sentMs:f64 frame
 *
 * Cuts are a set of directed pairs that somebody wants; they survive restarts of the machines at
 * their ends.
 *
 * In some runs the network watches its machines, as the mesh does (`wire-watch.ts`).
 */
import { crc32c } from '../../src/log/segments/crc32c.ts'
import type { PeerAddress, Transport, TransportLink, TransportReceiver } from '../../src/ports/transport.ts'
import type { LinkSettings } from '../../src/ports/memory-network/link-settings.ts'
import { type MemoryNetwork, memoryNetworkOn } from '../../src/ports/memory-network/memory-network.ts'
import type { Random } from '../world/random.ts'
import type { TimeLine } from '../world/time-line.ts'
import type { Life } from './life.ts'
import type { RunHistory } from './report/run-history.ts'
import type { Trace } from './report/trace.ts'
import { WireWatch } from './wire-watch.ts'

const SEAL_BYTES = 12
/** Small, so that a slow link is free again soon after it has become a fast one. */
const QUEUE_BYTES_MAX = 65_536

export interface WireOptions {
  readonly line: TimeLine
  readonly random: Random
  readonly trace: Trace
  readonly history: RunHistory
  /** Whether replicas are told who is there. */
  readonly watches: boolean
}

/** Shares of the frames that arrive. */
export interface Damage {
  readonly flipped: number
  readonly truncated: number
}

export class Wire {
  damage: Damage = { flipped: 0, truncated: 0 }
  /** The share of frames lost at their arrival, while it lasts. */
  burst = 0
  readonly #options: WireOptions
  readonly #network: MemoryNetwork
  readonly #random: Random
  readonly #names: string[] = []
  /** `from>to`. */
  #healedMs = -Infinity
  readonly #cuts = new Set<string>()
  /** The processes that are on the network. */
  readonly #lives = new Map<string, Life>()
  #settings: LinkSettings = {}

  constructor(options: WireOptions) {
    const { line } = options
    this.#options = options
    this.#random = options.random.fork('damage')
    const clock = {
      monotonic: () => line.nowMs,
      schedule: (delayMs: number, callback: () => void) => line.schedule(delayMs, callback),
      defer: (callback: () => void) => line.defer(callback),
    }
    this.#network = memoryNetworkOn(clock, { seed: options.random.uint32(), queueBytesMax: QUEUE_BYTES_MAX })
  }

  get stats(): ReturnType<MemoryNetwork['stats']> {
    return this.#network.stats()
  }

  /** The place of one process on the network. `onLink` gets what takes it off without a word. */
  transport(name: string, life: Life, onLink: (link: TransportLink) => void): Transport {
    this.#know(name)
    const inner = this.#network.transport(name)
    const open = async (receiver: TransportReceiver): Promise<TransportLink> => {
      const told = {
        peerUp: (peer: PeerAddress) => life.run(() => receiver.peerUp?.(peer)),
        peerDown: (peer: PeerAddress) => life.run(() => receiver.peerDown?.(peer)),
      }
      const watch = this.#options.watches ? this.#watch(name, life, told) : undefined
      this.#lives.set(name, life)
      const link = await inner.open({
        receive: (from, bytes) => this.#arrived({ from, to: name }, bytes, life, receiver),
        peerUp: (peer) => (watch ?? told).peerUp(peer),
        peerDown: (peer) => (watch ?? told).peerDown(peer),
      })
      onLink(link)
      return {
        frameBytesMax: link.frameBytesMax - SEAL_BYTES,
        broadcast: (bytes) => {
          if (life.isAlive) link.broadcast(this.#sealed(bytes))
        },
        send: (to, bytes) => life.isAlive && link.send(to, this.#sealed(bytes)),
        ...(watch === undefined ? {} : { peers: () => watch.peers() }),
        close: () => (life.isAlive ? link.close() : Promise.resolve()),
      }
    }
    return { kind: 'broadcast', name: inner.name, open }
  }

  /** A process is gone; `isNoticed`: its peers are told, as by a connection that breaks. */
  remove(name: string, link: TransportLink, isNoticed: boolean): void {
    if (!isNoticed) for (const other of this.#names) if (other !== name) this.#network.cut(name, other)
    void link.close()
    if (!isNoticed) {
      this.#network.heal(name)
      this.#applyCuts()
    }
  }

  /** All links, also those of machines still to come. */
  set(settings: LinkSettings): void {
    this.#settings = { ...this.#settings, ...settings }
    for (const a of this.#names) for (const b of this.#names) if (a < b) this.#network.link(a, b).set(this.#settings)
  }

  cut(pairs: readonly (readonly [from: string, to: string])[]): void {
    for (const [from, to] of pairs) this.#cuts.add(`${from}>${to}`)
    this.#applyCuts()
  }

  /** Undoes cuts, also those of the same pairs that somebody else wanted. */
  mend(pairs: readonly (readonly [from: string, to: string])[]): void {
    for (const [from, to] of pairs) this.#cuts.delete(`${from}>${to}`)
    for (const [from, to] of pairs) this.#network.heal(from, to)
    this.#applyCuts()
  }

  /**
   * Everything works again, and quickly. What was under way is gone: a repeat of long ago would
   * disturb those who have come to rest.
   */
  heal(): void {
    this.#healedMs = this.#options.line.nowMs
    this.#cuts.clear()
    this.damage = { flipped: 0, truncated: 0 }
    this.burst = 0
    this.set({ loss: 0, repeat: 0, reorder: 0, delayMs: 1, jitterMs: 0, delaySpread: 0, bandwidth: 1e9 })
    this.#network.heal()
  }

  #watch(name: string, life: Life, told: Required<Pick<TransportReceiver, 'peerUp' | 'peerDown'>>): WireWatch {
    const canReach = (other: string): boolean => {
      const its = this.#lives.get(other)
      if (its?.isAlive !== true || its.isPaused) return false
      return !this.#cuts.has(`${name}>${other}`) && !this.#cuts.has(`${other}>${name}`)
    }
    return new WireWatch({ line: this.#options.line, life, canReach, told })
  }

  #know(name: string): void {
    if (this.#names.includes(name)) return
    for (const other of this.#names) this.#network.link(name, other).set(this.#settings)
    this.#names.push(name)
  }

  #applyCuts(): void {
    for (const cut of this.#cuts) {
      const [from = '', to = ''] = cut.split('>')
      this.#network.cut(from, to, { oneWay: true })
    }
  }

  #sealed(frame: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(SEAL_BYTES + frame.length)
    sealed.set(frame, SEAL_BYTES)
    const view = new DataView(sealed.buffer)
    view.setFloat64(4, this.#options.line.nowMs)
    view.setUint32(0, crc32c(sealed, 4))
    return sealed
  }

  #arrived(
    ends: { readonly from: string; readonly to: string },
    sealed: Uint8Array,
    life: Life,
    receiver: TransportReceiver,
  ): void {
    const { trace, line, history } = this.#options
    const [isFlipped, isTruncated, isLost] = [
      this.#random.chance(this.damage.flipped),
      this.#random.chance(this.damage.truncated),
      this.#random.chance(this.burst),
    ]
    let frame = sealed.subarray(SEAL_BYTES)
    const view = new DataView(sealed.buffer, sealed.byteOffset)
    const sentMs = view.getFloat64(4)
    if (sentMs < this.#healedMs) return
    trace.bytes(line.nowMs, this.#names.indexOf(ends.from) * 256 + this.#names.indexOf(ends.to), sealed)
    if (isLost) {
      history.count('lost in a burst')
      trace.keep(() => ({ kind: 'lost', atMs: line.nowMs, ...ends, why: 'burst' }))
      return
    }
    if (isFlipped) {
      const bit = this.#random.below(sealed.length * 8)
      sealed[bit >> 3]! ^= 1 << (bit & 7)
      history.count('bit flip')
      if (view.getUint32(0) !== crc32c(sealed, 4)) {
        trace.keep(() => ({ kind: 'lost', atMs: line.nowMs, ...ends, why: 'bit flip' }))
        return
      }
    }
    if (isTruncated && frame.length > 0) {
      history.count('truncation')
      frame = frame.slice(0, this.#random.below(frame.length))
    }
    trace.keep(() => ({ kind: 'frame', atMs: line.nowMs, ...ends, sentMs }))
    life.run(() => receiver.receive(ends.from, frame))
  }
}
