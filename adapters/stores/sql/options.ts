/** What `sqlStore` takes, with defaults and bounds. */
import { type Kysely, MysqlAdapter, PostgresAdapter, SqliteAdapter } from 'kysely'
import { checkOptions, checkTypeOf, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { StoreCodec } from '../../../src/ports/primary-store.ts'
import { codecOf } from '../../../src/ports/stores/codecs.ts'

export type SqlDialect = 'postgres' | 'sqlite' | 'mysql'

/** The names of the four columns. */
export interface SqlColumns {
  /** Default `key`. */
  readonly key?: string
  /** Default `value`. In a side table there is none. */
  readonly value?: string
  /** Default `meta`. */
  readonly meta?: string
  /** Default `token`. */
  readonly token?: string
}

/** A table that is there already, and holds the values. Warp writes two of its columns. */
export interface UsersTable {
  readonly table: string
  /** A text column with a primary key or a unique constraint of its own. */
  readonly key: string
  readonly value: string
  /**
   * How values are kept: `'text'` (text, varchar, json as text), `'json'` (a column of the type
   * json) or `'bytes'`. A column of the type jsonb is refused: it rewrites what it is given.
   * Default `'text'`.
   */
  readonly type?: 'text' | 'json' | 'bytes'
  /** What keys begin with and the column leaves out: with `'cart:'`, key `cart:7` is row `7`. */
  readonly prefix?: string
}

export interface SqlStoreOptions {
  /** Default `warp_rows`; for a side table `warp_meta`. */
  readonly table?: string
  /** The schema of the table, or the database in MySQL. Default: where the connection looks. */
  readonly schema?: string
  readonly columns?: SqlColumns
  /** Keep values in a table of the user's, and only meta and token in the side table `table`. */
  readonly beside?: UsersTable
  /** `false`: the table has to be there; it is checked and never made. Default `true`. */
  readonly create?: boolean
  readonly codec?: 'json' | 'bytes' | StoreCodec
  /** For dialects of third parties. Default: what the Kysely says. */
  readonly dialect?: SqlDialect
}

export interface SqlSettings {
  readonly table: string
  readonly schema: string | undefined
  readonly columns: Readonly<Required<SqlColumns>>
  readonly beside: Readonly<Required<UsersTable>> | undefined
  readonly create: boolean
  readonly codec: StoreCodec
  readonly dialect: SqlDialect
}

/** A Kysely of any database: the adapter names its own tables, whatever the user's types say. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Kysely is invariant in the tables' type
export type AnyKysely = Kysely<any>

const OPTIONS = optionNames<SqlStoreOptions>({
  table: true,
  schema: true,
  columns: true,
  beside: true,
  create: true,
  codec: true,
  dialect: true,
})
const COLUMNS = optionNames<SqlColumns>({ key: true, value: true, meta: true, token: true })
const BESIDE = optionNames<UsersTable>({ table: true, key: true, value: true, type: true, prefix: true })
const DIALECTS: readonly string[] = ['postgres', 'sqlite', 'mysql']
const TYPES: readonly string[] = ['text', 'json', 'bytes']

export function sqlSettings(database: AnyKysely, options: SqlStoreOptions): SqlSettings {
  checkOptions('sqlStore', options, OPTIONS)
  checkOptions('sqlStore: columns', options.columns, COLUMNS)
  checkTypeOf('sqlStore', options, 'create', 'boolean')
  const beside = besideOf(options.beside)
  const { table = beside === undefined ? 'warp_rows' : 'warp_meta', schema, create = true } = options
  const columns = { key: 'key', value: 'value', meta: 'meta', token: 'token', ...options.columns }
  for (const [option, name] of Object.entries({ table, ...(schema === undefined ? {} : { schema }) }))
    checkName('sqlStore', option, name)
  for (const [option, name] of Object.entries(columns)) checkName('sqlStore: columns', option, name)
  const codec = codecOf('sqlStore', options.codec)
  return { table, schema, columns, beside, create, codec, dialect: dialectOf(database, options.dialect) }
}

function besideOf(beside: UsersTable | undefined): SqlSettings['beside'] {
  if (beside === undefined) return undefined
  checkOptions('sqlStore: beside', beside, BESIDE)
  const { table, key, value, type = 'text', prefix = '' } = beside
  for (const [option, name] of Object.entries({ table, key, value })) checkName('sqlStore: beside', option, name)
  if (!TYPES.includes(type)) throw refusedOption('sqlStore: beside', 'type', type, `give ${TYPES.join(', ')}`)
  if (typeof prefix !== 'string') throw refusedOption('sqlStore: beside', 'prefix', prefix, 'give a string')
  return { table, key, value, type, prefix }
}

function checkName(what: string, option: string, name: unknown): void {
  if (typeof name === 'string' && name.length > 0 && !name.includes('\0')) return
  throw refusedOption(what, option, name, 'give the name of a table or column')
}

function dialectOf(database: AnyKysely, dialect: SqlDialect | undefined): SqlDialect {
  if (dialect !== undefined) {
    if (DIALECTS.includes(dialect)) return dialect
    throw refusedOption('sqlStore', 'dialect', dialect, `give ${DIALECTS.join(', ')}`)
  }
  const given: unknown = database
  if (typeof given !== 'object' || given === null || typeof (given as AnyKysely).getExecutor !== 'function')
    throw refusedOption('sqlStore', 'database', given, 'give a Kysely')
  const { adapter } = database.getExecutor()
  if (adapter instanceof PostgresAdapter) return 'postgres'
  if (adapter instanceof SqliteAdapter) return 'sqlite'
  if (adapter instanceof MysqlAdapter) return 'mysql'
  throw new WarpError(
    'WARP_E_CONFIG',
    `sqlStore: the Kysely speaks ${adapter.constructor.name}; give dialect: 'postgres', 'sqlite' or 'mysql'`,
    { details: { option: 'dialect' } },
  )
}
