/** What a store asks of its table or tables, and what these ask of the store. */
import type {
  ListRequest,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreRow,
  TombstonePage,
  TombstoneRequest,
} from '../../../src/ports/primary-store.ts'
import { bytesOut, textOut } from './dialect.ts'

/** Rows as a table, or two, keep them. Errors are the driver's. */
export interface Rows {
  check(): Promise<void>
  read(keys: readonly string[]): Promise<Map<string, StoreRow>>
  compareAndSet(changes: readonly RowChange[], judge: Judge): Promise<RowOutcome[]>
  purge(rows: readonly PurgedRow[]): Promise<number>
  list(request: ListRequest): Promise<string[]>
  listTombstones(request: TombstoneRequest): Promise<TombstonePage>
}

/** A row of which it is told whether it has a value. */
export interface NotedRow {
  readonly key: unknown
  readonly token: unknown
  readonly isGone: unknown
}

/** `keyOf`: what the key is called outside. A page that is not full is the last one. */
export function tombstonePage(rows: readonly NotedRow[], limit: number, keyOf: (id: string) => string): TombstonePage {
  const last = rows.at(-1)
  const gone = rows.filter(({ isGone, token }) => Number(isGone) === 1 && bytesOut(token)?.length !== 0)
  return {
    rows: gone.map(({ key, token }) => ({ key: keyOf(textOut(key)), token: bytesOut(token) ?? new Uint8Array() })),
    next: rows.length < limit || last === undefined ? undefined : textOut(last.key),
  }
}

/** What the store makes of a driver's errors. */
export interface Judge {
  isRejection(error: unknown): boolean
  reject(error: unknown, key: string): RowOutcome
  /** Runs again what ended in a deadlock. */
  retried<Answer>(run: () => Promise<Answer>): Promise<Answer>
}
