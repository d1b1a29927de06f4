/**
 * The lives that ended between two marks, for those who resume: found in the key table, in steps,
 * and given in the order in which they ended. Of a key that has been written since, the write is
 * what there is to tell, and it is in the log. Of a key that has been forgotten since nothing can be
 * told: `isComplete` says whether there is any.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Interest } from '../../log/feed/feed.ts'
import type { Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { KeyStore } from '../key-store.ts'
import { compareEnds, isTold, type ExpiryMark } from './expiry-mark.ts'
import { expiredAt, type Expired } from './expirations.ts'

export interface Stretch {
  /** Told already. */
  readonly since: ExpiryMark
  /** Told by others: those who follow live. */
  readonly until: ExpiryMark
  /** Lives whose last operation is here or later have not been told, whenever they ended. */
  readonly unseenFrom: Position
  /** And is not here or later. */
  readonly before: Position
}

/** Sorting so many at once takes a millisecond or two. */
const RUN_LENGTH = 4096

export class ExpiredSince {
  readonly #store: KeyStore
  readonly #interest: Pick<Interest, 'key' | 'matches'>
  readonly #stretch: Stretch
  /** Sorted runs, the latest end first. */
  readonly #runs: Expired[][] = []
  #run: Expired[] = []
  #slot: Slot = 0
  #isFound = false
  /** How many have been found so far. */
  foundCount = 0

  constructor(store: KeyStore, interest: Pick<Interest, 'key' | 'matches'>, stretch: Stretch) {
    this.#store = store
    this.#interest = interest
    this.#stretch = stretch
  }

  /** Whether no key has been forgotten that might have been told. */
  get isComplete(): boolean {
    const { endMs, hlc } = this.#stretch.since
    const { expiredThroughMs } = this.#store.keys
    return expiredThroughMs < endMs || (expiredThroughMs === endMs && hlc === undefined)
  }

  /** Goes on looking until the step is over. Returns whether all has been found. */
  find(meter: Meter): boolean {
    this.#isFound ||= this.#findOn(meter)
    return this.#isFound
  }

  #findOn(meter: Meter): boolean {
    const { keys } = this.#store
    const { key } = this.#interest
    if (key !== undefined) {
      const slot = keys.find(key)
      if (slot !== undefined) this.#look(slot)
      this.#endRun()
      return true
    }
    while (this.#slot < keys.slotsUsed) {
      if (meter.isSpent) return false
      meter.spend(1, 0)
      this.#look(this.#slot++)
      if (this.#run.length === RUN_LENGTH) this.#endRun()
    }
    this.#endRun()
    return true
  }

  /** The next in order; `undefined` if there is none. Once all has been found. */
  next(): Expired | undefined {
    let first: Expired[] | undefined
    for (const run of this.#runs) {
      if (run.length > 0 && (first === undefined || compareEnds(run.at(-1) as Expired, first.at(-1) as Expired) < 0))
        first = run
    }
    return first?.pop()
  }

  #endRun(): void {
    if (this.#run.length > 0) this.#runs.push(this.#run.sort((a, b) => compareEnds(b, a)))
    this.#run = []
  }

  #look(slot: Slot): void {
    const { keys, values } = this.#store
    const key = keys.keys[slot]
    if (key === undefined || !this.#interest.matches(key)) return
    const keyspace = this.#store.keyspaceFor(key, slot)
    if (values.ttlMs(slot, keyspace) === 0) return
    const [hlc, head] = [keys.tipHlc[slot]!, keys.head[slot]!]
    const end = { endMs: values.expiresAt(slot, keyspace), hlc, replica: keys.tipReplica[slot] as ReplicaId }
    const { since, until, unseenFrom, before } = this.#stretch
    if (head >= before || end.endMs > this.#store.env.now() || !isTold(until, end)) return
    const isLate = isTold(since, end)
    if ((isLate && head < unseenFrom) || !values.hadValue(slot)) return
    this.foundCount++
    this.#run.push(expiredAt(keys, slot, end, isLate))
  }
}
