/**
 * One running watch. It reads from the ring while it keeps up. A watch that resumes reads the log first, at its consumer's own pace; a live one
 * that has more than its bound to catch up with is told of the gap instead.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import type { Change, Cursor, WatchGap, Watch, WatchOptions } from './change.ts'
import { RECORD_KIND } from '../log/log.ts'
import { OperationReader } from '../operation/operation-reader.ts'
import { textOf } from '../operation/text.ts'
import type { Position } from '../operation/position.ts'
import { LazyChange, type ChangeSource } from './lazy-change.ts'
import type { OperationRing } from './operation-ring.ts'

/** Operations of the log looked at in one go while resuming. */
const REPLAY_STEP = 256

/** Which keys a watch is about. */
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

/** What a watch needs of the hub that it hangs on. */
export interface WatchSource extends ChangeSource {
  readonly ring: OperationRing
  /** The place that a cursor names, `undefined` if it is not of this log. */
  placeOf(cursor: Cursor): Place | undefined
  remove(watch: RunningWatch): void
}

interface Waiting {
  readonly resolve: (result: IteratorResult<Change, undefined>) => void
  readonly reject: (error: unknown) => void
}

export class RunningWatch implements Watch, AsyncIterator<Change, undefined> {
  readonly #hub: WatchSource
  readonly #interest: Interest
  readonly #pendingCountMax: number
  readonly #reader: OperationReader
  readonly #signal: AbortSignal | undefined
  /** The number of the next operation in the ring. */
  #next: number
  /** Where to read on in the log. */
  #at: Place
  /** Reads the log instead of the ring until it has caught up. */
  #isReplaying = false
  #queue: Change[] = []
  #waiting: Waiting | undefined
  #isClosed = false

  constructor(hub: WatchSource, interest: Interest, options: WatchOptions & { pendingCountMax: number }) {
    this.#hub = hub
    this.#interest = interest
    this.#pendingCountMax = options.pendingCountMax
    this.#reader = new OperationReader(hub.store.table)
    this.#next = hub.ring.count
    this.#at = { position: hub.store.log.end, isSeen: false }
    this.#signal = options.signal
    if (options.from !== undefined) this.#resume(options.from)
    if (options.signal?.aborted === true) this.#isClosed = true
    else options.signal?.addEventListener('abort', this.close, { once: true })
  }

  [Symbol.asyncIterator](): AsyncIterator<Change, undefined> {
    return this
  }

