/**
 * One partition of the ordered log, followed: takes its records one after the other, judges their
 * commands, and makes what counts part of the keys. All replicas do the same with the same records,
 * so all come to the same keys (state machine replication: Schneider 1990).
 *
 * A record that this replica cannot judge stops the partition here, and nothing is skipped.
 */
import { hlcFromMs, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { DOMAINS } from '../keys/domain.ts'
import { DomainWriter } from '../keys/domain-writer.ts'
import type { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import { Budget } from '../operation/budget.ts'
import { ORDERED_PLACES, orderedIdOf } from '../operation/names/ordered-id.ts'
import type { OrderedRecord } from '../ports/ordered-log.ts'
import type { KeyStore } from '../store/key-store.ts'
import { foldUntilShort } from '../store/read-steadily.ts'
import type { Draft } from '../store/write-road/draft.ts'
import { LATE_MS } from './authors.ts'
import {
  decodeRecord,
  isLater,
  type Command,
  type CommandRecord,
  type VoidCommand,
  type WriteCommand,
} from './commands.ts'
import { cannotJudge, isBeyondBounds, judgeWrite, refusal } from './judge.ts'
import type { LockEvent } from './locks/tables/lock-state.ts'
import { PartitionTables } from './locks/tables/partition-tables.ts'
import { Place } from './place.ts'
import { installPartition, type WholeState } from './snapshots/install-partition.ts'
import type { ReadState } from './snapshots/partition-state.ts'
import { encodeVerdict, type Verdict } from './verdict.ts'

export type PartitionEvent =
  /** A record is malformed, and counts for nothing on any replica. */
  | { readonly kind: 'order:malformed'; readonly partition: number; readonly offset: number; readonly error: WarpError }
  /**
   * This replica cannot judge a record, and takes no further ones of the partition until it can: a key
   * pattern is missing, the disk is full. Once, until it goes on.
   */
  | { readonly kind: 'order:stopped'; readonly partition: number; readonly offset: number; readonly error: WarpError }
  /** It goes on. */
  | { readonly kind: 'order:resumed'; readonly partition: number }

export interface PartitionOptions {
  readonly index: number
  readonly identity: string
  readonly store: KeyStore
  readonly feeds: FeedCheckpoints
  readonly observe: (event: PartitionEvent) => void
  /** A command has been judged, here and now. */
  readonly judged: (author: ReplicaId, sequence: number, verdict: Verdict) => void
  /** A record of that author has been judged whole. */
  readonly passed: (author: ReplicaId) => void
  /** What has become of a lock. */
  readonly locked: (event: LockEvent) => void
}

/** After so long a record that could not be judged is tried again. */
const RETRY_MS = 1000

export class Partition {
  readonly index: number
  readonly writer: DomainWriter
  /** What this replica has of it. */
  readonly place: Place
  /** Locks and fences, as far as it has come. */
  readonly tables: PartitionTables
  /** The last record that has been looked at, whether or not it is noted in the log. */
  offset: number
  /** Why it goes no further. */
  stopped: WarpError | undefined
  readonly #options: PartitionOptions
  /** The place as the log has it. */
  #written: Uint8Array
  #waiting: readonly { readonly offset: number; readonly reached: () => void }[] = []
  #retry: (() => void) | undefined
  #isClosed = false
  /** While somebody looks at all of it. */
  #standstill: Promise<void> | undefined
  /** While one state takes the place of another: some keys are of the one, some of the other. */
  #installing: Promise<unknown> | undefined
  /** The record that is being judged. */
  #taking: Promise<void> = Promise.resolve()

  constructor(options: PartitionOptions) {
    const { index, identity, store, feeds } = options
    this.#options = options
    this.index = index
    const found = feeds.find(store.log, nameOf(index))
    this.place = found === undefined ? new Place() : Place.decode(found.state)
    if (this.place.identity !== '' && this.place.identity !== identity) throw otherLog(this.place.identity, identity)
    this.place.identity = identity
    this.#written = this.place.encode()
    this.tables = new PartitionTables(nameOf(index), (name) => feeds.find(store.log, name)?.state)
    this.offset = this.place.offset
    const { sequence } = this.place
    this.writer = new DomainWriter(DOMAINS.ordered, { replica: orderedIdOf(identity, index), sequence }, store.table)
    this.writer.reachedMs = this.place.timeMs
    store.writers.order(this.writer)
  }

  /** Takes records, in order. Settles when all have been judged. Never rejects. */
  async take(batch: readonly OrderedRecord[]): Promise<void> {
    for (const record of batch) {
      while (this.#standstill !== undefined) await this.#standstill
      if (this.#isClosed) return
      if (record.offset <= this.offset) continue
      await (this.#taking = this.#takeOne(record))
    }
  }

  /** Does work while the partition takes no record, and nothing of its keys changes. */
  async standingStill<Result>(work: () => Promise<Result>): Promise<Result> {
    while (this.#standstill !== undefined) await this.#standstill
    let goOn: () => void = () => undefined
    this.#standstill = new Promise((resolve) => {
      goOn = resolve
    })
    try {
      await this.#taking
      return await work()
    } finally {
      this.#standstill = undefined
      goOn()
    }
  }

  /**
   * Puts a state in the place of what this replica has. It is further on: the log no longer has the
   * records between the two. Rejects with `CannotJudge`, and then it is to be done again.
   */
  install(state: ReadState, whole: WholeState): Promise<number> {
    const { store } = this.#options
    const installing = this.standingStill(async () => {
      const note = (): void => this.#noteState(state)
      const count = await installPartition({ store, writer: this.writer }, state, { whole, note })
      this.writer.sequence = state.place.sequence
      whole.reset()
      this.#tellLocks()
      this.#pass(state.place)
      return count
    })
    const ended = installing.then(nothing, nothing).finally(() => {
      if (this.#installing === ended) this.#installing = undefined
    })
    this.#installing = ended
    return installing
  }

  /** What readers of several keys have to wait for: `undefined` as long as all keys are of one moment. */
  get installing(): Promise<unknown> | undefined {
    return this.#installing
  }

  /** Takes over what there is beside the keys, and writes it: all of it or nothing. */
  #noteState({ place: next, tables: encoded }: ReadState): void {
    const { place, tables } = this
    const timeMs = Math.max(place.timeMs, next.timeMs)
    try {
      tables.replace(encoded)
      Object.assign(place, next, { timeMs })
      this.#note()
    } catch (error) {
      Object.assign(place, Place.decode(this.#written), { timeMs })
      tables.undo()
      throw error
    }
  }

  /** Settles when everything up to there has been judged. */
  reached(offset: number): Promise<void> {
    if (this.offset >= offset) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting = [...this.#waiting, { offset, reached: resolve }]
    })
  }

  /** Something has changed that may let a stopped partition go on. */
  retry(): void {
    this.#retry?.()
  }

  /** Everybody who waits is let go. */
  close(): void {
    this.#isClosed = true
    this.#retry?.()
    for (const { reached } of this.#waiting) reached()
    this.#waiting = []
  }

  async #takeOne(record: OrderedRecord): Promise<void> {
    while (!this.#isClosed) {
      try {
        const commands = this.#read(record)
        if (commands !== undefined) await this.#judgeAll(record, commands)
        break
      } catch (error) {
        await this.#stop(record, cannotJudge(error).cause)
      }
    }
    if (this.#isClosed) return
    if (this.stopped !== undefined) {
      this.stopped = undefined
      this.#options.observe({ kind: 'order:resumed', partition: this.index })
    }
    this.#pass(record)
  }

  /** `undefined`: it holds nothing, or nothing that any replica takes. Throws what a later build wrote. */
  #read({ bytes, offset, id }: OrderedRecord): CommandRecord | undefined {
    if (id.startsWith('barrier:') || bytes.length === 0) return undefined
    try {
      return decodeRecord(bytes)
    } catch (error) {
      if (isLater(error)) throw error
      const reason = cannotJudge(error).cause
      this.#options.observe({ kind: 'order:malformed', partition: this.index, offset, error: reason })
      return undefined
    }
  }

  async #judgeAll(record: OrderedRecord, { author, first, floor, basisMs, commands }: CommandRecord): Promise<void> {
    const { place } = this
    const timeMs = Math.max(place.timeMs, Math.floor(record.timeMs))
    const isLate = Math.abs(timeMs - basisMs) > LATE_MS
    const budget = new Budget(this.#options.store.env)
    for (const [i, command] of commands.entries()) {
      const sequence = first + i
      if (place.authors.verdictOf(author, sequence) !== undefined) continue
      await this.#foldFirst(command)
      if (this.#isClosed) return
      this.#options.store.writers.order(this.writer)
      place.timeMs = timeMs
      const isLast = i === commands.length - 1
      const verdict = this.#judge(isLate ? undefined : command, { author, sequence, floor, isLast, record })
      this.#options.judged(author, sequence, verdict)
      budget.spend(1, record.bytes.length / commands.length)
      if (budget.isSpent) await budget.rest()
    }
    this.#options.passed(author)
  }

  /**
   * Judges one command, and makes it part of the log and of its keys, or throws and has done neither.
   * `refused`: that has been tried, and no replica can.
   */
  #judge(command: Command | undefined, of: JudgedCommand, refused?: Verdict): Verdict {
    const { author, sequence, floor, isLast, record } = of
    const { place, tables } = this
    let judged: Verdict
    try {
      tables.locks.pass(place.timeMs)
      const first = Math.max(place.hlc + 1, hlcFromMs(place.timeMs))
      const {
        verdict,
        drafts,
        versions = [],
      } = refused === undefined ? this.#decide(command, author, first) : { verdict: refused, drafts: [] }
      const count = drafts.length
      place.sequence += count
      if (count > 0) place.hlc = first + count - 1
      judged = verdict ?? { kind: 'done', version: count === 0 ? 0 : place.sequence, versions }
      if (isLast) {
        place.offset = record.offset
        place.id = record.id
        place.recordsCount++
        place.recordsBytes += record.bytes.length
      }
      if (command?.kind === 'saved') {
        place.recordsCount = Math.max(0, place.recordsCount - command.recordsCount)
        place.recordsBytes = Math.max(0, place.recordsBytes - command.recordsBytes)
      }
      const outcome = judged
      this.#options.store.appendAll(drafts, () => {
        // Once the operations are in the log, whose turn it was stands beside them.
        place.authors.note(author, sequence, outcome, place.timeMs)
        place.authors.raise(author, floor)
        if (command?.kind === 'bye') place.authors.leave(author)
        if (isLast) place.authors.forgetSilent(place.timeMs)
        this.#note()
      })
    } catch (error) {
      // As the log has it: the command is judged again. What time it is does not go back.
      Object.assign(place, Place.decode(this.#written), { timeMs: place.timeMs })
      tables.undo()
      if (refused === undefined && isBeyondBounds(error)) return this.#judge(command, of, refusal(error))
      throw cannotJudge(error)
    }
    this.#tellLocks()
    return judged
  }

  #tellLocks(): void {
    for (const event of this.tables.counts()) this.#options.locked(event)
  }

  #decide(command: Command | undefined, author: ReplicaId, first: Hlc): Decision {
    const { locks } = this.tables
    const { timeMs } = this.place
    switch (command?.kind) {
      case undefined:
        return { verdict: LATE, drafts: [] }
      case 'write':
        return this.#decideWrite(command, first)
      case 'void':
        return { verdict: this.#closeNumber(command), drafts: [] }
      case 'lock':
        return { verdict: locks.judge(command, author, timeMs), drafts: [] }
      case 'bye':
        locks.forget(author, timeMs)
        return { drafts: [] }
      default:
        return { drafts: [] }
    }
  }

  #decideWrite(command: WriteCommand, first: Hlc): Decision {
    const { fences } = this.tables
    const refused = fences.refusal(command)
    if (refused !== undefined) return { verdict: refused, drafts: [] }
    const judged = judgeWrite(this.#options.store, command, { first, sequence: this.place.sequence })
    if (judged.verdict !== undefined) return { verdict: judged.verdict, drafts: [] }
    fences.note(command)
    return judged
  }

  /**
   * What has come by now counts, what has not never will. Given is the verdict, or nothing where that is
   * not remembered.
   */
  #closeNumber({ author, sequence, sinceMs }: VoidCommand): Verdict {
    const { authors, timeMs } = this.place
    const known = authors.verdictOf(author, sequence)
    if (known === 'before') return FORGOTTEN
    const isForgotten = authors.isForgotten(author, sinceMs, timeMs)
    const verdict: Verdict = known ?? { kind: 'void' }
    authors.close(author, sequence, verdict, timeMs)
    return isForgotten ? FORGOTTEN : { kind: 'done', version: 0, given: encodeVerdict(verdict) }
  }

  #note(): void {
    const { store, feeds } = this.#options
    const bytes = this.place.encode()
    const place = { name: nameOf(this.index), version: '1', mark: '', state: bytes }
    feeds.writeAll(store.log, [place, ...this.tables.changed()])
    this.#written = bytes
  }

  /** Keys with long histories are folded in steps before their turn. */
  async #foldFirst(command: Command): Promise<void> {
    if (command.kind !== 'write') return
    const { store } = this.#options
    for (const { key } of [...command.expected, ...command.changes]) {
      const slot = store.keys.find(key)
      if (slot === undefined || store.values.isShort(slot)) continue
      await foldUntilShort(store, slot, () => undefined)
    }
  }

  #pass({ offset, timeMs }: Pick<OrderedRecord, 'offset' | 'timeMs'>): void {
    this.offset = offset
    this.place.timeMs = Math.max(this.place.timeMs, Math.floor(timeMs))
    this.writer.reachedMs = this.place.timeMs
    if (this.#waiting.length === 0) return
    const due = this.#waiting.filter((one) => one.offset <= offset)
    this.#waiting = this.#waiting.filter((one) => one.offset > offset)
    for (const { reached } of due) reached()
  }

  async #stop({ offset }: OrderedRecord, error: WarpError): Promise<void> {
    const { store, observe } = this.#options
    if (this.stopped === undefined) observe({ kind: 'order:stopped', partition: this.index, offset, error })
    this.stopped = error
    await new Promise<void>((resolve) => {
      const timer = store.env.schedule(RETRY_MS, resolve)
      this.#retry = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#retry = undefined
  }
}

function nothing(): void {
  // Whoever waits looks at what there is.
}

interface Decision {
  readonly verdict?: Verdict | undefined
  readonly drafts: readonly Draft[]
  readonly versions?: readonly number[]
}

interface JudgedCommand {
  readonly author: ReplicaId
  readonly sequence: number
  readonly floor: number
  /** It is the last of its record. */
  readonly isLast: boolean
  readonly record: OrderedRecord
}

const LATE: Verdict = Object.freeze({ kind: 'void' })
/** It has been decided, and nobody knows how. */
const FORGOTTEN: Verdict = Object.freeze({ kind: 'done', version: 0, given: [] })

function nameOf(index: number): string {
  return `${ORDERED_PLACES}${index}`
}

function otherLog(was: string, is: string): WarpError {
  return new WarpError(
    'WARP_E_ORDER_BROKEN',
    `the strong keys in this log are of the ordered log ${was}, and the one that is configured is ${is}; ` +
      `configure the one that they are of, or open another folder`,
    { details: { was, is } },
  )
}
