/**
 * The way out for operations that nobody has asked for: follows the log from a cursor and broadcasts
 * what its source wants, in batches: what this replica wrote (`own-operations.ts`), or what a relay
 * carries into a region (`regions/lane.ts`). Whoever lacks anything else asks (anti-entropy). Nothing
 * is queued here: the log is the queue, so a dead peer costs nothing.
 *
 * Only records that are safe in the log are sent (`sendable`), so a flush may stop short; it is
 * then tried again soon.
 */
import type { Env, Timer } from '../ports/env.ts'
import { Step } from '../operation/budget.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import { OperationsBatch } from './wire/operations-batch.ts'
import { asError } from '../../crdt/warp-error.ts'
import { FRAME_BYTES_MAX } from '../limits.ts'
import type { ReplicationObserver } from './events.ts'
import type { ReplicationSettings } from './options.ts'
import type { Link } from './peers.ts'
import type { Post } from './reception/post.ts'
import type { ReplicationStore } from './store.ts'
import type { Position } from '../operation/position.ts'

/**
 * While records wait to become sendable. The engine calls `appended` then as well, usually sooner.
 */
const UNSENDABLE_RETRY_MS = 20

/** What goes out, and where. */
export interface BroadcastSource {
  readonly links: readonly Link[]
  /** Nothing is sent for now; `wake` is called when that ends. */
  isPaused(): boolean
  /** Nothing of what has been appended since the last time goes out. */
  isSent(): boolean
  /** Whether it goes out. Asked once of each operation, and again after a `rewind`. */
  wants(operation: OperationReader): boolean
  /** All that there is has gone out. */
  caughtUp(): void
  /** Some of it has gone out. */
  sent(): void
}

export interface BroadcasterParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly post: Post
  readonly source: BroadcastSource
}

export class Broadcaster {
  readonly #store: ReplicationStore
  readonly #env: Env
  readonly #parts: BroadcasterParts
  readonly #source: BroadcastSource
  /** The largest frame that all of its transports take. */
  readonly #frameBytesMax: number
  readonly #batch: OperationsBatch
  readonly #run = (): void => this.#slice()
  #cursor: Position
  #isScheduled = false
  #isClosed = false
  #timer: Timer | undefined
  readonly #meter = new Step()
  #operationCount = 0

  constructor(parts: BroadcasterParts) {
    const { store, env, source } = parts
    this.#parts = parts
    this.#source = source
    this.#store = store
    this.#env = env
    this.#frameBytesMax = Math.min(FRAME_BYTES_MAX, ...source.links.map(({ link }) => link.frameBytesMax))
    this.#batch = new OperationsBatch(store.table)
    this.#cursor = store.sendable
  }

  /** Operations sent so far. */
  get operationCount(): number {
    return this.#operationCount
  }

  /** Something may have become sendable. Cheap: the work is done later, once for many calls. */
  wake(): void {
    if (this.#isScheduled || this.#isClosed) return
    this.#isScheduled = true
    this.#env.defer(this.#run)
  }

  /** Begins again from there, if that is before what comes next. */
  rewind(position: Position): void {
    this.#cursor = Math.min(this.#cursor, position)
    this.wake()
  }

  /** Sends what one slice can, and no more. */
  close(): void {
    this.#slice()
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #slice(): void {
    if (this.#isClosed) return
    if (this.#source.isPaused()) {
      this.#isScheduled = false
      return
    }
    if (this.#source.isSent()) {
      this.#cursor = this.#store.sendable
      this.#isScheduled = false
      return
    }
    this.#meter.begin()
    this.#batch.begin(this.#parts.post.sender, 0)
    try {
      this.#cursor = this.#store.scanOperations(this.#cursor, this.#visit, this.#meter)
    } catch (error) {
      // What lies before the damage has been sent; what lies behind is there for those who ask.
      this.#cursor = this.#store.sendable
      this.#parts.observe({ kind: 'store:unreadable', error: asError(error) })
    }
    this.#flush()
    if (this.#cursor < this.#store.sendable) {
      void this.#env.yield().then(this.#run)
    } else if (this.#cursor < this.#store.end) {
      this.#isScheduled = false
      this.#timer ??= this.#env.schedule(UNSENDABLE_RETRY_MS, () => {
        this.#timer = undefined
        this.wake()
      })
    } else {
      this.#isScheduled = false
      this.#source.caughtUp()
    }
  }

  readonly #visit = (operation: OperationReader): boolean => {
    if (this.#source.wants(operation)) this.#add(operation)
    return true
  }

  #add(operation: OperationReader): void {
    const bytes = operation.end - operation.start
    if (!this.#batch.fits(bytes, this.#frameBytesMax)) this.#flush()
    if (!this.#batch.fits(bytes, this.#frameBytesMax)) {
      this.#oversize(operation.sequence, bytes)
      return
    }
    this.#batch.add(operation.bytes, operation.start, operation.end)
    if (this.#batch.bytesCount >= this.#parts.settings.batchBytes) this.#flush()
  }

  #flush(): void {
    if (this.#batch.count === 0) return
    this.#operationCount += this.#batch.count
    const frame = this.#batch.finish(false)
    for (const via of this.#source.links) this.#parts.post.broadcastOver(via, frame)
    this.#source.sent()
    this.#batch.begin(this.#parts.post.sender, 0)
  }

  #oversize(sequence: number, bytes: number): void {
    for (const via of this.#source.links) {
      if (via.link.frameBytesMax >= bytes) continue
      this.#parts.observe({ kind: 'operation:oversize', transport: via.name, sequence, bytes })
    }
  }
}
