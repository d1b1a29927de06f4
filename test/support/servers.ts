/**
 * Real servers for the tests of adapters. They are there if `scripts/servers start` was run on this
 * machine, or an environment variable names one. Otherwise the tests that want them are skipped, and
 * the reporter says so at the end; CI counts a skipped test as a failed one.
 */
import { describe, test } from 'vitest'
import { isRunning, readState } from '../../tools/servers/state.mjs'

export type ServerName =
  'postgres' | 'mariadb' | 'valkey' | 'redis' | 'cluster' | 'nats' | 'nats-cluster' | 'kafka' | 'sqlite'

/** Where the server listens; for Kafka, its brokers with commas between; for SQLite, the folder with the compiled better-sqlite3. */
export function serverUrl(name: ServerName): string | undefined {
  const given = process.env[`WARP_${name.toUpperCase().replaceAll('-', '_')}_URL`]
  if (given !== undefined) return given
  const server = readState()[name]
  return server !== undefined && isRunning(server) ? server.url : undefined
}

/** A chapter of tests that need the server. */
export function describeOn(name: ServerName, title: string, run: (url: string) => void): void {
  const url = serverUrl(name)
  if (url !== undefined) describe(title, () => run(url))
  // One line of the report for all of them.
  else test.skipIf(true)(`${title}: all of its tests need scripts/servers start ${name}`, () => undefined)
}
