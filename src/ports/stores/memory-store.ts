/**
 * A primary store inside one process: the executable specification of the port, and the one that
 * tests and the simulator torment. It can be slow, fail, lose answers, stop altogether, and refuse
 * rows for good; an outsider can write past Warp. All chances come from one seeded generator, and
 * with a virtual `Env` the same seed gives the same run.
 *
 * A request takes effect at one moment between its call and its answer. One that is aborted is
 * executed all the same, as by a database that does not know that nobody waits any more.
 */
import { checkOptions } from '../../../crdt/checked-options.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { Env } from '../env.ts'
import { seededChance } from '../memory-network/seeded-chance.ts'
import type {
  ListRequest,
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreCodec,
  StoreRequest,
  StoreRow,
  TombstonePage,
  TombstoneRequest,
} from '../primary-store.ts'
import { codecOf } from './codecs.ts'
import { firstKeys } from './key-order.ts'
import { DONE, equalBytes, isAsExpected, outsidersRow } from './rows.ts'
import { storeError, untilAborted } from './store-error.ts'
import { NO_TROUBLES, type StoreTroubles, TROUBLES, type Troubles, troubles } from './store-troubles.ts'

export type StoreClock = Pick<Env, 'monotonic' | 'schedule' | 'defer'>

export interface MemoryStoreSettings extends StoreTroubles {
  /** Shown to people, behind `memory:`. Default `rows`. */
  readonly name?: string
  readonly codec?: 'json' | 'bytes' | StoreCodec
  /** Decides every failure and delay. Default 1. */
  readonly seed?: number
}

export interface MemoryStoreStats {
  readonly reads: number
  readonly readKeys: number
  readonly writes: number
  /** Changes that were done, were refused because somebody else wrote, and were rejected for good. */
  readonly doneRows: number
  readonly refusedRows: number
  readonly rejectedRows: number
  readonly purgedRows: number
  /** Requests that failed without being executed, and answers that were lost. */
  readonly failedRequests: number
  readonly lostReplies: number
}

/** What the store does with a row: an error rejects it for good. */
export type RowRule = (key: string, value: Uint8Array | undefined) => Error | undefined

export interface MemoryStore extends PrimaryStore {
  listTombstones(request: TombstoneRequest): Promise<TombstonePage>
  /** Changes how the store behaves, for requests made from now on. Throws `WARP_E_CONFIG`. */
  set(settings: StoreTroubles): void
  /** Nothing is executed until `resume`: a server that hangs. */
  stall(): void
  resume(): void
  /** Rows that the rule has an error for are rejected for good. Without a rule: none. */
  refuse(rule?: RowRule): void
  /**
   * What an outsider does, past Warp: the value changes, meta and token stay as they are. Without a
   * value the row goes altogether.
   */
  put(key: string, value: Uint8Array | undefined): void
  /** The row as it is now. */
  row(key: string): StoreRow | undefined
  readonly size: number
  stats(): MemoryStoreStats
}

const SETTINGS = [...TROUBLES, 'name', 'codec', 'seed', 'env']

/** `clock`: time and timers. `warp-engine/memory` takes the platform's by default. */
export function memoryStoreOn(clock: StoreClock, settings: MemoryStoreSettings = {}): MemoryStore {
  return new Rows(clock, settings)
}

