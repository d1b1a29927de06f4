/**
 * What a log knows about itself beside its operations, as the body of a `meta` record; the newest one counts. Written when the log is
 * created, when the identity changes, before compaction drops anything, and around the installation of a snapshot.
 *
 *     meta = version:u8 flags:u8 shared:8 local:8 home:text hlc:f64 floor:vector applied:vector [ former:8 ]
 *
 * `flags` 1: the installation of a snapshot has begun and not ended, so foreign operations behind this record do not count as applied. 2: it
 * has ended, and operations that this replica wrote as `former` are still to be issued again.
 */
import type { ByteWriter } from '../crdt/byte-writer.ts'
import type { Hlc } from '../crdt/hlc.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../crdt/replica-id.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import { WarpError } from '../crdt/warp-error.ts'
import type { ByteReader } from './byte-reader.ts'
import { readVector } from './merge/snapshot-record.ts'
import { writeVector, type ReplicaTable } from './operation.ts'

const META_VERSION = 1
const FLAG_RESYNCING = 1
const FLAG_REISSUING = 2

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
  /** The state is a mixture of two until a snapshot has been installed as a whole. */
  readonly isResyncing: boolean
  /** The identity whose operations beyond `applied` are being issued again. */
  readonly former: ReplicaId | undefined
}

export function writeMeta(writer: ByteWriter, meta: Meta, table: ReplicaTable): void {
  writer.u8(META_VERSION)
  writer.u8((meta.isResyncing ? FLAG_RESYNCING : 0) | (meta.former === undefined ? 0 : FLAG_REISSUING))
  writer.raw(table.bytes(meta.shared))
  writer.raw(table.bytes(meta.local))
  writer.text(meta.home)
  writer.f64(meta.hlc)
  writeVector(writer, meta.floor.sorted(), table)
  writeVector(writer, meta.applied.sorted(), table)
  if (meta.former !== undefined) writer.raw(table.bytes(meta.former))
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
  const applied = readVector(reader, table)
  const former = (flags & FLAG_REISSUING) === 0 ? undefined : table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  return { shared, local, home, hlc, floor, applied, isResyncing: (flags & FLAG_RESYNCING) !== 0, former }
}
