/**
 * Watching: changes by key or pattern, as an async iterable that can be resumed. The log is the
 * queue. A ring of the newest operations, shared by all watches, saves reading them back while a
 * consumer keeps up; one that falls behind the ring reads the log; one that falls behind what its
 * own bound allows, or what compaction waits for, is told of the gap and goes on from the present.
 *
 * Cost: two stores per operation however many watches there are, and a pattern match per watch and
 * operation when it reads.
 */
import { shownValue } from '../../crdt/shown-kind.ts'
import { checkOptions, isWholeFrom, refusedOption } from '../../crdt/checked-options.ts'
import { formatDot, type Dot } from '../../crdt/time/dot.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { Entered } from '../store/write-road/draft.ts'
import type { KeyStore } from '../store/key-store.ts'
import { compilePattern } from '../keys/pattern.ts'
import type { Holds } from '../log/holds.ts'
import { RECORD_KIND } from '../log/log.ts'
import { WATCH_OPTIONS, type Cursor, type Watch, type WatchLag, type WatchOptions } from './change.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { Position } from '../operation/position.ts'
import { OperationRing } from './operation-ring.ts'
import type { Interest } from '../log/feed/feed.ts'
import type { ExpiryMark } from '../store/expirations/expiry-mark.ts'
import { formatMark, NOTHING_TOLD, parseMark } from '../store/expirations/expiry-mark.ts'
import type { Expired } from '../store/expirations/expirations.ts'
import type { ExpiryPlace } from './lazy-change.ts'
import { RunningWatch, type Start, type WatchSource } from './running-watch.ts'

const RING_CAPACITY = 1024
const DIGITS = /^\d{1,16}$/
const PENDING_COUNT_MAX = 1024

export interface WatchHubOptions {
  readonly store: KeyStore
  readonly holds: Holds
  /** Names this log: a cursor of another one is answered with a gap. */
  readonly logName: () => string
  readonly onReset: (listener: () => void) => () => void
}

export class WatchHub implements WatchSource {
  readonly store: KeyStore
  readonly holds: Holds
  readonly ring: OperationRing = new OperationRing(RING_CAPACITY)
  readonly #options: WatchHubOptions
  readonly #watches = new Set<RunningWatch>()
  readonly #reader: OperationReader
  #unsubscribe: (() => void) | undefined
  #unfollow: (() => void) | undefined
  #isWaking = false

