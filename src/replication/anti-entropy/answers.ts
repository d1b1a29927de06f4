/**
 * Answers requests for operations: scans the log from where the asked-for ranges begin and sends
 * what lies in them, verbatim.
 *
 * One answer per peer at a time; a newer request takes the place of the older. Scanning goes in
 * slices, in turn for all peers. A peer whose queue is full is left alone for a while
 * (back-pressure), and an answer ends after a window of bytes: the peer asks for the rest, at its
 * own pace. So memory is one batch per peer, whatever is asked.
 */
import { asError } from '../../../crdt/warp-error.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { isInOrder } from '../../log/operation-search.ts'
import { Step } from '../../operation/budget.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'
import { OperationsBatch } from '../wire/operations-batch.ts'
import { type OperationRange } from '../wire/frames.ts'
import type { ReplicationObserver } from '../events.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'
import type { Position } from '../../operation/position.ts'

const FULL_RETRY_MS = 20
const FULL_RETRY_MS_MAX = 1000
/** Answers under way at one time. Peers beyond are not answered; they ask again. */
export const ANSWERS_MAX = 256

export interface AnswersParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly post: Post
}

interface Answer {
  readonly peer: Peer
  readonly number: number
  readonly ranges: Map<ReplicaId, OperationRange[]>
  /** Replicas whose ranges have not been scanned to their end, and how many of their operations are yet to be seen. */
  readonly open: Map<ReplicaId, number>
  readonly batch: OperationsBatch
  position: Position
  sentBytes: number
  /** The batch is complete and waits for room in the peer's queue. */
  isHeld: boolean
  isLast: boolean
  retryDelayMs: number
  retryAtMs: number
}

export class Answers {
  readonly #store: ReplicationStore
  readonly #env: Env
  readonly #settings: ReplicationSettings
  readonly #observe: ReplicationObserver
  readonly #post: Post
  readonly #answers = new Map<Peer, Answer>()
  readonly #meter = new Step()
  #isRunning = false
  #isClosed = false
  #timer: Timer | undefined
  #operationCount = 0

  constructor(parts: AnswersParts) {
    this.#store = parts.store
    this.#env = parts.env
    this.#settings = parts.settings
    this.#observe = parts.observe
    this.#post = parts.post
  }

  /** Answers under way. */
  get count(): number {
    return this.#answers.size
  }

  get operationCount(): number {
    return this.#operationCount
  }

