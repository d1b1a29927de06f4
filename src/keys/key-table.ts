/**
 * Everything the engine keeps in memory per key, as columns (a structure of arrays) indexed by the
 * key's slot: no object per key, no work for the garbage collector, and a handle that knows its
 * slot needs no look-up. See `bench/` for what a key costs.
 *
 * A slot is found once by the key's text. Slots of forgotten keys are used again; `generation`
 * counts how often, so that a handle can tell that the slot it remembers may be somebody else's.
 */
import { compareStamps, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import type { Position } from '../operation/position.ts'
import { SlotIndex, type Slot } from './slot-index.ts'

export type { Slot }

/** What the table takes note of. */
export interface TipOperation {
  readonly hlc: Hlc
  readonly replica: ReplicaId
  readonly sequence: number
  /** How long what it writes lives, ms; 0 if it does not say. */
  readonly lifeMs: number
}

/** Where a state lies that is kept beside a key's chain, and the last record of the chain that it holds. */
export interface KeptPlace {
  readonly position: Position
  readonly through: Position
}

const CAPACITY_MIN = 64
/** Keys before the last that has room when columns begin to grow: one for each step. */
const GROW_AHEAD = 10

export class KeyTable {
  #slots = new SlotIndex()
  #free: Slot[] = []
  #capacity = CAPACITY_MIN
  #used = 0
  /** What is left to do until all columns have grown. */
  #growth: (() => void)[] = []
  /** Changes whenever a slot has been freed. */
  generation = 0
  /**
   * The newest record that is part of a snapshot, of any key; and the newest of a key that has been
   * forgotten.
   */
  foldedThrough: Position = 0
  forgottenThrough: Position = 0
  /** Changes whenever records have become part of a snapshot, or a key has been forgotten. */
  foldings = 0
  /**
   * The latest end of a life, ms, of a key that has been forgotten since: whoever has not been told
   * of ends up to here cannot be told of all any more.
   */
  expiredThroughMs = 0

  /** Called before anything changes of a key that is known, by whoever reads the table in steps. */
  beforeChange: ((slot: Slot) => void) | undefined
  /**
   * Called when the table has become another one, with what it was: of that nothing changes any more,
   * so `beforeChange` is not called any more either.
   */
  whenReplaced: ((former: KeyTable) => void) | undefined

  keys: (string | undefined)[] = []
  /** The key's definition: index into the engine's keyspaces. */
  keyspace: Uint16Array = new Uint16Array(CAPACITY_MIN)
  /** The newest record of the key's chain; 0 if there is none. */
  head: Float64Array = new Float64Array(CAPACITY_MIN)
  /**
   * Where the operation lies that is greatest in canonical order, or the snapshot that holds it.
   */
  tip: Float64Array = new Float64Array(CAPACITY_MIN)
  tipHlc: Float64Array = new Float64Array(CAPACITY_MIN)
  tipSequence: Float64Array = new Float64Array(CAPACITY_MIN)
  tipReplica: (ReplicaId | undefined)[] = []
  /** Operations written to the key so far, compacted ones included: the key's version. */
  version: Float64Array = new Float64Array(CAPACITY_MIN)
  /** The snapshot record that stands for the records at or before `cut`; 0 if there is none. */
  snapshot: Float64Array = new Float64Array(CAPACITY_MIN)
  cut: Float64Array = new Float64Array(CAPACITY_MIN)
  /**
   * The code of the strategy that wrote the key; 0 if that is not known, or more than one did
   * (`mixed`). What a delete has taken away may be of another one.
   */
  strategy: Uint8Array = new Uint8Array(CAPACITY_MIN)
  /** Keys that more than one strategy has written: their fold says which one counts. */
  readonly mixed: Set<Slot> = new Set<Slot>()
  /** States that are kept beside the chains of long keys: of few keys, so no column. */
  kept: Map<Slot, KeptPlace> = new Map<Slot, KeptPlace>()
  /** When the value stops being visible, ms; 0 for never. Has room only where something has a life. */
  #expiresAt = new Float64Array(0)
  /** Whether any tip ever said how long it lives. */
  hasHadLives = false
  /** How long the tip lives, ms, of the keys whose tip says so itself. */
  #lives = new Map<Slot, number>()
  /**
   * Who wrote the key and how far, once more than one replica did; before that the tip says it all.
   */
  vectors: (VersionVector | undefined)[] = []

  get size(): number {
    return this.#slots.size
  }

  /** Slots from 0 up to here may be in use. */
  get slotsUsed(): number {
    return this.#used
  }

  get capacity(): number {
    return this.#capacity
  }

  find(key: string): Slot | undefined {
    return this.#slots.get(key)
  }

  /** How long the tip lives, ms, by its own word; 0 if it says nothing. */
  lifeMs(slot: Slot): number {
    return this.#lives.size === 0 ? 0 : (this.#lives.get(slot) ?? 0)
  }

  setLife(slot: Slot, lifeMs: number): void {
    if (lifeMs > 0) {
      this.#lives.set(slot, lifeMs)
      this.hasHadLives = true
    } else if (this.#lives.size > 0) this.#lives.delete(slot)
  }

  /** When the value stops being visible, ms; 0 for never. */
  expiresAt(slot: Slot): number {
    return slot < this.#expiresAt.length ? this.#expiresAt[slot]! : 0
  }

  setExpiresAt(slot: Slot, ms: number): void {
    if (slot >= this.#expiresAt.length) {
      if (ms === 0) return
      this.#expiresAt = grown(this.#expiresAt, new Float64Array(this.#capacity))
    }
    this.#expiresAt[slot] = ms
  }

  /** Makes room for so many keys at once. */
  reserve(count: number): void {
    if (count + GROW_AHEAD <= this.#capacity) return
    this.#growth = []
    for (const grow of this.#growthTo(count + GROW_AHEAD).reverse()) grow()
  }

  /** Takes a slot for a key that has none. */
  add(key: string, keyspace: number): Slot {
    const slot = this.#free.pop() ?? this.#used++
    if (this.#used > this.#capacity - GROW_AHEAD) this.#growOne()
    this.#slots.add(key, slot)
    this.keys[slot] = key
    this.keyspace[slot] = keyspace
    return slot
  }

  /** Forgets a key altogether. */
  remove(slot: Slot): void {
    const key = this.keys[slot]
    if (key === undefined) return
    this.beforeChange?.(slot)
    this.#slots.delete(key)
    this.forgottenThrough = Math.max(this.forgottenThrough, this.head[slot]!)
    this.foldings++
    this.keys[slot] = undefined
    this.tipReplica[slot] = undefined
    this.vectors[slot] = undefined
    this.#lives.delete(slot)
    this.kept.delete(slot)
    this.mixed.delete(slot)
    this.strategy[slot] = 0
    for (const column of [this.head, this.tip, this.tipHlc, this.tipSequence, this.version, this.snapshot, this.cut]) {
      column[slot] = 0
    }
    this.setExpiresAt(slot, 0)
    this.#free.push(slot)
    this.generation++
  }

  /**
   * Becomes another table, which must not be used any more: one reference after the other changes,
   * however many keys there are. All slots mean something else from now on.
   */
  become(other: KeyTable): void {
    const { whenReplaced, generation, foldings, foldedThrough, forgottenThrough, expiredThroughMs } = this
    const former = whenReplaced === undefined ? undefined : new KeyTable()
    if (former !== undefined) former.#take(this)
    this.#take(other)
    this.beforeChange = undefined
    this.whenReplaced = undefined
    this.generation = generation + 1
    this.foldings = foldings + 1
    this.foldedThrough = Math.max(foldedThrough, other.foldedThrough)
    this.forgottenThrough = Math.max(forgottenThrough, other.forgottenThrough)
    this.expiredThroughMs = Math.max(expiredThroughMs, other.expiredThroughMs)
    if (former !== undefined) whenReplaced?.(former)
  }

  /** Takes all that another table holds. */
  #take(other: KeyTable): void {
    while (other.#growth.length > 0) other.#growth.pop()?.()
    Object.assign(this, other)
    this.#slots = other.#slots
    this.#free = other.#free
    this.#capacity = other.#capacity
    this.#used = other.#used
    this.#growth = []
    this.#lives = other.#lives
    this.#expiresAt = other.#expiresAt
  }

  /** Takes over a key from another table, as it is there. Returns its slot. */
  copyFrom(other: KeyTable, from: Slot): Slot {
    const key = other.keys[from] as string
    const slot = this.find(key) ?? this.add(key, other.keyspace[from]!)
    for (const name of NUMBERS) this[name][slot] = other[name][from]!
    this.tipReplica[slot] = other.tipReplica[from]
    this.vectors[slot] = other.vectors[from]?.copy()
    this.setLife(slot, other.lifeMs(from))
    this.setExpiresAt(slot, other.expiresAt(from))
    if (other.mixed.has(from)) this.mixed.add(slot)
    const kept = other.kept.get(from)
    if (kept !== undefined) this.kept.set(slot, kept)
    return slot
  }

  /**
   * Takes note of one more operation at the head of the key's chain. Returns whether it is the new
   * tip.
   */
  advance(slot: Slot, operation: TipOperation, position: Position): boolean {
    if (this.beforeChange !== undefined) this.beforeChange(slot)
    this.head[slot] = position
    this.version[slot]!++
    const vector = this.vectors[slot]
    if (vector !== undefined) vector.raise(operation.replica, operation.sequence)
    else this.#noteWriter(slot, operation.replica, operation.sequence)
    if (!this.#isBeyondTip(slot, operation)) return false
    this.tip[slot] = position
    this.tipHlc[slot] = operation.hlc
    this.tipSequence[slot] = operation.sequence
    this.tipReplica[slot] = operation.replica
    this.setLife(slot, operation.lifeMs)
    return true
  }

  /**
   * The key is about to take an update by this strategy. Of what is not known who wrote it, it stays
   * unknown.
   */
  noteStrategy(slot: Slot, code: number): void {
    const known = this.strategy[slot]!
    if (known === code || this.mixed.has(slot)) return
    if (known === 0) {
      if (this.version[slot] === 0) this.strategy[slot] = code
      return
    }
    this.strategy[slot] = 0
    this.mixed.add(slot)
  }

  /** All that the key holds is by this strategy. */
  settleStrategy(slot: Slot, code: number): void {
    this.strategy[slot] = code
    this.mixed.delete(slot)
  }

  /** Whether the table does not say who wrote a key that holds something. */
  isStrategyUnknown(slot: Slot): boolean {
    return this.strategy[slot] === 0 && this.version[slot]! > 0 && !this.mixed.has(slot)
  }

  /** What has been seen of this key, as a vector of its own. */
  vector(slot: Slot): VersionVector {
    const vector = this.vectors[slot]
    if (vector !== undefined) return vector.copy()
    const replica = this.tipReplica[slot]
    return replica === undefined ? new VersionVector() : VersionVector.from([[replica, this.tipSequence[slot]!]])
  }

  /**
   * The causal context of a new operation by `writer`: what has been seen of this key from others.
   */
  context(slot: Slot, writer: ReplicaId): VectorEntries | undefined {
    const vector = this.vectors[slot]
    if (vector !== undefined) return vector.entriesWithout(writer)
    const replica = this.tipReplica[slot]
    return replica === undefined || replica === writer ? undefined : [[replica, this.tipSequence[slot]!]]
  }

  /** Names ids in the key's vector that say the same, where `replace` knows any. Returns its length. */
  replaceWriters(slot: Slot, replace: (vector: VersionVector) => VersionVector): number {
    const vector = this.vectors[slot]
    if (vector === undefined) return 0
    this.vectors[slot] = replace(vector)
    return vector.size
  }

  /** Every slot in use. */
  *occupied(): IterableIterator<Slot> {
    for (let slot = 0; slot < this.#used; slot++) if (this.keys[slot] !== undefined) yield slot
  }

  #noteWriter(slot: Slot, replica: ReplicaId, sequence: number): void {
    const first = this.tipReplica[slot]
    if (first === undefined || first === replica) return
    const vector = VersionVector.from([[first, this.tipSequence[slot]!]])
    vector.raise(replica, sequence)
    this.vectors[slot] = vector
  }

  #isBeyondTip(slot: Slot, operation: { hlc: Hlc; replica: ReplicaId; sequence: number }): boolean {
    const hlc = this.tipHlc[slot]!
    if (operation.hlc !== hlc) return operation.hlc > hlc
    const replica = this.tipReplica[slot]
    return replica === undefined || compareStamps(operation, { hlc, replica, sequence: this.tipSequence[slot]! }) > 0
  }

  /**
   * Makes the next column larger. The columns grow one after the other with the last keys that have
   * room: with two million keys, all at once would take 170 ms.
   */
  #growOne(): void {
    // Doubling while small; by a quarter later, because an idle half of the columns is memory per
    // key.
    if (this.#growth.length === 0)
      this.#growth = this.#growthTo(Math.ceil(this.#capacity * (this.#capacity < 32_768 ? 2 : 1.25)))
    this.#growth.pop()?.()
  }

  /** The steps in which all columns become so long, the last one first. */
  #growthTo(capacity: number): (() => void)[] {
    return [
      () => (this.#capacity = capacity),
      () => (this.keyspace = grown(this.keyspace, new Uint16Array(capacity))),
      () => (this.strategy = grown(this.strategy, new Uint8Array(capacity))),
      () => (this.head = grown(this.head, new Float64Array(capacity))),
      () => (this.tip = grown(this.tip, new Float64Array(capacity))),
      () => (this.tipHlc = grown(this.tipHlc, new Float64Array(capacity))),
      () => (this.tipSequence = grown(this.tipSequence, new Float64Array(capacity))),
      () => (this.version = grown(this.version, new Float64Array(capacity))),
      () => (this.snapshot = grown(this.snapshot, new Float64Array(capacity))),
      () => (this.cut = grown(this.cut, new Float64Array(capacity))),
    ]
  }
}

/** Columns of one number for each key. */
const NUMBERS = ['keyspace', 'head', 'tip', 'tipHlc', 'tipSequence', 'version', 'snapshot', 'cut', 'strategy'] as const

/** Copies a column into a larger one. */
export function grown<Column extends Float64Array | Uint32Array | Uint16Array | Uint8Array | Int32Array>(
  from: Column,
  to: Column,
): Column {
  to.set(from)
  return to
}
