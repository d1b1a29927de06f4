/**
 * Tells those who follow keys, watches and projections, when a life ends: of each key that has a
 * value then, once for each life. That a key has expired is no operation: each replica finds it out
 * by its own clock, and nothing of it is in the log. So nothing is done here, and nothing kept,
 * while nobody follows.
 *
 * While somebody does, every key with a life stands in a queue. Lives that end are told in the order
 * in which they end, some at a time, however many end at once. A write to a key whose life is over,
 * and compaction that forgets the key, come after it has been told. `told` says how far that is: who
 * resumes goes on from such a mark (`expired-since.ts`).
 *
 * An operation that arrives late may find the life over that it belongs to, or bring the value
 * back. Then the end is told, once more if need be, behind the operation (`isLate`).
 *
 * Timers are late when the event loop is busy, so each operation that enters asks the clock as well.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { grown, type KeyTable, type Slot } from '../../keys/key-table.ts'
import type { Keyspace, Keyspaces } from '../../keys/keyspace.ts'
import type { Values } from '../../cache/values.ts'
import { Budget } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { isTold, markBehind, NOTHING_TOLD, type ExpiryMark, type LifeEnd } from './expiry-mark.ts'
import { ExpiryQueue } from './expiry-queue.ts'

/** The end of the life of a key that had a value. */
export interface Expired extends LifeEnd {
  readonly key: string
  readonly slot: Slot
  /** With `replica`, the dot of the greatest operation of that life. */
  readonly sequence: number
  /** The key's version when its life ended. */
  readonly version: number
  /** Where the newest operation of that life is. */
  readonly head: Position
  /** It was over already when its last operation arrived: it lies before what has been told. */
  readonly isLate: boolean
}

/** Must not throw. */
export interface ExpiryListener {
  expired(expired: Expired): void
  /** A key whose life is over, told or not, is forgotten: its slot may become another key's. */
  forgotten?(slot: Slot, key: string): void
}

export interface ExpirationsOptions {
  readonly keys: KeyTable
  readonly keyspaces: Keyspaces
  readonly values: Values
  readonly env: Env
}

/** Lives that end within so many ms of each other are told in one turn. */
const TURN_MS_MIN = 10
/** The wall clock may jump, and timers do not notice. */
const TURN_MS_MAX = 1000
/** So many are told before other work has its turn. */
const ENDS_PER_STEP = 128

export class Expirations {
  /** Whether anybody wants to know. */
  isFollowed = false
  readonly #keys: KeyTable
  readonly #keyspaces: Keyspaces
  readonly #values: Values
  readonly #env: Env
  #listeners: readonly ExpiryListener[] = []
  #queue: ExpiryQueue
  /** By slot: for when the key stands in the queue, ms; 0 if it does not. Earlier entries are void. */
  #queuedMs = new Float64Array(0)
  /** Over, and something has been written since: told before that is. */
  #closed: Expired[] = []
  #told: ExpiryMark = NOTHING_TOLD
  /** Slots from here on are still to be put into the queue; infinity: none. */
  #queuedThrough = Infinity
  #timer: Timer | undefined
  #timerMs = Infinity
  #isGoingOn = false
  /** Counts how often everything began anew: what was under way then is given up. */
  #epoch = 0

  constructor({ keys, keyspaces, values, env }: ExpirationsOptions) {
    this.#keys = keys
    this.#keyspaces = keyspaces
    this.#values = values
    this.#env = env
    this.#queue = this.#emptyQueue()
  }

  /** Everything up to here has been told to those who have followed for so long. */
  get told(): ExpiryMark {
    return this.#told
  }

