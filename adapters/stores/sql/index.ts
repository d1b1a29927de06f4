/** `warp-engine/sql`: rows in PostgreSQL, SQLite, MySQL or MariaDB, on a Kysely of the user's. */
export { sqlStore } from './sql-store.ts'
export type { SqlColumns, SqlDialect, SqlStoreOptions, UsersTable } from './options.ts'
