/**
 * Hands out snapshots, chunk by chunk, to replicas that are behind what has been compacted here.
 * The fetching replica pulls: it names the chunks that it wants, and those that it has, which are
 * forgotten. Chunks that have been sent are kept until they are acknowledged, so lost ones can be
 * sent again; the window bounds the memory.
 *
 * Few at one time: others are refused and come again. One that stops asking is dropped after a
 * while.
 */
import type { SnapshotChunk, SnapshotRequest } from '../wire/frames.ts'
import type { Peer } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'
import type { SnapshotExport } from '../../membership/snapshot-ports.ts'
import type { Position } from '../../operation/position.ts'

export interface SnapshotOffersOptions {
  readonly chunkBytes: number
  readonly exportsMax: number
  readonly idleMs: number
  readonly send: (peer: Peer, chunk: SnapshotChunk) => boolean
}

interface Offer {
  readonly transfer: number
  readonly number: number
  readonly source: SnapshotExport
  /** Records before this one are in it: it is handed out once they outlive this process. */
  readonly end: Position
  /** Chunks that have been made and not acknowledged; the first one has index `base`. */
  readonly chunks: Uint8Array[]
  base: number
  /** The number of chunks, once the source has ended. */
  length: number | undefined
  /** One chunk ahead, to know which is the last. */
  ahead: Uint8Array | undefined
  usedMs: number
}

const EMPTY = new Uint8Array(0)
const REFUSAL = { offer: 0, last: false, refused: true, vector: undefined, bytes: EMPTY }

export class SnapshotOffers {
  readonly #store: ReplicationStore
  readonly #options: SnapshotOffersOptions
  readonly #offers = new Map<Peer, Offer>()
  #chunkCount = 0
  #madeCount = 0

  constructor(store: ReplicationStore, options: SnapshotOffersOptions) {
    this.#store = store
    this.#options = options
  }

  get count(): number {
    return this.#offers.size
  }

  get chunkCount(): number {
    return this.#chunkCount
  }

  request(peer: Peer, wanted: SnapshotRequest, nowMs: number): void {
    const offer = this.#find(peer, wanted)
    if (offer === undefined) {
      const { transfer, from: index } = wanted
      this.#options.send(peer, { ...REFUSAL, transfer, index })
      return
    }
    offer.usedMs = nowMs
    if (wanted.acknowledged < offer.base) return
    offer.chunks.splice(0, wanted.acknowledged - offer.base)
    offer.base = wanted.acknowledged
    for (let index = wanted.from; index < wanted.from + wanted.count; index++) {
      if (!this.#sendChunk(peer, offer, index)) return
    }
  }

  expire(nowMs: number): void {
    for (const [peer, offer] of this.#offers) if (nowMs - offer.usedMs > this.#options.idleMs) this.forget(peer)
  }

  forget(peer: Peer): void {
    this.#offers.get(peer)?.source.close()
    this.#offers.delete(peer)
  }

  close(): void {
    for (const peer of [...this.#offers.keys()]) this.forget(peer)
  }

  #find(peer: Peer, { transfer, acknowledged, from }: SnapshotRequest): Offer | undefined {
    const known = this.#offers.get(peer)
    if (known?.transfer === transfer) return acknowledged <= known.base + known.chunks.length ? known : undefined
    if (from !== 0) return undefined
    // Numbers go up: a request of an earlier transfer that was under way for long does not end the
    // present one.
    if (known !== undefined && ((transfer - known.transfer) | 0) < 0) return undefined
    if (known === undefined && this.#offers.size >= this.#options.exportsMax) return undefined
    this.forget(peer)
    const source = this.#store.exportSnapshot(this.#options.chunkBytes)
    const { end } = this.#store
    const offer: Offer = {
      transfer,
      number: ++this.#madeCount >>> 0,
      source,
      end,
      chunks: [],
      base: 0,
      length: undefined,
      ahead: source.next(),
      usedMs: 0,
    }
    this.#offers.set(peer, offer)
    return offer
  }

  /**
   * Returns `false` at the end, when the peer's queue is full, and while not all is stored: it asks
   * again.
   */
  #sendChunk(peer: Peer, offer: Offer, index: number): boolean {
    if (this.#store.sendable < offer.end) return false
    // Those before it may have been asked for by a request that was lost; they are made on the way
    // and kept.
    while (offer.base + offer.chunks.length <= index && offer.length === undefined) this.#make(offer)
    const bytes = offer.chunks[index - offer.base]
    if (bytes === undefined) return false
    const chunk = {
      transfer: offer.transfer,
      offer: offer.number,
      index,
      last: index + 1 === offer.length,
      refused: false,
      vector: index === 0 ? offer.source.vector : undefined,
      bytes,
    }
    if (!this.#options.send(peer, chunk)) return false
    this.#chunkCount++
    return true
  }

  #make(offer: Offer): void {
    // A snapshot of nothing is one empty chunk, so that there is a last one.
    offer.chunks.push(offer.ahead ?? EMPTY)
    offer.ahead = offer.ahead === undefined ? undefined : offer.source.next()
    if (offer.ahead === undefined) offer.length = offer.base + offer.chunks.length
  }
}
