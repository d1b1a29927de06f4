/**
 * The database of a simulated world: one primary store for all machines, in virtual time. It outlives
 * every process. Each process has a view of its own: what it has asked for is carried out whatever
 * becomes of it, and nobody is told once it has died.
 *
 * Every row that was ever written is kept, so that checkers see what has been there in between.
 */
import { asError } from '../../../crdt/warp-error.ts'
import type { PrimaryStore, StoreRow } from '../../../src/ports/primary-store.ts'
import { type MemoryStore, memoryStoreOn } from '../../../src/ports/stores/memory-store.ts'
import type { Random } from '../../world/random.ts'
import type { TimeLine } from '../../world/time-line.ts'
import type { Life } from '../life.ts'
import type { RunHistory } from '../report/run-history.ts'
import type { Trace } from '../report/trace.ts'

/** What a database is like in which all is well. */
export const CALM_STORE = { latencyMs: 1, replyMs: 1, jitterMs: 2, failure: 0, lostReply: 0 } as const

/** Of a row in the trace. */
const SHORT_MAX = 80

/** Processes that have died while the store was carrying out what they had asked for. */
export const DIED_READING = 'died while reading rows'
export const DIED_WRITING = 'died while writing rows'

/** A row as it was written at a moment. */
export interface WrittenRow extends StoreRow {
  readonly atMs: number
  readonly by: 'warp' | 'outsider'
}

export interface SimulatedRowsOptions {
  readonly line: TimeLine
  readonly random: Random
  readonly history: RunHistory
  readonly trace: Trace
  /** Why the database does not take a row; `undefined`: it does. `before`: what is there. */
  readonly refuses: (key: string, value: unknown, before: unknown) => Error | undefined
}

export class SimulatedRows {
  readonly store: MemoryStore
  readonly #written = new Map<string, WrittenRow[]>()
  readonly #options: SimulatedRowsOptions
  /** A row that the store is just about to take. */
  #accepted: { readonly key: string; readonly atMs: number } | undefined

  constructor(options: SimulatedRowsOptions) {
    const { line, random, refuses, history } = options
    this.#options = options
    const clock = {
      monotonic: () => line.nowMs,
      schedule: (delayMs: number, callback: () => void) => line.schedule(delayMs, callback),
      defer: (callback: () => void) => line.defer(callback),
    }
    this.store = memoryStoreOn(clock, { ...CALM_STORE, seed: random.uint32() })
    this.store.refuse((key, value) => {
      this.#noteAccepted()
      const error = refuses(key, this.#decoded(value), this.value(key))
      if (error === undefined) this.#accepted = { key, atMs: line.nowMs }
      else history.count('row refused')
      return error
    })
  }

  /** All rows that there have been, by key, the oldest first. */
  get written(): ReadonlyMap<string, readonly WrittenRow[]> {
    this.#noteAccepted()
    return this.#written
  }

  /** What the row of a key holds now. */
  value(key: string): unknown {
    return this.#decoded(this.store.row(key)?.value)
  }

  valueOf({ value }: StoreRow): unknown {
    return this.#decoded(value)
  }

  /** An outsider writes past Warp. */
  put(key: string, value: unknown): void {
    this.#noteAccepted()
    this.store.put(key, this.store.codec.encode(value))
    this.#note({ key, atMs: this.#options.line.nowMs }, 'outsider')
  }

  viewOf(life: Life): PrimaryStore {
    const { store } = this
    const reading = { life, dying: DIED_READING }
    const view: PrimaryStore = {
      ...{ name: store.name, comparesAndSets: true, codec: store.codec },
      readRows: (keys, request) => this.#asked(reading, () => store.readRows(keys, request)),
      listKeys: (request) => this.#asked(reading, () => store.listKeys(request)),
      purge: (rows, request) => this.#asked({ life, dying: DIED_WRITING }, () => store.purge(rows, request)),
      compareAndSet: (changes, request) =>
        this.#asked({ life, dying: DIED_WRITING }, () => store.compareAndSet(changes, request)),
    }
    return view
  }

  #asked<Answer>(asker: Asker, ask: () => Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (!asker.life.isAlive) return
      ask().then(
        (answer) => this.#answered(asker, () => resolve(answer)),
        (error: unknown) => this.#answered(asker, () => reject(asError(error))),
      )
    })
  }

  #answered({ life, dying }: Asker, tell: () => void): void {
    if (!life.isAlive) this.#options.history.count(dying)
    life.run(tell)
  }

  /** The store asks for its rule first, and takes the row then. */
  #noteAccepted(): void {
    const accepted = this.#accepted
    this.#accepted = undefined
    if (accepted !== undefined) this.#note(accepted, 'warp')
  }

  #note({ key, atMs }: { readonly key: string; readonly atMs: number }, by: WrittenRow['by']): void {
    const row = this.store.row(key)
    if (row === undefined) return
    const rows = this.#written.get(key) ?? []
    this.#written.set(key, rows)
    rows.push({ ...row, atMs, by })
    const text = `${by} writes the row of ${key}: ${(JSON.stringify(this.valueOf(row)) ?? 'nothing').slice(0, SHORT_MAX)}`
    this.#options.trace.note(atMs, text, () => ({ kind: 'world', atMs, text }))
  }

  #decoded(value: Uint8Array | undefined): unknown {
    return value === undefined ? undefined : this.store.codec.decode(value)
  }
}

/** Who has asked, and what it is called if it dies meanwhile. */
interface Asker {
  readonly life: Life
  readonly dying: string
}
