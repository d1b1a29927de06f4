/**
 * One running watch. It reads from the ring while it keeps up. A watch that resumes, or that the
 * ring has run away from, reads the log through its feed, a step at a time and at its consumer's
 * own pace. A live one that has more than its bound to catch up with is told of the gap instead.
 * Lives that have ended are in no log: whoever has read the log is then told which have ended since.
 * While it runs, compaction leaves alone what it has not seen, within the bounds of `Holds`.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { whenAborted } from '../ports/abort-signals.ts'
import { batchesOf, type BatchSource } from './batches.ts'
import type { Change, Cursor, WatchBatch, WatchGap, WatchLag, Watch, WatchOptions } from './change.ts'
import { bytesBetween, type Follower, type Holds } from '../log/holds.ts'
import { Feed, type Interest, type Place } from '../log/feed/feed.ts'
import { Budget } from '../operation/budget.ts'
import type { Position } from '../operation/position.ts'
import type { KeyStore } from '../store/key-store.ts'
import { ExpiredSince } from '../store/expirations/expired-since.ts'
import type { Expired } from '../store/expirations/expirations.ts'
import { isTold, markBehind, NOTHING_TOLD, type ExpiryMark } from '../store/expirations/expiry-mark.ts'
import { LazyChange, LazyExpired, type ChangeSource, type ExpiryPlace } from './lazy-change.ts'
import type { OperationRing } from './operation-ring.ts'

/** Changes found ahead of a consumer that reads the log. */
const FOUND_AHEAD_MAX = 256

/** What a watch needs of the hub that it hangs on. */
export interface WatchSource extends ChangeSource {
  readonly ring: OperationRing
  readonly holds: Holds
  /** Up to where lives that have ended have been told. */
  readonly told: ExpiryMark
  /** The place that a cursor names, `undefined` if it is not of this log. */
  placeOf(cursor: Cursor): Start | undefined
  /** Where the newest operation of all keys is; 0 if there is none. */
  newest(): Position
  /** In front of the operation with this number in the ring, or of all later ones. */
  cursorBefore(number: number, expiry: ExpiryPlace): Cursor
  remove(watch: RunningWatch): void
}

/** Where a watch goes on. */
export interface Start {
  readonly place: Place
  readonly expiry: ExpiryPlace
}

interface Waiting {
  readonly resolve: (result: IteratorResult<Change, undefined>) => void
  readonly reject: (error: unknown) => void
}

export class RunningWatch implements Watch, Follower, BatchSource, AsyncIterator<Change, undefined> {
  readonly name: string
  readonly #hub: WatchSource
  readonly #interest: Interest
  readonly #pendingCountMax: number
  /** Where this watch is in the log. */
  readonly #feed: Feed
  #stopWaiting: (() => void) | undefined
  readonly #letGo: () => void
  /** The number of the next operation in the ring. */
  #next: number
  /** Reads the log instead of the ring until it has caught up. */
  #isReplaying = false
  #isContinuing = false
  #queue: (LazyChange | LazyExpired | WatchGap)[] = []
  #queueAt = 0
  /** What its consumer knows of lives that have ended. */
  #expiry: ExpiryPlace
  /** Finds what has ended while it read the log. */
  #expired: ExpiredSince | undefined
  /** What its consumer knows when it has been told of all that. */
  #expiryThen: ExpiryPlace | undefined
  /** It was live, so that it is told of a gap where too much has ended. */
  #isBounded = false
  /** The version of the one key watched that was seen last, if that is known. */
  #seenVersion: number | undefined
  #waiting: Waiting | undefined
  #isClosed = false
  /** What it has handed out last, or resumes from. */
  #handedOut: Pick<Change, 'cursor'> | undefined
  /** What its consumer has been shown, if that is less: batches are gathered first. */
  #shown: (() => Cursor) | undefined
  /** Where it began: the number of the next operation in the ring, and what had been told. */
  readonly #began: { readonly next: number; readonly expiry: ExpiryPlace }

