/**
 * A cursor over the log for those who follow it: watches, projections, and later whoever carries
 * operations elsewhere. It reads operations in log order, in steps whose work is bounded, with the
 * version that each one made of its key; it knows whether compaction has taken away something that
 * it had not shown. It has no timers and no schedule of its own: whoever follows asks for the next
 * step.
 */
import type { KeyTable, Slot } from '../../keys/key-table.ts'
import { RECORD_KIND, type Log, type RecordView } from '../log.ts'
import type { Meter } from '../../operation/budget.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Position } from '../../operation/position.ts'
import { textOf } from '../../operation/text.ts'
import { KeyVersions } from './key-versions.ts'

/** Which keys somebody follows. */
export interface Interest {
  /** As the caller wrote it. */
  readonly text: string
  readonly matches: (key: string) => boolean
  /** The one key, if it is one. */
  readonly key: string | undefined
}

/** A place in the log: a record, or the end, and whether that record has been seen. */
export interface Place {
  readonly position: Position
  readonly isSeen: boolean
}

/** One operation of the feed. A flyweight: valid until the next one is shown. */
export interface Followed {
  readonly key: string
  readonly slot: Slot
  /** The version that it made of its key. */
  readonly version: number
  readonly position: Position
}

export interface FeedStore {
  readonly log: Log
  readonly keys: KeyTable
  readonly table: ReplicaTable
}

export class Feed {
  readonly #store: FeedStore
  readonly #interest: Interest
  readonly #reader: OperationReader
  readonly #versions: KeyVersions
  readonly #followed = { key: '', slot: 0, version: 0, position: 0, previous: 0 }
  #position: Position
  #isSeen: boolean
  /** What has been counted ahead of the place. */
  #ahead: { position: Position; readonly seen: Position; count: number } | undefined
  /** Nothing was missing when so much had been folded. */
  #checkedFoldings = -1
  /** Records looked at, also to count versions. */
  #readCount = 0

  /** Begins behind everything that is in the log now, unless told to `moveTo` another place. */
  constructor(store: FeedStore, interest: Interest) {
    this.#store = store
    this.#interest = interest
    this.#reader = new OperationReader(store.table)
    this.#versions = new KeyVersions(store)
    this.#position = store.log.end
    this.#isSeen = false
  }

  /** Nothing from here on has been seen. */
  get unseenFrom(): Position {
    return this.#isSeen ? this.#position + 1 : this.#position
  }

  get readCount(): number {
    return this.#readCount + this.#versions.countedBack
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#store.log.end
  }

  /** Somebody has seen the operation at `position`, and everything before. */
  pass(position: Position): void {
    this.#position = position
    this.#isSeen = true
  }

  moveTo({ position, isSeen }: Place): void {
    this.#position = position
    this.#isSeen = isSeen
    this.#checkedFoldings = -1
    this.#ahead = undefined
    this.#versions.clear()
  }

  /** Goes on from the present. */
  moveToEnd(): void {
    this.moveTo({ position: this.#store.log.end, isSeen: false })
  }

  /**
   * Reads on until the step is over, `visit` returns `false` or the log ends. Shows the operations
   * of keys of interest that are part of their keys. Returns whether the end has been reached.
   * Throws what the log throws.
   */
  read(meter: Meter, visit: (followed: Followed) => boolean): boolean {
    const { log } = this.#store
    const seen = this.#isSeen ? this.#position : -1
    let stoppedAt: Position | undefined
    const next = log.scan(this.#position, (record) => {
      if (record.position === seen) return true
      if (!this.#spend(meter, record)) {
        stoppedAt = record.position
        return false
      }
      if (record.kind !== RECORD_KIND.operation || !this.#isOfInterest(record)) return true
      const version = this.#versions.at(this.#followed, meter)
      if (version === undefined) {
        stoppedAt = record.position
        return false
      }
      if (version === 0) return true
      this.#followed.version = version
      return visit(this.#followed)
    })
    this.#position = stoppedAt ?? next
    this.#isSeen = false
    return this.isAtEnd
  }

  /**
   * Looks ahead, a step at a time, without moving: how many operations of interest have not been
   * seen. `isAll` says whether the end has been reached; if not, the next call goes on counting.
   */
  countAhead(meter: Meter): { readonly count: number; readonly isAll: boolean } {
    const ahead = (this.#ahead ??= { position: this.#position, seen: this.#isSeen ? this.#position : -1, count: 0 })
    let stoppedAt: Position | undefined
    const next = this.#store.log.scan(ahead.position, (record) => {
      if (record.position === ahead.seen) return true
      if (!this.#spend(meter, record)) {
        stoppedAt = record.position
        return false
      }
      if (record.kind !== RECORD_KIND.operation || !this.#isOfInterest(record)) return true
      if (record.position > this.#store.keys.cut[this.#followed.slot]!) ahead.count++
      return true
    })
    ahead.position = stoppedAt ?? next
    const isAll = ahead.position >= this.#store.log.end
    if (isAll) this.#ahead = undefined
    return { count: ahead.count, isAll }
  }

  /**
   * Whether compaction has taken away something of interest that has not been seen: it is in
   * snapshots now or, perhaps, forgotten.
   */
  hasLost(): boolean {
    const { keys } = this.#store
    if (keys.foldings === this.#checkedFoldings) return false
    if (this.#isCompactedBehind(this.unseenFrom - 1)) return true
    this.#checkedFoldings = keys.foldings
    return false
  }

  #isCompactedBehind(before: Position): boolean {
    const { keys } = this.#store
    // Where nothing has been folded or forgotten, both columns say 0: nothing is lost from the beginning on.
    const position = Math.max(0, before)
    const { key, matches } = this.#interest
    const slot = key === undefined ? undefined : keys.find(key)
    if (slot !== undefined)
      return keys.cut[slot]! > position && (keys.snapshot[slot]! > 0 || keys.forgottenThrough > position)
    if (keys.forgottenThrough > position) return true
    if (keys.foldedThrough <= position) return false
    for (const other of keys.occupied()) {
      if (keys.snapshot[other]! > 0 && keys.cut[other]! > position && matches(keys.keys[other] as string)) return true
    }
    return false
  }

  /** Whether there was enough left. The first record of a step is always looked at. */
  #spend(meter: Meter, record: RecordView): boolean {
    if (meter.isSpent) return false
    meter.spend(1, record.end - record.start)
    this.#readCount++
    return true
  }

  /** Points `#followed` at the operation if it is of interest. */
  #isOfInterest(record: RecordView): boolean {
    const { bytes, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
    const key = textOf(bytes, keyStart, keyEnd)
    if (!this.#interest.matches(key)) return false
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return false
    const followed = this.#followed
    followed.key = key
    followed.slot = slot
    followed.position = record.position
    followed.previous = record.previous
    return true
  }
}
