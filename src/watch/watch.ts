/**
 * Watching: changes by key or pattern, as an async iterable that can be resumed. The log is the
 * queue. A ring of the newest operations, shared by all watches, saves reading them back while a
 * consumer keeps up; one that falls behind the ring reads the log; one that falls behind what its
 * own bound allows, or what compaction waits for, is told of the gap and goes on from the present.
 *
 * Cost: two stores per operation however many watches there are, and a pattern match per watch and
 * operation when it reads.
 */
import { checkOptions } from '../../crdt/checked-options.ts'
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
import type { Interest, Place } from '../log/feed/feed.ts'
import { RunningWatch, type WatchSource } from './running-watch.ts'

const RING_CAPACITY = 1024
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
    if (!Number.isInteger(pendingCountMax) || pendingCountMax < 1) {
      throw new WarpError('WARP_E_CONFIG', `pendingCountMax is ${pendingCountMax}; give a whole number of at least 1`)
    }
    const watch = new RunningWatch(this, interest, { ...options, pendingCountMax })
    if (watch.isClosed) return watch
    this.#watches.add(watch)
    this.#unsubscribe ??= this.store.subscribe((entered) => this.#note(entered))
    return watch
  }

  remove(watch: RunningWatch): void {
    this.#watches.delete(watch)
    if (this.#watches.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    // From now on operations pass it by.
    this.ring.count = 0
  }

  close(): void {
    for (const watch of this.#watches) watch.close()
  }

  /**
   * Names the operation as well as its position: after a crash that took the end of the log,
   * another one may be there, or none. A cursor to what compaction has dropped names neither and is
   * answered with a gap.
   */
  cursor(position: Position): Cursor {
    const name = this.#options.logName()
    if (position === 0) return `${name}@0`
    const dot = this.#dotAt(position)
    return dot === undefined ? `${name}@-` : `${name}@${position}@${formatDot(dot)}`
  }

  /** The place that a cursor names, `undefined` if it is not in this log. */
  placeOf(cursor: Cursor): Place | undefined {
    const [name, digits = '', dot] = cursor.split('@')
    if (name !== this.#options.logName() || !/^\d{1,16}$/.test(digits)) return undefined
    const position = Number(digits)
    if (position === 0) return { position, isSeen: false }
    const found = this.#dotAt(position)
    return found !== undefined && formatDot(found) === dot ? { position, isSeen: true } : undefined
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

  #wakeSoon(): void {
    this.#isWaking = true
    this.store.env.defer(() => {
      this.#isWaking = false
      for (const watch of this.#watches) watch.wake()
    })
  }
}
