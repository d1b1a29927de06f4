/**
 * Rows in a table of a relational database. The table is Warp's own (`OwnTable`), or values stay in
 * a table of the user's, with meta and token in a table beside it (`SideTable`). Kysely quotes names
 * and carries parameters; the database is the user's and stays open.
 */
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
} from '../../../src/ports/primary-store.ts'
import { requestError, runRequest, type StoreFailures } from '../../../src/ports/stores/store-error.ts'
import type { Dialect } from './dialect.ts'
import { mysql } from './mysql.ts'
import { type AnyKysely, type SqlDialect, type SqlStoreOptions, sqlSettings } from './options.ts'
import { OwnTable } from './own-table.ts'
import { postgres } from './postgres.ts'
import type { Judge, Rows } from './rows.ts'
import { SideTable } from './side-table.ts'
import { failureOf, isDeadlock } from './sql-errors.ts'
import { sqlite } from './sqlite.ts'

const DIALECTS: Readonly<Record<SqlDialect, Dialect>> = { postgres, sqlite, mysql }

/** A deadlock has done nothing; others go on, so the next try is soon alone. */
const DEADLOCK_TRIES = 10

/** Keys that are read by one statement. */
const READ_KEYS_MAX = 500

export function sqlStore(database: AnyKysely, options: SqlStoreOptions = {}): PrimaryStore {
  return new SqlStore(database, options)
}

/** With the SQLSTATE under which PostgreSQL says so: rejected for good. */
function nullCharacter(): Error {
  return Object.assign(new Error('this database takes no key with a null character'), { sqlState: '22021' })
}

class SqlStore implements PrimaryStore {
  readonly name: string
  readonly comparesAndSets = true
  readonly codec: StoreCodec
  readonly #rows: Rows
  readonly #dialect: Dialect
  /** Statements are all or nothing, and a deadlock has done nothing. */
  readonly #failures: StoreFailures
  readonly #judge: Judge

  constructor(database: AnyKysely, options: SqlStoreOptions) {
    const settings = sqlSettings(database, options)
    const dialect = DIALECTS[settings.dialect]
    this.#dialect = dialect
    this.name = `sql:${settings.beside?.table ?? settings.table}`
    this.codec = settings.codec
    this.#failures = { store: this.name, failureOf, isUndone: isDeadlock }
    this.#judge = {
      isRejection: (error) => failureOf(error) === 'rejected',
      reject: (error, key) => ({ kind: 'rejected', error: requestError(this.#failures, 'writing', error, key) }),
      retried,
    }
    const { beside } = settings
    this.#rows =
      beside === undefined
        ? new OwnTable(database, dialect, settings)
        : new SideTable(database, dialect, { ...settings, beside })
  }

  check({ signal }: StoreRequest): Promise<void> {
    return this.#request('checking the table', signal, () => this.#rows.check())
  }

  readRows(keys: readonly string[], { signal }: StoreRequest): Promise<(StoreRow | undefined)[]> {
    return this.#request('reading', signal, async () => {
      const found = new Map<string, StoreRow>()
      for (let from = 0; from < keys.length; from += READ_KEYS_MAX)
        for (const [key, row] of await this.#rows.read(keys.slice(from, from + READ_KEYS_MAX))) found.set(key, row)
      return keys.map((key) => found.get(key))
    })
  }

  compareAndSet(changes: readonly RowChange[], { signal }: StoreRequest): Promise<RowOutcome[]> {
    return this.#request('writing', signal, async () => {
      const isRefused = changes.map(({ key }) => this.#dialect.isRefused?.(key) === true)
      if (!isRefused.includes(true)) return this.#rows.compareAndSet(changes, this.#judge)
      const rest = changes.filter((_, i) => isRefused[i] === false)
      const outcomes = rest.length === 0 ? [] : [...(await this.#rows.compareAndSet(rest, this.#judge))]
      const refusal = nullCharacter()
      return changes.map(({ key }, i) =>
        isRefused[i] === true ? this.#judge.reject(refusal, key) : (outcomes.shift() as RowOutcome),
      )
    })
  }

  purge(rows: readonly PurgedRow[], { signal }: StoreRequest): Promise<number> {
    return this.#request('purging', signal, async () => {
      let purged = 0
      for (let from = 0; from < rows.length; from += READ_KEYS_MAX)
        purged += await retried(() => this.#rows.purge(rows.slice(from, from + READ_KEYS_MAX)))
      return purged
    })
  }

  listKeys(request: ListRequest): Promise<string[]> {
    return this.#request('listing keys', request.signal, () => this.#rows.list(request))
  }

  listTombstones(request: TombstoneRequest): Promise<TombstonePage> {
    return this.#request('looking for tombstones', request.signal, () => this.#rows.listTombstones(request))
  }

  #request<Answer>(doing: string, signal: AbortSignal, run: () => Promise<Answer>): Promise<Answer> {
    return runRequest(this.#failures, doing, signal, run)
  }
}

async function retried<Answer>(run: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (error) {
      if (!isDeadlock(error) || tries >= DEADLOCK_TRIES) throw error
    }
  }
}
