/**
 * What an error of a database means for the engine. Drivers say it in their own ways: SQLSTATE
 * (PostgreSQL, MySQL), a number beside it (MySQL), a name or a number of SQLite's.
 */
import type { StoreFailure } from '../../../src/ports/stores/store-error.ts'

interface DriverError {
  readonly code?: unknown
  readonly sqlState?: unknown
  readonly errno?: unknown
  readonly errcode?: unknown
}

/** Classes of SQLSTATE: bad values, constraints, and what exceeds a limit of the database. */
const REJECTED = ['22', '23', '44', '54']
/** Syntax, permissions, names that are not there, features that are missing. */
const BROKEN = ['0A', '28', '3D', '3F', '42']

/** MySQL: no default, wrong text, a check constraint, a packet that is too large. */
const MYSQL_REJECTED = [1364, 1366, 3819, 4025, 1153]

const SQLITE_REJECTED = { names: ['CONSTRAINT', 'TOOBIG', 'MISMATCH'], numbers: [19, 18, 20] }
const SQLITE_TRANSIENT = { names: ['BUSY', 'LOCKED', 'FULL', 'IOERR', 'NOMEM'], numbers: [5, 6, 13, 10, 7] }

export function failureOf(error: unknown): StoreFailure {
  const { code, errno, errcode } = factsOf(error)
  if (typeof code === 'string' && code.startsWith('SQLITE_')) {
    const [, name = ''] = code.split('_')
    return sqliteFailure(SQLITE_REJECTED.names.includes(name), SQLITE_TRANSIENT.names.includes(name))
  }
  if (code === 'ERR_SQLITE_ERROR') {
    const primary = Number(errcode) & 0xff
    return sqliteFailure(SQLITE_REJECTED.numbers.includes(primary), SQLITE_TRANSIENT.numbers.includes(primary))
  }
  if (MYSQL_REJECTED.includes(Number(errno))) return 'rejected'
  const category = sqlStateOf(error).slice(0, 2)
  if (REJECTED.includes(category)) return 'rejected'
  return BROKEN.includes(category) ? 'broken' : 'transient'
}

/** The statement was given up by the database, and nothing of it was done: it can be sent again. */
export function isDeadlock(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlStateOf(error))
}

/** A row with this key is there already. */
export function isDuplicate(error: unknown): boolean {
  const { code, errcode, errno } = factsOf(error)
  if (sqlStateOf(error) === '23505' || Number(errno) === 1062) return true
  // SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE.
  return /^SQLITE_CONSTRAINT_(?:PRIMARYKEY|UNIQUE)$/.test(String(code)) || [1555, 2067].includes(Number(errcode))
}

/** Somebody else made the table at the same moment: PostgreSQL says so in two ways. */
export function isMadeMeanwhile(error: unknown): boolean {
  return ['23505', '42P07', '42710'].includes(sqlStateOf(error))
}

function sqliteFailure(isRejected: boolean, isTransient: boolean): StoreFailure {
  if (isRejected) return 'rejected'
  return isTransient ? 'transient' : 'broken'
}

function sqlStateOf(error: unknown): string {
  const { sqlState, code } = factsOf(error)
  if (typeof sqlState === 'string') return sqlState
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : ''
}

function factsOf(error: unknown): DriverError {
  return typeof error === 'object' && error !== null ? error : {}
}
