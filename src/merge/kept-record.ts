/**
 * A kept state: what a key had been folded to, beside its chain, which stays. A shortcut and never
 * the only place of anything: the first read after an opening or an eviction goes on from it instead
 * of from the chain's beginning. As the body of a log record:
 *
 *     kept = fold:text snapshot
 *
 * `snapshot` is that of `snapshot-record.ts`; its `through` is the last record of the key's chain
 * that the state holds. `fold` names the fold that made the state. It counts
 *
 * - while its last record is in the chain: not behind the head, and behind what compaction folded;
 * - for the same fold only: another strategy, other options of it, or a build that folds otherwise
 *   would have come to another state. A strategy that cannot name its fold (`Strategy.foldsAs`), for
 *   it calls a function of the application's, keeps states for the life of the process;
 * - while nothing has come that belongs before it in canonical order, where that matters: then the
 *   key is folded anew (`folding/folder.ts`).
 */
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { readSnapshot, writeSnapshot, type KeySnapshot } from './snapshot-record.ts'

/**
 * Goes up whenever the same operations come to be folded to another state: a fault of a strategy is
 * mended, another kind of operation is applied.
 */
const FOLD_RULES = 2

export interface KeptState {
  readonly fold: string
  readonly snapshot: KeySnapshot
}

export function writeKept(writer: ByteWriter, { fold, snapshot }: KeptState, table: ReplicaTable): void {
  writer.text(fold)
  writeSnapshot(writer, snapshot, table)
}

/** Throws `WARP_E_PROTOCOL`. */
export function readKept(bytes: Uint8Array, start: number, end: number, table: ReplicaTable): KeptState {
  const reader = new ByteReader(bytes, start, end)
  const fold = reader.text()
  return { fold, snapshot: readSnapshot(bytes, reader.at, end, table) }
}

/** The key and the place, without the state. Throws `WARP_E_PROTOCOL`. */
export function readKeptPlace(bytes: Uint8Array, start: number, end: number): { key: string; through: number } {
  const reader = new ByteReader(bytes, start, end)
  reader.text()
  const key = reader.text()
  reader.skip(SNAPSHOT_HEAD_BYTES)
  return { key, through: reader.f64() }
}

/** Format, strategy and flags of a snapshot stand between its key and `through`. */
const SNAPSHOT_HEAD_BYTES = 3

/** The name of a fold; `undefined` if only this process knows what it does. */
export function foldNameOf({ foldsAs }: AnyStrategy): string | undefined {
  return foldsAs === undefined ? undefined : `${FOLD_RULES}:${foldsAs}`
}
