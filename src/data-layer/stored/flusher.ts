/**
 * Writing behind: what the store lacks of a key goes there in batches, on top of the row as it is, by
 * compare-and-set. Nobody has to be told what is stored: rows tell. So any replica may write any key
 * at any time. By thrift whoever wrote an operation brings it to the store, and tells the others; those
 * that have not heard of it some seconds later look whether it is there.
 */
import { asError, isWarpError } from '../../../crdt/warp-error.ts'
import { isStorageError } from '../../log/storage-error.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { StoreSource } from '../../keys/source/store-source.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { OldestFirst } from '../../../crdt/oldest-first.ts'
import type { RowChange, RowOutcome, StoreRow } from '../../ports/primary-store.ts'
import type { EngineEvent } from '../../store/event.ts'
import type { Flight } from '../flight.ts'
import type { Loads } from '../loads.ts'
import type { Answer } from '../load-request.ts'
import { valueDigest, type Base } from './rows/base.ts'
import { isIn, type OpenOperation } from './rows/open-operation.ts'
import { encodeMeta } from './rows/row-meta.ts'
import { isBroken, type StoreClient } from './store-client.ts'
import type { KnownRow, StoredKey } from './stored-key.ts'
import type { StoredKeys, Taken } from './stored-keys.ts'
import { hexOf } from '../../../crdt/time/replica-id.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Turns } from '../../operation/turns.ts'

export interface FlusherOptions {
  readonly client: StoreClient
  readonly source: StoreSource
  readonly env: Env
  readonly keys: StoredKeys
  readonly loads: Loads
  readonly table: ReplicaTable
  readonly turns: Turns
  readonly observe: (event: EngineEvent) => void
  /** Settles when what was written here outlives this process, as far as can be waited for. */
  readonly shared: (operations: readonly OpenOperation[]) => Promise<void>
  /** All that is known of a key is in the store: compaction may look at it. */
  readonly stored: (key: string) => void
  /** Other replicas may be told what its row holds. */
  readonly tell: (stored: StoredKey) => void
}

/** Batches under way at a time. */
const BATCHES_MAX = 4
/** So long after an operation of another replica it is looked whether it is in the store. */
const TAKE_OVER_MS = 5000
/** Who has found another row, or a request under way, tries again so much later. */
const AGAIN_MS = 5
const AGAIN_MS_MAX = 5000
/** Refusals in a row before the pauses grow, and before they are told. */
const AT_ONCE_REFUSALS = 3
const CONTENDED_REFUSALS = 8
/**
 * With so many keys on their way each further write counts as so many operations of a step, so that a
 * loop of writes lets the event loop turn in time for them to get there and to leave the log.
 */
const PACED_KEYS = 1000
const PACED_OPERATIONS = 15
const NAME_BYTES = 16
const TOKEN_BYTES = 16

interface Job {
  readonly stored: StoredKey
  /** Readers wait for it. */
  readonly flight: Flight
  readonly land: (answer: Answer) => void
  readonly fail: (error: Error) => void
  /** The row has been read since the flight began, so it is an answer. */
  isRead: boolean
}

/** A row that is to be written, and what it is then. */
export interface PlannedRow {
  readonly change: RowChange
  readonly base: Base
}

export class Flusher {
  readonly #options: FlusherOptions
  /** When each key is due, ms of the monotonic clock; in the order in which they are. */
  readonly #own = new OldestFirst<StoredKey, number>()
  readonly #others = new OldestFirst<StoredKey, number>()
  #batchesCount = 0
  /** Keys in these batches. */
  #busyCount = 0
  #timer: Timer | undefined
  #timerMs = Infinity
  #isClosed = false
  flushedCount = 0
  refusedCount = 0
  rejectedCount = 0

  constructor(options: FlusherOptions) {
    this.#options = options
  }

  /** Keys with something that is not known to be in the store. */
  get waitingCount(): number {
    return this.#own.size + this.#others.size + this.#busyCount
  }

