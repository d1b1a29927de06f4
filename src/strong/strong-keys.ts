/**
 * The strong keys of one replica: follows the ordered log, hands writes to it, and asks it for
 * barriers. Which partition a key is in follows from the key: from the part between the first `{` and
 * the `}` behind it where there is one, so that keys can be kept together (as Redis Cluster has it).
 */
import { isWholeFrom } from '../../crdt/checked-options.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { hlcFromMs, hlcToMs } from '../../crdt/time/hlc.ts'
import { isReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { ignoreOutcome } from '../../crdt/synchronous.ts'
import { asError, isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { newReplicaId } from '../keys/domain-writer.ts'
import type { Slot } from '../keys/key-table.ts'
import type { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import { fnv1a } from '../operation/text.ts'
import { isOrderedId, PARTITIONS_MAX } from '../operation/names/ordered-id.ts'
import { awake, whenAborted } from '../ports/abort-signals.ts'
import type { Env } from '../ports/env.ts'
import type {
  Bookmark,
  OrderedLog,
  OrderedLogLink,
  OrderedLogPromises,
  OrderedLogReport,
} from '../ports/ordered-log.ts'
import type { KeyStore } from '../store/key-store.ts'
import { Barriers } from './barriers.ts'
import type { Command } from './commands.ts'
import { valueAt, versionAt } from './judge.ts'
import type { LockEvent } from './locks/tables/lock-state.ts'
import type { LockTable } from './locks/tables/lock-table.ts'
import { Partition, type PartitionEvent } from './partition.ts'
import { PartitionSaver, type SaverEvent } from './snapshots/partition-saver.ts'
import type { OrderCounts, OrderPartitionCounts } from './place.ts'
import type { WholeState } from './snapshots/install-partition.ts'
import { numberOf, Submitter, type SubmitOptions } from './submitter.ts'
import { notADot, notOfTheLog, readGivenUp, resolvingGivenUp, standsStill, unanswered, unresolved } from './verdict.ts'
import type { Verdict } from './verdict.ts'

export type StrongEvent =
  | PartitionEvent
  | OrderedLogReport
  | SaverEvent
  /** The ordered log does not answer, or answers again. */
  | { readonly kind: 'order:connected' | 'order:disconnected'; readonly name: string }
  /** The log has lost or changed what it had acknowledged: strong keys are refused from now on. */
  | { readonly kind: 'order:broken'; readonly partition: number; readonly error: WarpError }

export interface StrongOptions {
  readonly order: OrderedLog
  readonly store: KeyStore
  readonly feeds: FeedCheckpoints
  readonly env: Env
  readonly observe: (event: StrongEvent) => void
  /** What bounds a write or a read that waits for the log. */
  readonly timeoutMs: number
  /** So many records of a partition make a snapshot worth its while. */
  readonly snapshotEvery: number
  readonly whole: WholeState
}

/** A command that has been decided, and what it was called. */
export interface Decided {
  readonly dot: Dot
  readonly verdict: Verdict
}

interface Lane {
  readonly partition: Partition
  readonly submitter: Submitter
  readonly barriers: Barriers
  readonly saver: PartitionSaver
  /** The last record that the log has handed over. */
  handedOffset: number
  stopFollowing: () => void
}

/** A close waits so long for its last word to be taken. */
const BYE_MS = 500

export class StrongKeys {
  readonly #options: StrongOptions
  readonly #link: OrderedLogLink
  readonly #author: ReplicaId
  readonly #lanes: readonly Lane[]
  #broken: WarpError | undefined
  #isClosed = false
  #isConnected = true
  /** When it went away, by the monotonic clock. */
  #awaySinceMs = 0
  #lockTold: ((partition: number, event: LockEvent) => void) | undefined

  /** Throws what `OrderedLog.open` throws, and `WARP_E_ORDER_BROKEN` for another log than before. */
  static async open(options: StrongOptions): Promise<StrongKeys> {
    const connection = { isConnected: true, told: (_isConnected: boolean): void => undefined }
    const link = await options.order.open({
      connected: (isConnected) => {
        connection.isConnected = isConnected
        connection.told(isConnected)
      },
      report: (report) => options.observe(report),
    })
    try {
      const strong = new StrongKeys(options, link)
      connection.told = (isConnected) => strong.#connected(isConnected)
      connection.told(connection.isConnected)
      return strong
    } catch (error) {
      await link.close()
      throw error
    }
  }

  private constructor(options: StrongOptions, link: OrderedLogLink) {
    if (link.partitionsCount > PARTITIONS_MAX) throw tooManyPartitions(link.partitionsCount)
    this.#options = options
    this.#link = link
    const { store, feeds, env, observe, timeoutMs, whole, snapshotEvery: every } = options
    this.#author = newReplicaId(env)
    const author = this.#author
    this.#lanes = Array.from({ length: link.partitionsCount }, (_, index) => {
      const judged = (by: ReplicaId, sequence: number, verdict: Verdict): void => {
        if (by === author) this.#lanes[index]?.submitter.judged(sequence, verdict)
      }
      const passed = (by: ReplicaId): void => {
        if (by === author) this.#lanes[index]?.saver.noteOwn()
      }
      const locked = (event: LockEvent): void => this.#lockTold?.(index, event)
      const partition = new Partition({
        ...{ index, identity: link.identity, store, feeds, observe, judged, passed, locked },
      })
      const submitter = new Submitter({ env, link, partition, author, timeoutMs })
      const saver = new PartitionSaver({ env, link, store, partition, submitter, whole, observe, every })
      const barriers = new Barriers({ env, link, partition })
      return { partition, submitter, barriers, saver, handedOffset: 0, stopFollowing: () => undefined }
    })
    for (const lane of this.#lanes) this.#follow(lane, bookmarkOf(lane.partition))
  }

  /** As whom this opening of the log writes. */
  get author(): ReplicaId {
    return this.#author
  }

  /** What bounds a write or a read that waits for the log. */
  get timeoutMs(): number {
    return this.#options.timeoutMs
  }

  /** Which log it is. */
  get identity(): string {
    return this.#link.identity
  }

  get partitionsCount(): number {
    return this.#lanes.length
  }

  get promises(): OrderedLogPromises {
    return this.#link.promises
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  /** Why strong keys are refused, or stand still. */
  get trouble(): WarpError | undefined {
    return this.#broken ?? this.#lanes.find(({ partition }) => partition.stopped !== undefined)?.partition.stopped
  }

  counts(): OrderCounts {
    const { order, env } = this.#options
    return {
      ...{ name: order.name, isConnected: this.#isConnected, isFailing: this.trouble !== undefined },
      awayMs: this.#isConnected ? 0 : Math.round(env.monotonic() - this.#awaySinceMs),
      partitions: this.#lanes.map(countsOf),
    }
  }

  partitionOf(key: string): number {
    return partitionOf(key, this.#lanes.length)
  }

  /** Hands a command to the partition of a key. Rejects as `Submitter.submit` does. */
  async submit(partition: number, command: Command, options: SubmitOptions = {}): Promise<Decided> {
    this.#assertUsable()
    const submitted = this.#laneOf(partition).submitter.submit(command, options)
    const { sequence, verdict } = await awake(this.#options.env, submitted)
    return { dot: { replica: this.#author, sequence: numberOf(sequence, partition, this.#lanes.length) }, verdict }
  }

  /**
   * Settles when this replica has everything of the partition that had been acknowledged before the
   * call. Rejects with `WARP_E_TRANSPORT`, `WARP_E_ABORTED`, `WARP_E_ORDER_BROKEN`.
   */
  async passed(partition: number, signal?: AbortSignal): Promise<void> {
    this.#assertUsable()
    const { barriers } = this.#laneOf(partition)
    await this.#bounded(partition, barriers.passed(), signal)
    this.#assertUsable()
  }

  /** The locks of a partition, as far as this replica has come. */
  locksOf(partition: number): LockTable {
    return this.#laneOf(partition).partition.tables.locks
  }

  /** The time of the log, which is not less by now. */
  timeMs(partition: number): number {
    return this.#laneOf(partition).submitter.timeMs
  }

  /** From now on `told` hears what becomes of locks, of whoever. */
  followLocks(told: (partition: number, event: LockEvent) => void): void {
    this.#lockTold = told
  }

  /** What readers of several keys of a partition have to wait for, if anything. */
  installing(partition: number): Promise<unknown> | undefined {
    return this.#laneOf(partition).partition.installing
  }

  /** The id under which the operations of a command are numbered on every replica. */
  orderedId({ sequence }: Dot): ReplicaId {
    return this.#laneOf(sequence % this.#lanes.length).partition.writer.replica
  }

  /**
   * A key and its version, 0 if it has no value. `seen`: what it is by this replica's clock; else as the
   * next command will find it, by the time of the log alone.
   */
  versioned(
    key: string,
    slot: Slot,
    seen: { readonly value: unknown } | undefined,
  ): { readonly value: unknown; readonly version: number } {
    const { store, env } = this.#options
    const { place } = this.#laneOf(this.partitionOf(key)).partition
    const judged = Math.max(place.hlc, hlcFromMs(place.timeMs))
    const hlc = seen === undefined ? judged : Math.max(judged, hlcFromMs(env.now()))
    // A value whose life is over for the log has no version to go with it.
    if (store.values.isOver(slot, hlcToMs(hlc))) return { value: undefined, version: 0 }
    const version = versionAt(store, slot, hlc)
    if (seen !== undefined) return { ...seen, version }
    return { value: store.values.resident(slot).present ? valueAt(store, slot) : undefined, version }
  }

  /** How many operations the partition has given here. As many give the same keys on every replica. */
  sequenceOf(partition: number): number {
    return this.#laneOf(partition).partition.writer.sequence
  }

  /**
   * What became of a strong write; `undefined`: that is not remembered. Rejects with `WARP_E_TRANSPORT`,
   * `WARP_E_ABORTED`, with `WARP_E_CONFIG` for what names no write, and with `WARP_E_MODE` for one that
   * the log does not decide about.
   */
  async resolve(write: Dot | WarpError, signal?: AbortSignal): Promise<Verdict | undefined> {
    this.#assertUsable()
    const count = this.#lanes.length
    // A hostile caller has types as well.
    const { replica, sequence } = isWarpError(write) ? write.details : (write ?? {})
    if (!isReplicaId(replica) || !isWholeFrom(sequence, 1)) throw notADot()
    if (isOrderedId(replica)) return this.#given({ replica, sequence }, signal)
    const { writers, applied } = this.#options.store
    if (writers.isOwn(replica) || writers.ofDot({ replica, sequence }) !== undefined || applied.get(replica) > 0)
      throw notOfTheLog({ replica, sequence })
    if (sequence < count) throw notADot()
    const [partition, number] = [sequence % count, Math.floor(sequence / count)]
    const outcome = this.#laneOf(partition).submitter.outcome(replica, number)
    return this.#bounded(partition, outcome, signal, { late: unresolved, givenUp: resolvingGivenUp })
  }

  /** What the log has given a name to counts. */
  async #given({ replica, sequence }: Dot, signal: AbortSignal | undefined): Promise<Verdict> {
    const { partition } = this.#lanes.find((lane) => lane.partition.writer.replica === replica) ?? {}
    if (partition === undefined) throw notADot()
    if (sequence > partition.writer.sequence) await this.passed(partition.index, signal)
    if (sequence > partition.writer.sequence) throw notADot()
    return { kind: 'done', version: sequence }
  }

  /** A pattern has been registered: what could not be judged perhaps can be. */
  retry(): void {
    for (const { partition } of this.#lanes) partition.retry()
  }

  /** Says good-bye, stops following and lets go of the log. What waits is rejected. */
  async close(error: WarpError): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#isConnected && this.#broken === undefined) {
      const byes = this.#lanes.map(({ submitter }) => submitter.submit({ kind: 'bye' }, { timeoutMs: BYE_MS }))
      await Promise.allSettled(byes)
    }
    for (const lane of this.#lanes) {
      lane.stopFollowing()
      lane.saver.close()
      lane.partition.close()
      lane.submitter.close(error)
    }
    await this.#link.close()
  }

  #follow(lane: Lane, after: Bookmark | undefined): void {
    const { partition, submitter } = lane
    lane.stopFollowing = this.#link.follow(partition.index, after, {
      records: (batch) => {
        submitter.noteTime()
        lane.handedOffset = batch.at(-1)?.offset ?? lane.handedOffset
        return partition.take(batch)
      },
      trimmed: (firstOffset) => ignoreOutcome(this.#restore(lane, firstOffset)),
      broken: (error) => this.#break(partition, error),
    })
  }

  /** The log no longer has the next record. */
  async #restore(lane: Lane, firstOffset: number): Promise<void> {
    lane.stopFollowing()
    try {
      const bookmark = await lane.saver.restore(firstOffset)
      lane.submitter.restored()
      if (!this.#isClosed) this.#follow(lane, bookmark)
    } catch (error) {
      if (!this.#isClosed && isWarpError(error)) this.#break(lane.partition, error)
    }
  }

  #break({ index }: Partition, error: WarpError): void {
    this.#broken ??= error
    this.#options.observe({ kind: 'order:broken', partition: index, error })
    for (const { submitter } of this.#lanes) submitter.close(error)
    for (const lane of this.#lanes) this.#lockTold?.(lane.partition.index, { kind: 'ended', error })
  }

  #connected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    const { order, env } = this.#options
    const { name } = order
    this.#awaySinceMs = env.monotonic()
    this.#options.observe({ kind: isConnected ? 'order:connected' : 'order:disconnected', name })
  }

  #laneOf(partition: number): Lane {
    return this.#lanes[partition] as Lane
  }

  #assertUsable(): void {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#isClosed) throw new WarpError('WARP_E_CLOSED', 'this Warp has been closed; open it again')
  }

  /** Ends the waiting with the time limit or the signal. Nothing is lost by that: it was a read. */
  #bounded<Result>(
    partition: number,
    promise: Promise<Result>,
    signal: AbortSignal | undefined,
    { late, givenUp }: WaitErrors = { late: unanswered, givenUp: readGivenUp },
  ): Promise<Result> {
    const { env, timeoutMs } = this.#options
    const tooLate = (): WarpError => this.#broken ?? this.#stoppedAt(partition) ?? late(timeoutMs)
    const waited = new Promise<Result>((resolve, reject) => {
      const timer = env.schedule(timeoutMs, () => reject(tooLate()))
      const stopListening = signal === undefined ? undefined : whenAborted(signal, () => reject(givenUp(signal)))
      promise
        .then(resolve, (error: unknown) => reject(asError(error)))
        .finally(() => {
          timer.cancel()
          stopListening?.()
        })
    })
    return awake(env, waited)
  }

  /** Why a partition stands still here, as who waits for another key of it has to be told. */
  #stoppedAt(partition: number): WarpError | undefined {
    const { stopped } = this.#laneOf(partition).partition
    return stopped === undefined ? undefined : standsStill(stopped)
  }
}

function countsOf({ partition, submitter, barriers, handedOffset }: Lane): OrderPartitionCounts {
  const { offset } = partition.place
  const headOffset = Math.max(offset, handedOffset, submitter.headOffset, barriers.headOffset)
  const { appended, refused, unknown } = submitter.counts
  return {
    ...{ partition: partition.index, offset, lagCount: headOffset - offset, waitingCount: submitter.waitingCount },
    ...{ appendedCount: appended, refusedCount: refused, unansweredCount: unknown },
  }
}

function bookmarkOf({ place: { offset, id } }: Partition): Bookmark | undefined {
  return offset === 0 ? undefined : { offset, id }
}

/** Which of so many partitions a key is in. */
export function partitionOf(key: string, count: number): number {
  if (count === 1) return 0
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const part = close > open + 1 ? key.slice(open + 1, close) : key
  return (fnv1a(part) >>> 0) % count
}

/** What who waits is told when it has been too long. */
interface WaitErrors {
  readonly late: (timeoutMs: number) => WarpError
  readonly givenUp: (signal: AbortSignal) => WarpError
}

function tooManyPartitions(count: number): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `the ordered log has ${count} partitions, and Warp follows ${PARTITIONS_MAX} at most; use fewer`,
  )
}
