/**
 * The way out for our own operations: follows the log from a cursor and broadcasts what this
 * replica wrote, in batches. Others' operations are not relayed unasked; whoever lacks them asks
 * (anti-entropy). Nothing is queued here: the log is the queue, so a dead peer costs nothing.
 *
 * Only records that are safe in the log are sent (`sendable`), so a flush may stop short; it is
 * then tried again soon.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Env, Timer } from '../ports/env.ts'
import { Step } from '../operation/budget.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import { OperationsBatch } from './wire/operations-batch.ts'
import { asError } from '../../crdt/warp-error.ts'
import { FRAME_BYTES_MAX } from '../limits.ts'
import type { ReplicationObserver } from './events.ts'
import type { ReplicationSettings } from './options.ts'
import type { Post } from './reception/post.ts'
import type { Reception } from './reception/reception.ts'
import type { ReplicationStore } from './store.ts'
import type { Position } from '../operation/position.ts'

/**
 * While records wait to become sendable. The engine calls `appended` then as well, usually sooner.
 */
const UNSENDABLE_RETRY_MS = 20

export interface BroadcasterParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly post: Post
  readonly reception: Reception
}

export class Broadcaster {
  readonly #store: ReplicationStore
  readonly #env: Env
  readonly #parts: BroadcasterParts
  /** The largest frame that all transports take. */
  readonly #frameBytesMax: number
  readonly #batch: OperationsBatch
  readonly #run = (): void => this.#slice()
  #cursor: Position
  /** Who we were, and how far we had written, when everything had been sent. */
  #sentAs: ReplicaId | undefined
  #sentThrough = 0
  #isScheduled = false
  #isClosed = false
  #timer: Timer | undefined
  readonly #meter = new Step()
  #operationCount = 0

  constructor(parts: BroadcasterParts) {
    const { store, env, post } = parts
    this.#parts = parts
    this.#store = store
    this.#env = env
    this.#frameBytesMax = Math.min(FRAME_BYTES_MAX, ...post.links.map(({ link }) => link.frameBytesMax))
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

  /** Sends what one slice can, and no more. */
  close(): void {
    this.#slice()
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #slice(): void {
    if (this.#isClosed) return
    if (this.#isPaused) {
      this.#isScheduled = false
      return
    }
    if (this.#isSent()) {
      // What has been appended since is others': they broadcast it.
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
      this.#sentAs = this.#store.replica
      this.#sentThrough = this.#store.applied.get(this.#sentAs)
    }
  }

  /** Nothing is sent for now; `wake` is called when that ends. */
  get #isPaused(): boolean {
    const { reception } = this.#parts
    return reception.isImporting || !reception.isJoined
  }

  #isSent(): boolean {
    const { replica, applied } = this.#store
    return replica === this.#sentAs && applied.get(replica) === this.#sentThrough
  }

  readonly #visit = (operation: OperationReader): boolean => {
    if (operation.replica === this.#store.replica) this.#add(operation)
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
    this.#parts.post.broadcast(this.#batch.finish(false))
    // Whom it did not reach learns from the digest that it is missing.
    this.#parts.reception.changed()
    this.#batch.begin(this.#parts.post.sender, 0)
  }

  #oversize(sequence: number, bytes: number): void {
    const { post, observe } = this.#parts
    for (const via of post.links) {
      if (via.link.frameBytesMax >= bytes) continue
      observe({ kind: 'operation:oversize', transport: via.name, sequence, bytes })
    }
  }
}
