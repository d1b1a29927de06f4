/**
 * Hands out snapshots, chunk by chunk, to replicas that are behind what has been compacted here.
 * The fetching replica pulls: it names the chunks that it wants, and those that it has, which are
 * forgotten. Chunks that have been sent are kept until they are acknowledged, so lost ones can be
 * sent again; the window bounds the memory.
 *
 * Few at one time: others are refused and come again. One that has all chunks makes room at once, or
 * of many newcomers most would wait for those before them to be forgotten; one that stops asking is
 * dropped after a while. Chunks are made and sent in steps between which the event loop turns.
 */
import { asError } from '../../../crdt/warp-error.ts'
import { Budget } from '../../operation/budget.ts'
import type { Env } from '../../ports/env.ts'
import type { SnapshotChunk, SnapshotRequest } from '../wire/frames.ts'
import type { Peer } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'
import type { SnapshotExport } from '../../membership/snapshot-ports.ts'
import type { Position } from '../../operation/position.ts'

export interface SnapshotOffersOptions {
  readonly chunkBytes: number
  readonly exportsMax: number
  readonly idleMs: number
  readonly env: Env
  readonly send: (peer: Peer, chunk: SnapshotChunk) => boolean
  /** The state cannot be read: the disk, say. */
  readonly failed: (peer: Peer, error: Error) => void
}

/** Chunks that have been asked for and are still to be sent. */
interface Wanted {
  next: number
  readonly to: number
}

/** Who asks for more at once asks again. */
const WANTED_MAX = 16

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
  /** One chunk ahead, to know which is the last; `null` while it has not been made. */
  ahead: Uint8Array | undefined | null
  usedMs: number
  /** From the one that came first. */
  wanted: Wanted[]
  isBusy: boolean
}

const EMPTY = new Uint8Array(0)
const REFUSAL = { offer: 0, last: false, refused: true, vector: undefined, bytes: EMPTY }

export class SnapshotOffers {
  readonly #store: ReplicationStore
  readonly #options: SnapshotOffersOptions
  readonly #offers = new Map<Peer, Offer>()
  /** The last transfer of which a peer has all: what still comes of it is late. */
  readonly #done = new WeakMap<Peer, number>()
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
    if (wanted.acknowledged >= (offer.length ?? Infinity)) {
      this.#done.set(peer, wanted.transfer)
      this.forget(peer)
      return
    }
    offer.usedMs = nowMs
    if (wanted.acknowledged < offer.base) return
    offer.chunks.splice(0, wanted.acknowledged - offer.base)
    offer.base = wanted.acknowledged
    if (offer.wanted.length < WANTED_MAX) offer.wanted.push({ next: wanted.from, to: wanted.from + wanted.count })
    if (!offer.isBusy) void this.#serve(peer, offer)
  }

  /** Sends what is wanted, until nothing is or the offer is forgotten. Never rejects. */
  async #serve(peer: Peer, offer: Offer): Promise<void> {
    const budget = new Budget(this.#options.env)
    offer.isBusy = true
    try {
      for (let [wanted] = offer.wanted; wanted !== undefined; [wanted] = offer.wanted) {
        const outcome = wanted.next < wanted.to ? this.#sendChunk(peer, { offer, index: wanted.next }, budget) : 'end'
        if (outcome === 'end') offer.wanted.shift()
        if (outcome === 'sent') wanted.next++
        if (budget.isSpent) await budget.rest()
        if (this.#offers.get(peer) !== offer) return
      }
    } catch (error) {
      if (this.#offers.get(peer) === offer) this.forget(peer)
      this.#options.failed(peer, asError(error))
    } finally {
      offer.isBusy = false
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
    if (from !== 0 || this.#done.get(peer) === transfer) return undefined
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
      ahead: null,
      usedMs: 0,
      wanted: [],
      isBusy: false,
    }
    this.#offers.set(peer, offer)
    return offer
  }

  /**
   * `end`: there are no more, the peer's queue is full, or not all is stored; it asks again. `later`:
   * the step was over before the chunk was made.
   */
  #sendChunk(
    peer: Peer,
    { offer, index }: { readonly offer: Offer; readonly index: number },
    budget: Budget,
  ): 'sent' | 'later' | 'end' {
    if (this.#store.sendable < offer.end) return 'end'
    // Those before it may have been asked for by a request that was lost; they are made on the way
    // and kept.
    while (offer.base + offer.chunks.length <= index && offer.length === undefined)
      if (!this.#make(offer, budget)) return 'later'
    const bytes = offer.chunks[index - offer.base]
    if (bytes === undefined) return 'end'
    const chunk = {
      transfer: offer.transfer,
      offer: offer.number,
      index,
      last: index + 1 === offer.length,
      refused: false,
      vector: index === 0 ? offer.source.vector : undefined,
      bytes,
    }
    budget.spend(1, bytes.length)
    if (!this.#options.send(peer, chunk)) return 'end'
    this.#chunkCount++
    return 'sent'
  }

  /** Makes one more chunk. Returns `false` if the step was over before it was there. */
  #make(offer: Offer, budget: Budget): boolean {
    if (offer.ahead === null) offer.ahead = offer.source.next(budget)
    if (offer.ahead === null) return false
    const after = offer.ahead === undefined ? undefined : offer.source.next(budget)
    if (after === null) return false
    // A snapshot of nothing is one empty chunk, so that there is a last one.
    offer.chunks.push(offer.ahead ?? EMPTY)
    offer.ahead = after
    if (after === undefined) offer.length = offer.base + offer.chunks.length
    return true
  }
}