  /** An operation of a key has entered. */
  note(stored: StoredKey, isOwn: boolean): void {
    stored.isRejected = false
    if (this.#own.has(stored)) return
    const nowMs = this.#options.env.monotonic()
    if (isOwn) {
      if (this.#own.size >= PACED_KEYS) this.#options.turns.spend(PACED_OPERATIONS, 0)
      this.#others.delete(stored)
      this.#own.set(stored, nowMs + this.#options.source.flushDelayMs)
    } else if (!this.#others.has(stored)) this.#others.set(stored, nowMs + TAKE_OVER_MS)
    this.#schedule()
  }

  /**
   * Another replica has told what the row of a key holds: there may be nothing left to look for. All that
   * has come of the key has been gathered.
   */
  told(stored: StoredKey): void {
    if (!this.#others.has(stored) || stored.isBusy || stored.isDirty) return
    this.#others.delete(stored)
    this.#options.stored(stored.key)
  }

  /** Nothing is known any more of these keys. */
  forgetAll(): void {
    this.#own.clear()
    this.#others.clear()
  }

  /** Brings to the store what this replica knows of, until nothing is left or the time is over. */
  async drain(untilMs: number): Promise<void> {
    const { env } = this.#options
    while (this.waitingCount > 0 && env.monotonic() < untilMs && !this.#isClosed) {
      this.#makeDue()
      await new Promise<void>((resolve) => env.schedule(AGAIN_MS, resolve))
    }
  }

  #makeDue(): void {
    for (const [stored] of this.#others) this.#own.set(stored, 0)
    this.#others.clear()
    for (const [stored] of this.#own) this.#own.set(stored, 0)
    this.#schedule()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #again(stored: StoredKey, delayMs: number): void {
    if (stored.isRejected || this.#own.has(stored)) return
    this.#others.delete(stored)
    this.#own.set(stored, this.#options.env.monotonic() + delayMs)
  }

  #schedule(): void {
    if (this.#isClosed || this.#batchesCount >= BATCHES_MAX) return
    const dueMs = Math.min(dueOf(this.#own), dueOf(this.#others))
    if (dueMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = dueMs
    const { env, client } = this.#options
    const delayMs = Math.max(0, dueMs - env.monotonic(), client.breaker.waitMs)
    this.#timer = env.schedule(delayMs, () => {
      this.#timerMs = Infinity
      this.#run()
    })
  }

  #run(): void {
    while (this.#batchesCount < BATCHES_MAX) {
      const jobs = this.#dueJobs()
      if (jobs.length === 0) break
      this.#batchesCount++
      this.#busyCount += jobs.length
      void this.#flush(jobs).finally(() => {
        this.#batchesCount--
        this.#busyCount -= jobs.length
        this.#schedule()
      })
    }
    this.#schedule()
  }

  #dueJobs(): Job[] {
    const jobs: Job[] = []
    const nowMs = this.#options.env.monotonic()
    for (const queue of [this.#own, this.#others]) {
      while (jobs.length < this.#options.source.flushBatch && dueOf(queue) <= nowMs) {
        const stored = queue.oldest() as StoredKey
        queue.delete(stored)
        const job = this.#begin(stored)
        if (job !== undefined) jobs.push(job)
        else this.#own.set(stored, nowMs + AGAIN_MS)
      }
    }
    return jobs
  }

  /** `undefined`: a request about the key is under way. */
  #begin(stored: StoredKey): Job | undefined {
    if (stored.isBusy) return undefined
    const { loads } = this.#options
    const { rules } = stored.keyspace.source as { readonly rules: Flight['rules'] }
    const flight = loads.occupy(stored.key, rules)
    if (flight === undefined) return undefined
    stored.isBusy = true
    let [land, fail] = [(_answer: Answer): void => undefined, (_error: Error): void => undefined]
    const answered = new Promise<Answer>((resolve, reject) => ([land, fail] = [resolve, reject]))
    flight.begins(answered.then((answer) => loads.finish(flight, { key: stored.key, rules, tags: [] }, answer)))
    return { stored, flight, land, fail, isRead: false }
  }

  /** Never rejects. */
  async #flush(jobs: readonly Job[]): Promise<void> {
    try {
      for (const { stored } of jobs) await this.#options.keys.gatherSteps(stored)
      await this.#readRows(jobs.filter(({ stored }) => stored.row === undefined))
      await this.#write(jobs)
    } catch (error) {
      for (const job of jobs) this.#failed(job, asError(error))
    } finally {
      for (const { stored, fail } of jobs) {
        // Whoever has landed is past that.
        fail(new Error('nothing was said of it'))
        stored.release()
        this.#settle(stored)
      }
    }
  }

  #failed({ stored, fail }: Job, error: Error): void {
    stored.row = undefined
    fail(error)
    if (isBroken(error)) this.#reject(stored, error)
    else if (isOfLog(error)) {
      const { key } = stored
      this.#options.observe({ kind: 'load:failed', key, error, isBackground: true })
      this.#again(stored, TAKE_OVER_MS)
    } else this.#again(stored, Math.max(this.#options.source.flushDelayMs, this.#options.client.breaker.waitMs))
  }

  /** What has come meanwhile is due as well; what is clean may be compacted. */
  #settle(stored: StoredKey): void {
    const { keys } = this.#options
    if (this.#own.has(stored) || this.#others.has(stored) || stored.isRejected) return
    if (!keys.gather(stored) || stored.isDirty) this.#again(stored, AGAIN_MS)
    else this.#options.stored(stored.key)
  }

  async #readRows(jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return
    const rows = await this.#options.client.readRows(jobs.map(({ stored }) => stored.key))
    for (const [i, job] of jobs.entries()) {
      try {
        job.isRead = true
        job.stored.row = { row: rows[i], base: this.#options.keys.baseOf(job.stored, rows[i]) }
      } catch (error) {
        this.#failed(job, asError(error))
      }
    }
  }

  async #write(jobs: readonly Job[]): Promise<void> {
    const planned: { readonly job: Job; readonly plan: PlannedRow; readonly taken: Taken }[] = []
    for (const job of jobs) {
      if (job.stored.row === undefined) continue
      try {
        const taken = await this.#lackingOf(job, job.stored.row)
        if (taken !== undefined) planned.push({ job, plan: this.plan(job.stored, job.stored.row, taken), taken })
      } catch (error) {
        job.fail(asError(error))
        this.#reject(job.stored, asError(error))
      }
    }
    if (planned.length === 0) return
    await this.#options.shared(planned.flatMap(({ taken }) => taken.open))
    const outcomes = await this.#options.client.compareAndSet(planned.map(({ plan }) => plan.change))
    for (const [i, { job, plan }] of planned.entries()) this.#take(job, plan, outcomes[i] as RowOutcome)
  }

