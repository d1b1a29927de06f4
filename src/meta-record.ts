/**
 * What a log knows about itself beside its operations, as the body of a `meta` record; the newest one counts. Written when the log is
 * created, when the identity changes, before compaction drops anything, and around a snapshot transfer.
 *
 *     meta = version:u8 flags:u8 shared:8 local:8 home:text hlc:f64 floor:vector applied:vector
 *
 * `flags` 1: a snapshot transfer has begun and not ended, so operations behind this record do not count as applied.
 */
import type { ByteWriter } from '../crdt/byte-writer.ts'
import type { Hlc } from '../crdt/hlc.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../crdt/replica-id.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { WarpError } from '../crdt/warp-error.ts'
import { ByteReader } from './byte-reader.ts'
import { readVector } from './merge/snapshot-record.ts'
import { writeVector, type ReplicaTable } from './operation.ts'

const META_VERSION = 1
const FLAG_RESYNCING = 1

export interface Meta {
  readonly shared: ReplicaId
  readonly local: ReplicaId
  /** Where the log lives (see `LogFiles.home`); empty if that is not known. */
  readonly home: string
  readonly hlc: Hlc
  /** Operations up to these may have been folded into snapshots or forgotten. */
  readonly floor: VersionVector
  /** At the time of writing. Contains what no record shows any more. */
  readonly applied: VersionVector
  readonly isResyncing: boolean
}

export function writeMeta(writer: ByteWriter, meta: Meta, table: ReplicaTable): void {
  writer.u8(META_VERSION)
  writer.u8(meta.isResyncing ? FLAG_RESYNCING : 0)
  writer.raw(table.bytes(meta.shared))
  writer.raw(table.bytes(meta.local))
  writer.text(meta.home)
  writer.f64(meta.hlc)
  writeVector(writer, meta.floor.sorted(), table)
  writeVector(writer, meta.applied.sorted(), table)
}

/** Throws `WARP_E_LOG_VERSION`, `WARP_E_PROTOCOL`. */
export function readMeta(reader: ByteReader, table: ReplicaTable): Meta {
  const version = reader.u8()
  if (version !== META_VERSION) {
    throw new WarpError('WARP_E_LOG_VERSION', `the log describes itself in version ${version}; this build reads ${META_VERSION}; upgrade it`)
  }
  const flags = reader.u8()
  const shared = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  const local = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  const home = reader.text()
  const hlc = reader.f64()
  const floor = readVector(reader, table)
  return { shared, local, home, hlc, floor, applied: readVector(reader, table), isResyncing: (flags & FLAG_RESYNCING) !== 0 }
}