  constructor(hub: WatchSource, interest: Interest, options: WatchOptions & { pendingCountMax: number }) {
    this.name = `a watch of '${interest.text}'`
    this.#hub = hub
    this.#interest = interest
    this.#pendingCountMax = options.pendingCountMax
    this.#feed = new Feed(hub.store, interest)
    this.#next = hub.ring.count
    this.#expiry = { told: hub.told, unseenFrom: hub.store.log.end }
    this.#seenVersion = this.#presentVersion()
    this.#began = { next: this.#next, expiry: this.#expiry }
    if (typeof options.from === 'string') this.#handedOut = { cursor: options.from }
    if (options.from !== undefined) this.#resume(options.from)
    if (options.signal?.aborted === true) {
      this.#isClosed = true
      this.#letGo = () => undefined
      return
    }
    this.#stopWaiting = whenAborted(options.signal, this.close)
    this.#letGo = hub.holds.follow(this)
  }

  get cursor(): Cursor {
    const shown = this.#shown
    return shown === undefined ? this.#cursorNow() : shown()
  }

  #cursorNow(): Cursor {
    const { ring } = this.#hub
    const isLive = !this.#isReplaying && this.#expired === undefined && this.#queue.length === 0
    // It has passed by what is none of its keys', which need not be read again.
    if (isLive && this.#next === ring.count && this.#next > this.#began.next)
      return this.#hub.cursorBefore(this.#next, this.#expiry)
    return this.#handedOut?.cursor ?? this.#hub.cursorBefore(this.#began.next, this.#began.expiry)
  }

