/** What a store asks of its table or tables, and what these ask of the store. */
import type { ListRequest, PurgedRow, RowChange, RowOutcome, StoreRow } from '../../../src/ports/primary-store.ts'

/** Rows as a table, or two, keep them. Errors are the driver's. */
export interface Rows {
  check(): Promise<void>
  read(keys: readonly string[]): Promise<Map<string, StoreRow>>
  compareAndSet(changes: readonly RowChange[], judge: Judge): Promise<RowOutcome[]>
  purge(rows: readonly PurgedRow[]): Promise<number>
  list(request: ListRequest): Promise<string[]>
}

/** What the store makes of a driver's errors. */
export interface Judge {
  isRejection(error: unknown): boolean
  reject(error: unknown, key: string): RowOutcome
  /** Runs again what ended in a deadlock. */
  retried<Answer>(run: () => Promise<Answer>): Promise<Answer>
}