  constructor(options: WatchHubOptions) {
    this.#options = options
    this.store = options.store
    this.holds = options.holds
    this.#reader = new OperationReader(options.store.table)
    options.onReset(() => {
      for (const watch of this.#watches) watch.reset()
    })
  }

  get count(): number {
    return this.#watches.size
  }

  /** How far the consumers of the running watches are behind. */
  lags(): WatchLag[] {
    return [...this.#watches].map(({ lag }) => lag)
  }

  /** Throws `WARP_E_PATTERN`, `WARP_E_CONFIG`. */
  watch(pattern: string, options: WatchOptions = {}): Watch {
    const { text, matches } = compilePattern(pattern)
    const isKey = !/[*?\\]/.test(text)
    return this.#start(
      { text, matches: isKey ? (key) => key === text : matches, key: isKey ? text : undefined },
      options,
    )
  }

  /** Throws `WARP_E_CONFIG`. */
  watchKey(key: string, options: WatchOptions = {}): Watch {
    return this.#start({ text: key, matches: (other) => other === key, key }, options)
  }

  #start(interest: Interest, options: WatchOptions): Watch {
    checkOptions('watch', options, WATCH_OPTIONS)
    const pendingCountMax = options.pendingCountMax ?? PENDING_COUNT_MAX
    if (!isWholeFrom(pendingCountMax, 1)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `pendingCountMax is ${shownValue(pendingCountMax)}; give a whole number of at least 1`,
      )
    }
    this.#unsubscribe ??= this.store.subscribe((entered) => this.#note(entered))
    this.#unfollow ??= this.store.expirations.follow({ expired: (expired) => this.#noteExpired(expired) })
    try {
      checkFrom(options.from)
      const watch = new RunningWatch(this, interest, { ...options, pendingCountMax })
      if (!watch.isClosed) this.#watches.add(watch)
      return watch
    } finally {
      this.#restIfIdle()
    }
  }

  remove(watch: RunningWatch): void {
    this.#watches.delete(watch)
    this.#restIfIdle()
  }

  #restIfIdle(): void {
    if (this.#watches.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#unfollow?.()
    this.#unfollow = undefined
    // From now on operations pass it by.
    this.ring.count = 0
  }

  get told(): ExpiryMark {
    return this.store.expirations.told
  }

  /** Where the newest operation of all keys is; 0 if there is none. */
  newest(): Position {
    const { ring, store } = this
    if (ring.count > 0) return ring.position(ring.count - 1)
    let newest = 0
    for (const slot of store.keys.occupied()) newest = Math.max(newest, store.keys.head[slot]!)
    return newest
  }

  cursorBefore(number: number, expiry: ExpiryPlace): Cursor {
    const { ring, store } = this
    const passedCount = ring.count - number
    if (passedCount > ring.capacity) return `${this.#options.logName()}@-`
    if (number > 0 && passedCount < ring.capacity) return this.cursor(ring.position(number - 1), expiry)
    // What came before the ring: of a key that has been written since, an operation before that.
    const before = passedCount === 0 ? Infinity : ring.position(number)
    let newest = 0
    for (const slot of store.keys.occupied()) {
      const head = store.keys.head[slot]!
      if (head < before) newest = Math.max(newest, head)
    }
    return this.cursor(newest, expiry)
  }

  close(): void {
    for (const watch of this.#watches) watch.close()
  }

  /**
   * Names the operation as well as its position: after a crash that took the end of the log,
   * another one may be there, or none. A cursor to what compaction has dropped names neither and is
   * answered with a gap. Behind that stands what has been told of lives that have ended.
   */
  cursor(position: Position, { told, unseenFrom }: ExpiryPlace): Cursor {
    const name = this.#options.logName()
    const expiry = `${formatMark(told)}@${unseenFrom}`
    if (position === 0) return `${name}@0@@${expiry}`
    const dot = this.#dotAt(position)
    return dot === undefined ? `${name}@-` : `${name}@${position}@${formatDot(dot)}@${expiry}`
  }

  /** The place that a cursor names, `undefined` if it is not in this log. */
  placeOf(cursor: Cursor): Start | undefined {
    const [name, digits = '', dot, mark = '', from = ''] = cursor.split('@')
    if (name !== this.#options.logName() || !DIGITS.test(digits)) return undefined
    const position = Number(digits)
    const expiry: ExpiryPlace = {
      told: parseMark(mark) ?? NOTHING_TOLD,
      unseenFrom: DIGITS.test(from) ? Number(from) : 0,
    }
    if (position === 0) return { place: { position, isSeen: false }, expiry }
    const found = this.#dotAt(position)
    if (found === undefined || formatDot(found) !== dot) return undefined
    return { place: { position, isSeen: true }, expiry }
  }

  #dotAt(position: Position): Dot | undefined {
    try {
      const { kind, bytes, start, end } = this.store.log.record(position)
      if (kind !== RECORD_KIND.operation) return undefined
      const { replica, sequence } = this.#reader.load(bytes, start, end)
      return { replica, sequence }
    } catch (error) {
      if (isWarpError(error, 'WARP_E_LOG_CORRUPT') || isWarpError(error, 'WARP_E_PROTOCOL')) return undefined
      throw error
    }
  }

  #note({ slot, version, position }: Entered): void {
    this.ring.push(this.store.keys.keys[slot] as string, version, position)
    if (!this.#isWaking) this.#wakeSoon()
  }

  #noteExpired(expired: Expired): void {
    this.ring.pushExpired(expired, this.newest())
    if (!this.#isWaking) this.#wakeSoon()
  }

  #wakeSoon(): void {
    this.#isWaking = true
    this.store.env.defer(() => {
      this.#isWaking = false
      for (const watch of this.#watches) watch.wake()
    })
  }
}

/** Whether it looks like a cursor, of whatever log: the log, a place in it, and more behind that. */
export function isCursor(text: unknown): boolean {
  if (typeof text !== 'string') return false
  const [name = '', place = '', ...rest] = text.split('@')
  return name !== '' && (place === '-' ? rest.length === 0 : DIGITS.test(place) && rest.length > 0)
}

/** A cursor is opaque: one of another log is answered with a gap. A version is a whole number. */
function checkFrom(from: unknown): void {
  if (from === undefined || typeof from === 'string') return
  if (typeof from !== 'object' || from === null)
    throw refusedOption('watch', 'from', from, 'give the cursor of a change, or { version }')
  checkOptions('watch: from', from, ['version'])
  const { version } = from as { readonly version?: unknown }
  if (!isWholeFrom(version, 0))
    throw refusedOption('watch', 'from.version', version, 'give a whole number of at least 0')
}
