/** Makes a table, and says what of one that is there does not fit. */
import type { RawBuilder } from 'kysely'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Column } from './dialect.ts'
import type { AnyKysely } from './options.ts'
import { isMadeMeanwhile } from './sql-errors.ts'

export interface WantedColumn {
  readonly name: string
  readonly types: readonly string[]
  /** One row a key, and keys told apart by every character. */
  readonly isKey?: boolean
}

export async function createdTable(database: AnyKysely, statement: RawBuilder<unknown>): Promise<void> {
  try {
    await statement.execute(database)
  } catch (error) {
    // `IF NOT EXISTS` does not cover another connection that makes it at the same moment.
    if (!isMadeMeanwhile(error)) throw error
  }
}

export function checkColumns(table: string, present: readonly Column[], wanted: readonly WantedColumn[]): void {
  if (present.length === 0) {
    const remedy = `make it, or leave create: false out`
    throw misfit(table, `there is no table ${table}; ${remedy}`)
  }
  for (const { name, types } of wanted) {
    const column = present.find((one) => one.name === name)
    if (column === undefined) {
      const names = present.map((one) => one.name).join(', ')
      throw misfit(
        table,
        `the table ${table} has no column ${name}, but ${names}; choose another table or other columns`,
      )
    }
    if (!types.includes(column.type)) {
      const remedy = `it has to be ${types.join(' or ')}`
      throw misfit(table, `the column ${name} of the table ${table} is ${column.type}; ${remedy}`)
    }
  }
  const keys = wanted.filter(({ isKey }) => isKey === true).map(({ name }) => name)
  for (const column of present) if (keys.includes(column.name)) checkKey(table, column)
}

function checkKey(table: string, { name, isUnique, isExact }: Column): void {
  if (!isUnique) {
    const remedy = 'make it the primary key, or give it a unique constraint of its own'
    throw misfit(table, `the column ${name} of the table ${table} may hold a key twice; ${remedy}`)
  }
  if (!isExact) {
    const remedy = 'give it a collation that ends in _nopad_bin, or the type varbinary'
    throw misfit(table, `the column ${name} of the table ${table} takes different keys for one; ${remedy}`)
  }
}

function misfit(table: string, message: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `sqlStore: ${message}`, { details: { table } })
}
