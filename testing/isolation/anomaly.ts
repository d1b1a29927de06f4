/**
 * What can be wrong with a history of transactions, and the name that the literature has for it.
 */
import type { Dependency } from './dependencies.ts'
import type { Transaction } from './transactions.ts'

/**
 * Cycles of dependencies, by what they are made of. `-process` and `-realtime` need the order
 * within processes, or real time, to close.
 *
 * - `G0`: writes alone (dirty write).
 * - `G1c`: writes and reads of them (circular information flow).
 * - `G-single`: one anti-dependency (read skew; a stale read, with `-realtime`; a write of one's
 *   own not seen, with `-process`).
 * - `G-nonadjacent`: several, no two of them in a row (long fork).
 * - `G2-item`: several, two of them in a row (write skew).
 */
export type CycleName = 'G0' | 'G1c' | 'G-single' | 'G-nonadjacent' | 'G2-item'

/**
 * - `internal`: a transaction contradicts its own reads or writes.
 * - `future-read`: one reads what it writes only later.
 * - `garbage-read`: a value that nobody wrote.
 * - `duplicate-elements`: a list has an element twice.
 * - `incompatible-order`: two reads of a list of which neither is the beginning of the other.
 * - `cyclic-versions`: each of two values of a register overwrote the other.
 * - `G1a`: reads what was written by a transaction that failed (aborted read).
 * - `G1b`: reads what its writer wrote over in the same transaction (intermediate read).
 * - `dirty-update`: commits on top of what a failed transaction wrote.
 * - `lost-update`: two read the same version, and both write the key.
 */
export type AnomalyName =
  | 'internal'
  | 'future-read'
  | 'garbage-read'
  | 'duplicate-elements'
  | 'incompatible-order'
  | 'cyclic-versions'
  | 'G1a'
  | 'G1b'
  | 'dirty-update'
  | 'lost-update'
  | CycleName
  | `${CycleName}-process`
  | `${CycleName}-realtime`

export interface Anomaly {
  readonly name: AnomalyName
  /** Those it is about; of a cycle, in its order. */
  readonly transactions: readonly Transaction[]
  /** What was found, for a person. */
  readonly text: string
  /** Of a cycle: the edges, each from a transaction to the next, the last one to the first. */
  readonly cycle?: readonly Dependency[]
}

/** `T3`: the fourth transaction of the history. */
export function nameOf(transaction: Transaction): string {
  return `T${transaction.index}`
}
