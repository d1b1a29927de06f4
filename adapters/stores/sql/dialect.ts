/** What the dialects have in common: the statements that a store is made of. */
import { type RawBuilder, sql } from 'kysely'
import type { RowChange, StoreRow } from '../../../src/ports/primary-store.ts'
import type { AnyKysely, SqlSettings } from './options.ts'

/** A column as it is in the database. */
export interface Column {
  readonly name: string
  /** Lower case, without length. */
  readonly type: string
  /** Whether the column alone is the primary key or has a unique constraint. */
  readonly isUnique: boolean
  /** Whether texts that differ are told apart: by case, by spaces at the end. */
  readonly isExact: boolean
}

export interface RawRow {
  readonly key: unknown
  readonly value: unknown
  readonly meta: unknown
  readonly token: unknown
}

export interface Dialect {
  /**
   * Whether updates and inserts go by statements of their own. A batch that was rejected is then
   * split before it is tried again: what was done by the other statement is done.
   */
  readonly splitsBatches: boolean
  /** The keys of those changes that were done. One statement, or one transaction. */
  write(database: AnyKysely, names: Names, changes: readonly RowChange[]): Promise<ReadonlySet<string>>
  /** Locks the rows of a transaction that is open: behind a SELECT. Nothing where one locks all. */
  readonly forUpdate: RawBuilder<unknown>
  /** Whether there can be no row of this key, though the database does not say so. */
  isRefused?(key: string): boolean
  /** A key as a parameter. */
  key(key: string): unknown
  /** A column of texts, compared by code points. */
  exact(column: RawBuilder<unknown>): RawBuilder<unknown>
  createTable(names: Names, options: { readonly withValue: boolean }): RawBuilder<unknown>
  columns(database: AnyKysely, table: TableName): Promise<Column[]>
  /** Types that each column may have, the one that is made first. */
  readonly types: Readonly<Record<'key' | 'value' | 'meta' | 'token' | 'text' | 'json' | 'bytes', readonly string[]>>
  /** How a transaction begins that is going to write: statements. */
  readonly begin: readonly RawBuilder<unknown>[]
}

export interface TableName {
  readonly schema: string | undefined
  readonly table: string
}

/** The table and its columns, quoted where they are used. */
export interface Names extends TableName {
  readonly rows: RawBuilder<unknown>
  readonly key: RawBuilder<unknown>
  readonly value: RawBuilder<unknown>
  readonly meta: RawBuilder<unknown>
  readonly token: RawBuilder<unknown>
}

export function namesOf({ schema, table, columns }: SqlSettings): Names {
  const { key, value, meta, token } = columns
  return { schema, table, rows: tableOf({ schema, table }), ...ids({ key, value, meta, token }) }
}

export function tableOf({ schema, table }: TableName): RawBuilder<unknown> {
  return schema === undefined ? sql.id(table) : sql.id(schema, table)
}

function ids<Name extends string>(names: Readonly<Record<Name, string>>): Record<Name, RawBuilder<unknown>> {
  const quoted: Partial<Record<Name, RawBuilder<unknown>>> = {}
  for (const name of Object.keys(names) as Name[]) quoted[name] = sql.id(names[name])
  return quoted as Record<Name, RawBuilder<unknown>>
}

/** node:sqlite of Node 22 makes NULL of no bytes that lie nowhere. */
const NO_BYTES = Buffer.alloc(1).subarray(0, 0)

/** Drivers know `Buffer`; a view of the same bytes. */
export function bytesIn(bytes: Uint8Array): Buffer
export function bytesIn(bytes: Uint8Array | undefined): Buffer | null
export function bytesIn(bytes: Uint8Array | undefined): Buffer | null {
  if (bytes === undefined) return null
  return bytes.byteLength === 0 ? NO_BYTES : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A copy: drivers hand out views of larger buffers, which would stay in memory. */
export function bytesOut(value: unknown): Uint8Array | undefined {
  if (value === null || value === undefined) return undefined
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (value instanceof ArrayBuffer) return new Uint8Array(value.slice(0))
  return new TextEncoder().encode(textOut(value))
}

export function textOut(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  return JSON.stringify(value)
}

export function rowOut(raw: RawRow): StoreRow {
  const nothing = new Uint8Array()
  return { value: bytesOut(raw.value), meta: bytesOut(raw.meta) ?? nothing, token: bytesOut(raw.token) ?? nothing }
}

/** The keys of an answer. */
export function keysOut(rows: readonly { readonly key: unknown }[]): Set<string> {
  return new Set(rows.map(({ key }) => textOut(key)))
}