  answer(peer: Peer, number: number, ranges: readonly OperationRange[]): void {
    if (this.#isClosed || (this.#answers.size >= ANSWERS_MAX && !this.#answers.has(peer))) return
    const answer: Answer = {
      peer,
      number,
      ranges: new Map(),
      open: new Map(),
      batch: new OperationsBatch(this.#store.table),
      position: this.#store.end,
      sentBytes: 0,
      isHeld: false,
      isLast: false,
      retryDelayMs: FULL_RETRY_MS,
      retryAtMs: 0,
    }
    for (const range of ranges) this.#include(answer, range)
    answer.batch.begin(this.#post.sender, number)
    this.#answers.set(peer, answer)
    this.#wake()
  }

  forget(peer: Peer): void {
    this.#answers.delete(peer)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#answers.clear()
  }

  #include(answer: Answer, range: OperationRange): void {
    if (this.#store.applied.get(range.replica) < range.from) return
    const ranges = answer.ranges.get(range.replica)
    if (ranges === undefined) answer.ranges.set(range.replica, [range])
    else ranges.push(range)
    const count = range.to - range.from + 1
    answer.open.set(range.replica, (answer.open.get(range.replica) ?? 0) + count)
    answer.position = Math.min(answer.position, this.#store.positionAfter(range.replica, range.from - 1))
  }

  #wake(): void {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    this.#timer?.cancel()
    this.#env.defer(() => this.#run())
  }

  /** One slice for each answer, then a pause for everybody else. */
  #run(): void {
    if (this.#isClosed) return
    const now = this.#env.monotonic()
    let wakeAtMs = Infinity
    for (const answer of [...this.#answers.values()]) {
      if (answer.retryAtMs <= now) this.#tryStep(answer, now)
      if (this.#answers.get(answer.peer) === answer) wakeAtMs = Math.min(wakeAtMs, answer.retryAtMs)
    }
    if (wakeAtMs <= now) {
      void this.#env.yield().then(() => this.#run())
      return
    }
    this.#isRunning = false
    if (wakeAtMs !== Infinity) this.#timer = this.#env.schedule(wakeAtMs - now, () => this.#wake())
  }

  #tryStep(answer: Answer, now: number): void {
    try {
      this.#step(answer, now)
    } catch (error) {
      this.#answers.delete(answer.peer)
      // The log could not be read; the answer is given up.
      this.#observe({ kind: 'store:unreadable', error: asError(error) })
    }
  }

  #step(answer: Answer, now: number): void {
    if (!answer.isHeld) this.#scan(answer)
    if (answer.isHeld && !this.#send(answer)) {
      if (answer.retryDelayMs > FULL_RETRY_MS_MAX) {
        this.#answers.delete(answer.peer)
        return
      }
      answer.retryAtMs = now + answer.retryDelayMs
      answer.retryDelayMs *= 2
      return
    }
    if (answer.isLast && !answer.isHeld) this.#answers.delete(answer.peer)
  }

  #scan(answer: Answer): void {
    this.#meter.begin()
    const visit = (operation: OperationReader): boolean => {
      this.#visit(answer, operation)
      return answer.open.size > 0 && !answer.isHeld && !answer.isLast
    }
    answer.position = this.#store.scanOperations(answer.position, visit, this.#meter)
    if (answer.isHeld || answer.isLast) return
    answer.isLast = answer.open.size === 0 || answer.position >= this.#store.sendable
    answer.isHeld = answer.isLast || answer.batch.bytesCount >= this.#settings.batchBytes
  }

  #visit(answer: Answer, operation: OperationReader): void {
    const { replica, sequence } = operation
    const ranges = answer.ranges.get(replica)
    const left = answer.open.get(replica)
    if (ranges === undefined || left === undefined) return
    const isPassed = isInOrder(operation) && ranges.every((range) => range.to <= sequence)
    const isAsked = ranges.some((range) => range.from <= sequence && sequence <= range.to)
    if (isPassed || (isAsked && left === 1)) answer.open.delete(replica)
    else if (isAsked) answer.open.set(replica, left - 1)
    if (isAsked) this.#add(answer, operation)
  }

  #add(answer: Answer, operation: OperationReader): void {
    const bytes = operation.end - operation.start
    const { frameBytesMax } = answer.peer.via.link
    // What does not fit behind the others goes out with the next request if it cannot be sent at
    // once.
    if (!answer.batch.fits(bytes, frameBytesMax) && answer.batch.count > 0 && !this.#send(answer)) {
      answer.isHeld = true
      answer.isLast = true
      return
    }
    if (answer.isLast) return
    if (!answer.batch.fits(bytes, frameBytesMax)) {
      this.#observe({
        kind: 'operation:oversize',
        transport: answer.peer.via.name,
        sequence: operation.sequence,
        bytes,
      })
      return
    }
    answer.batch.add(operation.bytes, operation.start, operation.end)
    answer.isHeld = answer.batch.bytesCount >= this.#settings.batchBytes
  }

  /** Sends the batch. Returns `false` if the peer's queue is full. */
  #send(answer: Answer): boolean {
    answer.isLast ||= answer.sentBytes + answer.batch.bytesCount >= this.#settings.windowBytes
    const { batch, peer } = answer
    if (!this.#post.send(peer, batch.finish(answer.isLast))) return false
    answer.sentBytes += batch.bytesCount
    this.#operationCount += batch.count
    answer.isHeld = false
    answer.retryDelayMs = FULL_RETRY_MS
    answer.retryAtMs = 0
    batch.begin(this.#post.sender, answer.number)
    return true
  }
}