class Rows implements MemoryStore {
  readonly name: string
  readonly comparesAndSets = true
  readonly codec: StoreCodec
  readonly #rows = new Map<string, StoreRow>()
  readonly #clock: StoreClock
  readonly #chance: () => number
  #troubles: Troubles
  #rule: RowRule | undefined
  /** Requests that wait for `resume`; absent while the store runs. */
  #stalled: (() => void)[] | undefined
  readonly #counts = {
    ...{ reads: 0, readKeys: 0, writes: 0, doneRows: 0, refusedRows: 0, rejectedRows: 0, purgedRows: 0 },
    ...{ failedRequests: 0, lostReplies: 0 },
  }

  constructor(clock: StoreClock, settings: MemoryStoreSettings) {
    checkOptions('memoryStore', settings, SETTINGS)
    this.name = `memory:${settings.name ?? 'rows'}`
    this.codec = codecOf('memoryStore', settings.codec)
    this.#clock = clock
    this.#chance = seededChance(settings.seed ?? 1)
    this.#troubles = troubles(NO_TROUBLES, settings)
  }

  readRows(keys: readonly string[], { signal }: StoreRequest): Promise<(StoreRow | undefined)[]> {
    this.#counts.reads++
    this.#counts.readKeys += keys.length
    return this.#request(signal, () => keys.map((key) => this.#rows.get(key)))
  }

  compareAndSet(changes: readonly RowChange[], { signal }: StoreRequest): Promise<RowOutcome[]> {
    this.#counts.writes++
    return this.#request(signal, () => changes.map((change) => this.#change(change)))
  }

  purge(rows: readonly PurgedRow[], { signal }: StoreRequest): Promise<number> {
    return this.#request(signal, () => {
      const purged = rows.filter(({ key, token }) => {
        const row = this.#rows.get(key)
        return row !== undefined && row.value === undefined && equalBytes(row.token, token) && this.#rows.delete(key)
      }).length
      this.#counts.purgedRows += purged
      return purged
    })
  }

  listTombstones({ signal, from, limit }: TombstoneRequest): Promise<TombstonePage> {
    return this.#request(signal, () => {
      const keys = firstKeys(this.#rows.keys(), { prefix: '', after: from, limit })
      const rows = keys.flatMap((key) => {
        const { value, meta, token } = this.#rows.get(key) as StoreRow
        return value === undefined && meta.length > 0 ? [{ key, token }] : []
      })
      return { rows, next: keys.length < limit ? undefined : keys.at(-1) }
    })
  }

  listKeys({ signal, ...page }: ListRequest): Promise<string[]> {
    return this.#request(signal, () => firstKeys(this.#keysWithValue(), page))
  }

  set(settings: StoreTroubles): void {
    checkOptions('memoryStore: set', settings, TROUBLES)
    this.#troubles = troubles(this.#troubles, settings)
  }

  stall(): void {
    this.#stalled ??= []
  }

  resume(): void {
    const waiting = this.#stalled ?? []
    this.#stalled = undefined
    for (const go of waiting) go()
  }

  refuse(rule?: RowRule): void {
    this.#rule = rule
  }

  put(key: string, value: Uint8Array | undefined): void {
    const before = this.#rows.get(key)
    if (value === undefined) this.#rows.delete(key)
    else this.#rows.set(key, { ...(before ?? outsidersRow(value)), value: value.slice() })
  }

  row(key: string): StoreRow | undefined {
    return this.#rows.get(key)
  }

  get size(): number {
    return this.#rows.size
  }

  stats(): MemoryStoreStats {
    return { ...this.#counts }
  }

  #change({ key, expected, next }: RowChange): RowOutcome {
    const present = this.#rows.get(key)
    if (!isAsExpected(present, expected)) {
      this.#counts.refusedRows++
      return { kind: 'refused', row: present }
    }
    const error = this.#rule?.(key, next.value)
    if (error !== undefined) {
      this.#counts.rejectedRows++
      const message = `the row of '${key}' was rejected: ${error.message}`
      return {
        kind: 'rejected',
        error: storeError({ store: this.name, failure: 'rejected', message, key, cause: error }),
      }
    }
    this.#rows.set(key, { value: next.value?.slice(), meta: next.meta.slice(), token: next.token.slice() })
    this.#counts.doneRows++
    return DONE
  }

  *#keysWithValue(): Generator<string> {
    for (const [key, row] of this.#rows) if (row.value !== undefined) yield key
  }

  #request<Answer>(signal: AbortSignal, execute: () => Answer): Promise<Answer> {
    return untilAborted(
      this.name,
      signal,
      () => new Promise((resolve, reject) => this.#travel({ execute, resolve, reject })),
    )
  }

  /** There, executed, and back. What happens to the request is drawn when it is made. */
  #travel<Answer>({ execute, resolve, reject }: Journey<Answer>): void {
    const { latencyMs, replyMs, failure, lostReply } = this.#troubles
    const fails = this.#isHit(failure)
    const isLost = this.#isHit(lostReply)
    const back = this.#later(replyMs)
    const arrive = (): void => {
      if (this.#stalled !== undefined) return void this.#stalled.push(arrive)
      if (fails) {
        this.#counts.failedRequests++
        back(() => reject(this.#failed('failed')))
        return
      }
      const answer = execute()
      if (isLost) this.#counts.lostReplies++
      back(() => {
        if (isLost) reject(this.#failed('indeterminate'))
        else resolve(answer)
      })
    }
    this.#later(latencyMs)(arrive)
  }

  /** Draws nothing where nothing is asked for, so that other chances do not move. */
  #isHit(share: number): boolean {
    return share > 0 && this.#chance() < share
  }

  #later(baseMs: number): (run: () => void) => void {
    const { jitterMs } = this.#troubles
    const delayMs = baseMs + (jitterMs > 0 ? this.#chance() * jitterMs : 0)
    return (run) => {
      if (delayMs > 0) this.#clock.schedule(delayMs, run)
      else run()
    }
  }

  #failed(outcome: 'failed' | 'indeterminate'): WarpError {
    const lost = outcome === 'failed' ? 'the request did not arrive' : 'the answer was lost; the request was executed'
    return storeError({ store: this.name, failure: 'transient', message: `${lost} (asked for by a test)`, outcome })
  }
}

interface Journey<Answer> {
  readonly execute: () => Answer
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}
