/**
 * LIRS (Jiang and Zhang 2002, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy"): what counts
 * is not how long ago a copy was read, but how long ago it was read *before that*. Copies whose last two reads lie
 * close together are *settled*, and all but one in a hundred are; the others are *passing*, and the eldest of them goes.
 * Who is read again since the eldest settled copy was read takes the place of that one. So the border moves with
 * what is asked for: a scan or a loop passes by, a new hot set settles at its second reads.
 *
 * The paper keeps one stack of all keys, and cuts it off below the eldest settled one. Here each copy has the number
 * of its last read, and "is on the stack" is a comparison with the number of the eldest settled copy: no stack to cut.
 * Of keys that have gone the last half as many as there are copies are remembered, by their hashes, in a table in
 * which a new one overwrites whatever stands in its place. More of them would follow a moving hot set faster, and
 * hit less where requests are as good as independent (`bench -- hit-ratio-copies`).
 *
 * Costs 27 bytes of columns for each copy, and moving a link for each hit.
 */
import { grown } from '../../keys/key-table.ts'
import { hashOf } from './frequency-sketch.ts'
import type { CopyPolicy, PolicyFacts } from './policy.ts'
import { capacityFor, NONE, SLOTS_MIN, SlotLinks, SlotList } from './slot-list.ts'

/** Of all copies, those that may be settled. */
const SETTLED_SHARE = 0.99
/** Keys that have gone and are remembered, for each copy. */
const GONE_SHARE = 0.5

export class Lirs implements CopyPolicy {
  readonly #slotsMax: number
  readonly #links: SlotLinks
  readonly #settled: SlotList
  readonly #passing: SlotList
  #hashes = new Int32Array(SLOTS_MIN)
  #isSettled = new Uint8Array(SLOTS_MIN)
  /** The number of the last read of each copy. */
  #readAt = new Float64Array(SLOTS_MIN)
  #reads = 0
  #goneHashes = new Int32Array(SLOTS_MIN * GONE_SHARE)
  /** 0: nothing stands there. */
  #goneReadAt = new Float64Array(SLOTS_MIN * GONE_SHARE)

  constructor({ entriesMax }: PolicyFacts) {
    this.#slotsMax = entriesMax + 1
    this.#links = new SlotLinks(this.#slotsMax)
    this.#settled = new SlotList(this.#links)
    this.#passing = new SlotList(this.#links)
  }

  added(slot: number, key: string): void {
    this.#links.reach(slot)
    if (slot >= this.#hashes.length) this.#grow(slot)
    const hash = hashOf(key)
    this.#hashes[slot] = hash
    this.#readAt[slot] = ++this.#reads
    // Counted without the newcomer, for which another one is to go.
    const isRoomToSettle = this.#settled.size < this.#settledMax(this.#size)
    const settles = isRoomToSettle || this.#isRecent(this.#goneReadAtOf(hash))
    this.#isSettled[slot] = settles ? 1 : 0
    this.#listOf(slot).push(slot)
    if (!isRoomToSettle && settles) this.#unsettleEldest()
  }

  hit(slot: number): void {
    const wasReadAt = this.#readAt[slot]!
    this.#readAt[slot] = ++this.#reads
    if (this.#isSettled[slot] === 1 || !this.#isRecent(wasReadAt)) {
      this.#listOf(slot).renew(slot)
      return
    }
    this.#move(slot, 1)
    if (this.#settled.size > this.#settledMax(this.#size - 1)) this.#unsettleEldest()
  }

  removed(slot: number): void {
    this.#listOf(slot).unlink(slot)
    const readAt = this.#readAt[slot]!
    if (this.#isSettled[slot] === 1 || !this.#isRecent(readAt)) return
    const place = this.#placeOf(this.#hashes[slot]!)
    this.#goneHashes[place] = this.#hashes[slot]!
    this.#goneReadAt[place] = readAt
  }

  victim(kept: number): number | undefined {
    for (const list of [this.#passing, this.#settled]) {
      const slot = list.oldest === kept ? list.after(kept) : list.oldest
      if (slot !== NONE) return slot
    }
    return undefined
  }

  get #size(): number {
    return this.#settled.size + this.#passing.size
  }

  #settledMax(size: number): number {
    return Math.floor(size * SETTLED_SHARE)
  }

  /** Whether a read is later than the last one of the eldest settled copy. */
  #isRecent(readAt: number): boolean {
    const { oldest } = this.#settled
    return oldest !== NONE && readAt > this.#readAt[oldest]!
  }

  /** 0: it is not remembered. Its copy is there again, so the number is of no more use. */
  #goneReadAtOf(hash: number): number {
    const place = this.#placeOf(hash)
    if (this.#goneHashes[place] !== hash) return 0
    const readAt = this.#goneReadAt[place]!
    this.#goneReadAt[place] = 0
    return readAt
  }

  #placeOf(hash: number): number {
    return (hash >>> 0) % this.#goneHashes.length
  }

  #unsettleEldest(): void {
    this.#move(this.#settled.oldest, 0)
  }

  #listOf(slot: number): SlotList {
    return this.#isSettled[slot] === 1 ? this.#settled : this.#passing
  }

  #move(slot: number, isSettled: 0 | 1): void {
    this.#listOf(slot).unlink(slot)
    this.#isSettled[slot] = isSettled
    this.#listOf(slot).push(slot)
  }

  /** Forgets whoever has gone: as long as there is more and more room nobody has to. */
  #grow(slot: number): void {
    const capacity = capacityFor(slot, this.#hashes.length, this.#slotsMax)
    this.#hashes = grown(this.#hashes, new Int32Array(capacity))
    this.#isSettled = grown(this.#isSettled, new Uint8Array(capacity))
    this.#readAt = grown(this.#readAt, new Float64Array(capacity))
    const goneMax = Math.ceil(capacity * GONE_SHARE)
    this.#goneHashes = new Int32Array(goneMax)
    this.#goneReadAt = new Float64Array(goneMax)
  }
}