  /** Returns how to follow no more. */
  follow(listener: ExpiryListener): () => void {
    this.#listeners = [...this.#listeners, listener]
    if (!this.isFollowed) {
      this.isFollowed = true
      this.#begin()
    }
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener)
      if (this.#listeners.length === 0) this.close()
    }
  }

  /** The state has been replaced otherwise than by operations: goes on from the present. */
  restart(): void {
    if (this.isFollowed) this.#begin()
  }

  close(): void {
    this.isFollowed = false
    this.#listeners = []
    this.#clear()
  }

  /** The key is about to be written: a life that is over ends before. */
  beforeWrite(slot: Slot): void {
    const expired = this.#takeEnded(slot)
    if (expired !== undefined) this.#closed.push(expired)
  }

  /** What has been written is about to be told. */
  beforeTelling(): void {
    if (this.#closed.length > 0) for (const expired of this.#closed.splice(0)) this.#tell(expired)
  }

  /** The key has been written, and that has been told; or its pattern is another one. */
  note(slot: Slot): void {
    const isMortal = this.#values.ttlMs(slot, this.#keyspaceAt(slot)) > 0
    if (!isMortal && this.#queue.size === 0) return
    const nowMs = this.#env.now()
    if (isMortal) this.#noteLife(slot, nowMs)
    if (this.#queue.earliestMs <= nowMs) this.#turn()
  }

  #noteLife(slot: Slot, nowMs: number): void {
    const end = this.#endOf(slot)
    if (end.endMs <= nowMs && isTold(this.#told, end)) {
      if (this.#values.hadValue(slot)) this.#tell(this.#expired(slot, end))
      return
    }
    this.#enqueue(slot, end.endMs)
  }

  /** The key is about to be forgotten. */
  forget(slot: Slot): void {
    const keyspace = this.#keyspaceAt(slot)
    if (this.#values.ttlMs(slot, keyspace) === 0) return
    const endMs = this.#values.expiresAt(slot, keyspace)
    const isOver = endMs <= this.#env.now()
    if (isOver) this.#keys.expiredThroughMs = Math.max(this.#keys.expiredThroughMs, endMs)
    if (!this.isFollowed) return
    const expired = this.#takeEnded(slot)
    if (expired !== undefined) this.#tell(expired)
    if (slot < this.#queuedMs.length) this.#queuedMs[slot] = 0
    if (isOver) for (const listener of this.#listeners) listener.forgotten?.(slot, this.#keys.keys[slot] as string)
  }

  #begin(): void {
    this.#clear()
    this.#queuedMs = new Float64Array(this.#keys.capacity)
    this.#told = { endMs: this.#env.now() }
    const mayHaveLives = this.#keys.hasHadLives || this.#keyspaces.list.some(({ ttlMs }) => ttlMs > 0)
    if (!mayHaveLives) return
    this.#queuedThrough = 0
    void this.#queueAll(this.#epoch)
  }

  #clear(): void {
    this.#epoch++
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerMs = Infinity
    this.#isGoingOn = false
    this.#queuedThrough = Infinity
    this.#closed = []
    this.#queue = this.#emptyQueue()
    this.#queuedMs = new Float64Array(0)
  }

  #emptyQueue(): ExpiryQueue {
    const { tipReplica } = this.#keys
    return new ExpiryQueue((a, b) => ((tipReplica[a] ?? '') < (tipReplica[b] ?? '') ? -1 : 1))
  }

  /** Puts the keys that have lives into the queue, in steps. Nothing is told from it until then. */
  async #queueAll(epoch: number): Promise<void> {
    const budget = new Budget(this.#env)
    const { endMs: sinceMs } = this.#told
    for (; this.#queuedThrough < this.#keys.slotsUsed; this.#queuedThrough++) {
      const slot = this.#queuedThrough
      if (this.#keys.keys[slot] !== undefined && this.#values.ttlMs(slot, this.#keyspaceAt(slot)) > 0) {
        const { endMs } = this.#endOf(slot)
        if (endMs > sinceMs) this.#enqueue(slot, endMs)
      }
      budget.spend(1, 0)
      if (!budget.isSpent) continue
      await budget.rest()
      if (this.#epoch !== epoch) return
    }
    this.#queuedThrough = Infinity
    this.#turn()
  }

  get #isQueueing(): boolean {
    return this.#queuedThrough < Infinity
  }

  #enqueue(slot: Slot, endMs: number): void {
    if (slot >= this.#queuedMs.length)
      this.#queuedMs = grown(this.#queuedMs, new Float64Array(Math.max(slot + 1, this.#keys.capacity)))
    const queuedMs = this.#queuedMs[slot]!
    if (queuedMs > 0 && queuedMs <= endMs) return
    this.#queuedMs[slot] = endMs
    this.#queue.push(slot, endMs, this.#keys.tipHlc[slot]!)
    this.#arm()
  }

  /** Tells what is due: a step of it, and goes on later. */
  #turn(): void {
    if (this.#isQueueing || this.#isGoingOn) return
    const nowMs = this.#env.now()
    let left = ENDS_PER_STEP
    while (this.#queue.earliestMs <= nowMs) {
      if (left-- === 0) {
        this.#goOn()
        return
      }
      this.#takeFirst()
    }
    if (nowMs >= this.#told.endMs) this.#told = { endMs: nowMs }
    this.#arm()
  }

  #takeFirst(): void {
    const endMs = this.#queue.earliestMs
    const slot = this.#queue.pop() as Slot
    if (this.#queuedMs[slot] !== endMs) return
    this.#queuedMs[slot] = 0
    const end = this.#endOf(slot)
    // It has been written, or read, since it was put in.
    if (end.endMs > endMs) {
      if (end.endMs < Infinity) this.#enqueue(slot, end.endMs)
      return
    }
    if (this.#values.hadValue(slot)) this.#tell(this.#expired(slot, end))
    if (!isTold(this.#told, end)) this.#told = markBehind(end)
  }

  #goOn(): void {
    this.#isGoingOn = true
    const epoch = this.#epoch
    void this.#env.yield().then(() => {
      if (this.#epoch !== epoch) return
      this.#isGoingOn = false
      this.#turn()
    })
  }

  /** Sets the timer for the earliest. */
  #arm(): void {
    const { earliestMs } = this.#queue
    if (earliestMs >= this.#timerMs || this.#isQueueing || this.#isGoingOn) return
    this.#timer?.cancel()
    this.#timerMs = earliestMs
    const delayMs = Math.min(Math.max(earliestMs - this.#env.now(), TURN_MS_MIN), TURN_MS_MAX)
    this.#timer = this.#env.schedule(delayMs, () => {
      this.#timer = undefined
      this.#timerMs = Infinity
      this.#turn()
    })
  }

  /** The end of a life that is over and has not been told. */
  #takeEnded(slot: Slot): Expired | undefined {
    const isQueued = slot < this.#queuedMs.length && this.#queuedMs[slot]! > 0
    if (!isQueued && slot < this.#queuedThrough) return undefined
    const end = this.#endOf(slot)
    if (end.endMs > this.#env.now()) return undefined
    if (isQueued) this.#queuedMs[slot] = 0
    else if (isTold(this.#told, end)) return undefined
    return this.#values.hadValue(slot) ? this.#expired(slot, end) : undefined
  }

  #endOf(slot: Slot): LifeEnd {
    const { tipHlc, tipReplica } = this.#keys
    const endMs = this.#values.expiresAt(slot, this.#keyspaceAt(slot))
    return { endMs, hlc: tipHlc[slot]!, replica: tipReplica[slot] as ReplicaId }
  }

  #expired(slot: Slot, end: LifeEnd): Expired {
    return expiredAt(this.#keys, slot, end, isTold(this.#told, end))
  }

  #tell(expired: Expired): void {
    for (const listener of this.#listeners) listener.expired(expired)
  }

  #keyspaceAt(slot: Slot): Keyspace {
    return this.#keyspaces.list[this.#keys.keyspace[slot]!] as Keyspace
  }
}

/** The end of the life that the key in a slot has. */
export function expiredAt(table: KeyTable, slot: Slot, end: LifeEnd, isLate: boolean): Expired {
  const { keys, tipSequence, version, head } = table
  const sequence = tipSequence[slot]!
  return { ...end, key: keys[slot] as string, slot, sequence, version: version[slot]!, head: head[slot]!, isLate }
}