  /** How far its consumer is behind the log. */
  get lag(): WatchLag {
    const { ring, store } = this.#hub
    const pendingCount = this.#queue.length - this.#queueAt + ring.count - this.#next
    return {
      keys: this.#interest.text,
      ...(this.#isReplaying ? {} : { behindCount: pendingCount }),
      behindBytes: bytesBetween(this.unseenFrom, store.log),
      pendingCountMax: this.#pendingCountMax,
    }
  }

  /** Compaction leaves alone what lies from here on, for as long as `Holds` waits. */
  get unseenFrom(): Position {
    const queued = this.#queue[this.#queueAt]
    if (queued instanceof LazyChange) return queued.position
    if (!this.#isReplaying && this.#next === this.#hub.ring.count) return this.#hub.store.log.end
    return this.#feed.unseenFrom
  }

  follows(key: string): boolean {
    return this.#interest.matches(key)
  }

  [Symbol.asyncIterator](): AsyncIterator<Change, undefined> {
    return this
  }

  /** What has been gathered for a batch has not been shown yet. */
  batches(): AsyncGenerator<WatchBatch, void, undefined> {
    this.shown()
    return batchesOf(this)
  }

  shown(): Cursor {
    const cursor = this.#cursorNow()
    this.#shown = () => cursor
    return cursor
  }

  get store(): KeyStore {
    return this.#hub.store
  }

  get pendingCountMax(): number {
    return this.#pendingCountMax
  }

  get isCatchingUp(): boolean {
    return this.#isReplaying || this.#expired !== undefined || this.#isContinuing
  }

  more(): Change | undefined {
    if (this.#isClosed) return undefined
    // The next step comes in a turn of its own.
    if (this.#isContinuing && this.#queue.length === 0) return undefined
    try {
      const change = this.#take()
      if (change !== undefined) this.#handedOut = change
      return change
    } catch (error) {
      this.close()
      throw error
    }
  }

  skip(): WatchGap {
    return (this.#handedOut = this.#startAfresh(undefined))
  }

  next(): Promise<IteratorResult<Change, undefined>> {
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined })
    if (this.#waiting !== undefined) {
      return Promise.reject(
        new WarpError(
          'WARP_E_CONFIG',
          'next() was called while an earlier next() of this watch has not settled; wait for that one first, or open another watch ' +
            'for another consumer',
        ),
      )
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.wake()
    })
  }

  return(): Promise<IteratorResult<Change, undefined>> {
    this.close()
    return Promise.resolve({ done: true, value: undefined })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  readonly close = (): void => {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopWaiting?.()
    this.#letGo()
    this.#hub.remove(this)
    this.#settle({ done: true, value: undefined })
  }

  /**
   * What the log cannot give, because it is damaged say, ends the watch: its consumer is told, and
   * resumes from the cursor that it has.
   */
  wake(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    try {
      const change = this.#take()
      if (change !== undefined) this.#handedOut = change
      if (change !== undefined) this.#settle({ done: false, value: change })
    } catch (error) {
      this.#waiting = undefined
      this.close()
      waiting.reject(error)
    }
  }

  /** The state has been replaced otherwise than by operations: everything may have changed. */
  reset(): void {
    this.#queue = [this.#startAfresh(undefined)]
    this.wake()
  }

  #settle(result: IteratorResult<Change, undefined>): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(result)
  }

  /**
   * The next change, if one step of work finds it. If there is more to read, it is gone on with
   * later.
   */
  #take(): Change | undefined {
    const queued = this.#queue[this.#queueAt]
    if (queued !== undefined) return this.#hand(queued)
    const { ring } = this.#hub
    const isLive = !this.#isReplaying && this.#expired === undefined
    if (isLive && ring.count - this.#next > Math.min(this.#pendingCountMax, ring.capacity)) {
      return this.#fallBehind()
    }
    if (this.#isReplaying) return this.#replay()
    if (this.#expired !== undefined) return this.#tellExpired(this.#expired)
    if (this.#next < ring.count && this.#feed.hasLost()) return this.#startAfresh(this.#missedCount())
    return this.#takeFromRing()
  }

  #takeFromRing(): Change | undefined {
    const { ring } = this.#hub
    while (this.#next < ring.count) {
      const number = this.#next++
      const [key, position, expired] = [ring.key(number), ring.position(number), ring.expired(number)]
      if (expired === undefined) {
        this.#feed.pass(position)
        this.#expiry = { told: this.#expiry.told, unseenFrom: position }
      } else this.#passExpired(expired, position + 1)
      if (!this.#interest.matches(key)) continue
      if (expired !== undefined) return new LazyExpired(this.#hub, expired, position, this.#expiry)
      return this.#seen(new LazyChange(this.#hub, { key, version: ring.version(number), position }, this.#expiry))
    }
    const { told } = this.#hub
    if (told !== this.#expiry.told) this.#expiry = { told, unseenFrom: this.#expiry.unseenFrom }
    return undefined
  }

  /** The end of a life has been told, or is none of its keys'. */
  #passExpired(expired: Expired, unseenFrom: Position): void {
    const { told } = this.#expiry
    this.#expiry = { told: isTold(told, expired) ? told : markBehind(expired), unseenFrom }
  }

  #hand(change: Change): Change {
    this.#queueAt++
    if (this.#queueAt === this.#queue.length) this.#clearQueue()
    return this.#seen(change)
  }

  #seen(change: Change): Change {
    if (change.kind === 'value') this.#seenVersion = change.version
    return change
  }

  #clearQueue(): void {
    this.#queue = []
    this.#queueAt = 0
  }

  /**
   * The ring has run away: what is pending is read from the log, or told of as a gap if it is more
   * than the bound.
   */
  #fallBehind(): Change | undefined {
    if (this.#feed.hasLost()) return this.#startAfresh(this.#missedCount())
    const { count, isAll } = this.#feed.countAhead(new Budget(this.#hub.store.env))
    if (count > this.#pendingCountMax) return this.#startAfresh(isAll ? count : this.#missedCount())
    if (isAll) {
      this.#isReplaying = true
      this.#isBounded = true
      return this.#replay()
    }
    this.#continue()
    return undefined
  }

  /** Reads on in the log until something matches or one step has been done. */
  #replay(): Change | undefined {
    if (this.#feed.hasLost()) return this.#startAfresh(this.#missedCount())
    const isAtEnd = this.#feed.read(new Budget(this.#hub.store.env), ({ key, version, position }) => {
      return this.#queue.push(new LazyChange(this.#hub, { key, version, position }, this.#expiry)) < FOUND_AHEAD_MAX
    })
    if (isAtEnd) this.#endReplay()
    const first = this.#queue[0]
    if (first !== undefined) return this.#hand(first)
    if (!isAtEnd) this.#continue()
    return this.#expired === undefined ? undefined : this.#tellExpired(this.#expired)
  }

  /** It has read the log, and what is told from now on is in the ring. */
  #endReplay(): void {
    const { store, ring, told } = this.#hub
    const { end } = store.log
    this.#isReplaying = false
    this.#next = ring.count
    this.#expired = new ExpiredSince(store, this.#interest, {
      since: this.#expiry.told,
      until: told,
      unseenFrom: this.#expiry.unseenFrom,
      before: end,
    })
    this.#expiryThen = { told, unseenFrom: end }
  }

  /** A step of finding what has ended while it read the log, or the first of that. */
  #tellExpired(expired: ExpiredSince): Change | undefined {
    if (!expired.find(new Budget(this.#hub.store.env))) {
      this.#continue()
      return undefined
    }
    const isTooMuch = this.#isBounded && expired.foundCount > this.#pendingCountMax
    if (!expired.isComplete || isTooMuch) return this.#startAfresh(undefined)
    this.#isBounded = false
    for (let next = expired.next(); next !== undefined; next = expired.next()) {
      // Those that were late come first.
      this.#passExpired(next, (next.isLate ? this.#expiry : (this.#expiryThen as ExpiryPlace)).unseenFrom)
      this.#queue.push(new LazyExpired(this.#hub, next, this.#hub.newest(), this.#expiry))
      if (this.#queue.length === FOUND_AHEAD_MAX) break
    }
    const first = this.#queue[0]
    if (first !== undefined) return this.#hand(first)
    this.#expiry = this.#expiryThen as ExpiryPlace
    this.#expired = undefined
    return this.#take()
  }

  /** Lets everybody else have a turn before the next step. */
  #continue(): void {
    if (this.#isContinuing) return
    this.#isContinuing = true
    void this.#hub.store.env.yield().then(() => {
      this.#isContinuing = false
      this.wake()
    })
  }

  #resume(from: NonNullable<WatchOptions['from']>): void {
    const start = typeof from === 'string' ? this.#hub.placeOf(from) : undefined
    const place = typeof from === 'string' ? start?.place : this.#placeOfVersion(from.version)
    this.#expiry = start?.expiry ?? { told: NOTHING_TOLD, unseenFrom: 0 }
    this.#seenVersion = typeof from === 'string' ? undefined : from.version
    if (place !== undefined) this.#feed.moveTo(place)
    if (place === undefined || this.#feed.hasLost()) {
      this.#queue = [this.#startAfresh(this.#missedCount())]
      return
    }
    this.#isReplaying = true
  }

  /** Behind the operation that made a version of the one key watched. */
  #placeOfVersion(version: number): Place | undefined {
    const { store } = this.#hub
    if (this.#interest.key === undefined) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `'${this.#interest.text}' is a pattern: versions are per key, resume from a cursor instead`,
      )
    }
    const present = { position: store.log.end, isSeen: false }
    const slot = store.keys.find(this.#interest.key)
    if (slot === undefined) return version === 0 ? present : undefined
    const operations = store.folder.chains.operations(store.chain(slot))
    const index = version - (store.keys.version[slot]! - operations.length)
    const next = operations[0]
    if (index === 0) return next === undefined ? present : { position: next.position, isSeen: false }
    const last = operations[index - 1]
    return last === undefined ? undefined : { position: last.position, isSeen: true }
  }

  /** How many operations of the one key watched have not been seen, if that can be told. */
  #missedCount(): number | undefined {
    const [present, seen] = [this.#presentVersion(), this.#seenVersion]
    if (present === undefined || seen === undefined || present <= seen) return undefined
    return present - seen
  }

  #presentVersion(): number | undefined {
    const { keys } = this.#hub.store
    if (this.#interest.key === undefined) return undefined
    const slot = keys.find(this.#interest.key)
    return slot === undefined ? 0 : keys.version[slot]!
  }

  /** Goes on from the present. Returns the gap to be told of. */
  #startAfresh(missedCount: number | undefined): WatchGap {
    this.#feed.moveToEnd()
    this.#seenVersion = this.#presentVersion()
    this.#clearQueue()
    this.#isReplaying = false
    this.#next = this.#hub.ring.count
    this.#expired = undefined
    this.#isBounded = false
    this.#expiry = { told: this.#hub.told, unseenFrom: this.#hub.store.log.end }
    return { kind: 'gap', missedCount, cursor: this.#hub.cursor(this.#hub.newest(), this.#expiry) }
  }
}