  /** The key with its row taken in, if the row lacks anything; otherwise readers have what they wait for. */
  async #lackingOf({ stored, land, fail, isRead }: Job, known: KnownRow): Promise<Taken | undefined> {
    const { keys } = this.#options
    await keys.gatherSteps(stored)
    const taken = keys.taken(stored, known.base)
    if (taken.open.some((operation) => !isIn(known.base.vector, operation))) return taken
    if (isRead) land(keys.answerOf(stored, known))
    // Somebody may have written it since, and said so before the flight began.
    else fail(new Error('the row was read before that'))
    return undefined
  }

  /** The row with all that it lacks on top. */
  plan(stored: StoredKey, known: KnownRow, taken: Taken): PlannedRow {
    const { keys, env, table } = this.#options
    const folded = keys.fold(stored, taken)
    const name = keys.isBlind(stored, taken) ? hexOf(env.random(NAME_BYTES)) : folded.name
    const value = folded.value === undefined ? undefined : this.#options.source.store.codec.encode(folded.value)
    const base: Base = { ...folded, name }
    const meta = encodeMeta({ ...base, digest: valueDigest(value) }, table)
    const next: StoreRow = { value, meta, token: env.random(TOKEN_BYTES) }
    return { change: { key: stored.key, expected: known.row, next }, base }
  }

  #take({ stored, land, fail }: Job, { change, base }: PlannedRow, outcome: RowOutcome): void {
    const { keys } = this.#options
    if (outcome.kind === 'done') {
      this.flushedCount++
      stored.refusalsCount = 0
      stored.row = { row: change.next, base }
      stored.stored.join(base.vector)
      this.#options.tell(stored)
      land(keys.answerOf(stored, stored.row))
      return
    }
    if (outcome.kind === 'refused') {
      // Somebody else has written: from the top, on the row as it is now.
      this.refusedCount++
      stored.row = undefined
      if ('row' in outcome) land(keys.answer(stored.key, stored.keyspace, outcome.row))
      else fail(new Error('somebody else has written the row'))
      this.#noteRefusal(stored)
      return
    }
    fail(outcome.error)
    this.#reject(stored, outcome.error)
  }

  #noteRefusal(stored: StoredKey): void {
    const { key } = stored
    const refusalsCount = ++stored.refusalsCount
    const store = this.#options.source.store.name
    if (refusalsCount === CONTENDED_REFUSALS)
      this.#options.observe({ kind: 'primary:contended', store, key, refusalsCount })
    // At once at first: two replicas that write a key take turns.
    this.#again(stored, Math.min(AGAIN_MS_MAX, AGAIN_MS * 2 ** Math.max(0, refusalsCount - AT_ONCE_REFUSALS)))
  }

  /** It stays in the log, is read on top of the row, and is not tried again until the key is written. */
  #reject(stored: StoredKey, error: Error): void {
    this.rejectedCount++
    stored.isRejected = true
    const dots: Dot[] = stored.open
      .filter((operation) => !stored.isStored(operation))
      .map(({ replica, sequence }) => ({ replica, sequence }))
    const { key } = stored
    this.#options.observe({ kind: 'primary:rejected', key, dots, store: this.#options.source.store.name, error })
  }
}

/** When its first key is due. */
function dueOf(queue: OldestFirst<StoredKey, number>): number {
  const first = queue.oldest()
  return first === undefined ? Infinity : (queue.get(first) as number)
}

/** The log cannot be read: somebody has to see to it before the store gets what is in there. */
function isOfLog(error: Error): boolean {
  return isStorageError(error) || isWarpError(error, 'WARP_E_LOG_CORRUPT')
}