  next(): Promise<IteratorResult<Change, undefined>> {
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined })
    if (this.#waiting !== undefined) {
      return Promise.reject(
        new WarpError('WARP_E_CONFIG', 'a watch has one consumer; open another watch for another one'),
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
    this.#signal?.removeEventListener('abort', this.close)
    this.#hub.remove(this)
    this.#settle({ done: true, value: undefined })
  }

  /** What the log cannot give, because it is damaged say, ends the watch: its consumer is told, and resumes from the cursor that it has. */
  wake(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    try {
      const change = this.#take()
      if (change !== undefined) this.#settle({ done: false, value: change })
    } catch (error) {
      this.#waiting = undefined
      this.close()
      waiting.reject(error)
    }
  }

  /** The state has been replaced otherwise than by operations: everything may have changed. */
  reset(): void {
    this.#startAfresh(undefined)
    this.wake()
  }

  #settle(result: IteratorResult<Change, undefined>): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(result)
  }

  #take(): Change | undefined {
    const { ring } = this.#hub
    if (this.#isReplaying) this.#replay()
    else if (ring.count - this.#next > Math.min(this.#pendingCountMax, ring.capacity)) this.#catchUp()
    const queued = this.#queue.shift()
    if (queued !== undefined) return queued
    while (this.#next < ring.count) {
      const number = this.#next++
      const key = ring.key(number)
      const position = ring.position(number)
      this.#at = { position, isSeen: true }
      if (this.#interest.matches(key)) return new LazyChange(this.#hub, key, ring.version(number), position)
    }
    return undefined
  }

  /** Takes everything that is pending at once, or tells of the gap if that is more than the bound. */
  #catchUp(): void {
    if (this.#hasLost()) {
      this.#startAfresh(undefined)
      return
    }
    const pending = this.#queue
    this.#readLog(Number.POSITIVE_INFINITY, (change) => pending.push(change))
    this.#next = this.#hub.ring.count
    if (pending.length > this.#pendingCountMax) this.#startAfresh(pending.length)
  }

  /** Reads on in the log until something matches or the end is reached. */
  #replay(): void {
    while (this.#queue.length === 0 && this.#isReplaying) {
      if (this.#hasLost()) {
        this.#startAfresh(undefined)
        return
      }
      const isAtEnd = this.#readLog(REPLAY_STEP, (change) => this.#queue.push(change))
      if (!isAtEnd) continue
      this.#isReplaying = false
      this.#next = this.#hub.ring.count
    }
  }

  /** Looks at up to `count` further operations of the log. Returns whether that was all. */
  #readLog(count: number, take: (change: Change) => void): boolean {
    const { store } = this.#hub
    const end = store.log.end
    const found: { key: string; position: Position }[] = []
    const { position: from, isSeen } = this.#at
    let left = count
    const position = store.log.scan(from, (record) => {
      if (record.kind !== RECORD_KIND.operation || (isSeen && record.position <= from)) return true
      const { bytes, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
      const key = textOf(bytes, keyStart, keyEnd)
      if (this.#interest.matches(key)) found.push({ key, position: record.position })
      return --left > 0
    })
    this.#at = { position, isSeen: false }
    for (const { key, position } of found) {
      const version = this.#versionAt(key, position)
      if (version > 0) take(new LazyChange(this.#hub, key, version, position))
    }
    return position >= end
  }

  /** The key's version once the operation at `position` had been taken in; 0 if it has been compacted away meanwhile. */
  #versionAt(key: string, position: Position): number {
    const { keys, folder } = this.#hub.store
    const slot = keys.find(key)
    if (slot === undefined || position <= keys.cut[slot]!) return 0
    return keys.version[slot]! - folder.chains.countAfter(keys.head[slot]!, position)
  }

  #resume(from: NonNullable<WatchOptions['from']>): void {
    const place = typeof from === 'string' ? this.#hub.placeOf(from) : this.#placeOfVersion(from.version)
    if (place === undefined || this.#isCompactedBehind(place)) {
      this.#startAfresh(undefined)
      return
    }
    this.#at = place
    this.#isReplaying = true
  }

  /** Whether compaction has taken away what this watch has not looked at yet. */
  #hasLost(): boolean {
    return this.#isCompactedBehind(this.#at)
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
    const slot = store.keys.find(this.#interest.key)
    if (slot === undefined) return version === 0 ? this.#at : undefined
    const operations = store.folder.chains.operations(store.chain(slot))
    const index = version - (store.keys.version[slot]! - operations.length)
    const next = operations[0]
    if (index === 0) return next === undefined ? this.#at : { position: next.position, isSeen: false }
    const last = operations[index - 1]
    return last === undefined ? undefined : { position: last.position, isSeen: true }
  }

  /** Whether operations behind a place that this watch should have seen are in snapshots now, or, perhaps, forgotten with their keys. */
  #isCompactedBehind(place: Place): boolean {
    const position = place.isSeen ? place.position : place.position - 1
    const { keys } = this.#hub.store
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

  /** Tells of a gap and goes on from the present. */
  #startAfresh(missedCount: number | undefined): void {
    const { store, ring } = this.#hub
    this.#at = { position: store.log.end, isSeen: false }
    const gap: WatchGap = { kind: 'gap', missedCount, cursor: this.#hub.cursor(this.#newest()) }
    this.#queue = [gap]
    this.#isReplaying = false
    this.#next = ring.count
  }

  /** Where the newest operation of all keys is; 0 if there is none. */
  #newest(): Position {
    const { ring, store } = this.#hub
    if (ring.count > 0) return ring.position(ring.count - 1)
    let newest = 0
    for (const slot of store.keys.occupied()) newest = Math.max(newest, store.keys.head[slot]!)
    return newest
  }
}
