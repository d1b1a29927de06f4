/**
 * What a log knows about itself beside its operations, as the body of a `meta` record; the newest one counts. Written when the log is
 * created, when the identity changes, before compaction drops anything, and around the installation of a snapshot.
 *
 *     meta = version:u8 flags:u8 shared:8 local:8 localSequence:varint home:text hlc:f64 floor:vector applied:vector
 *            formers:vector reissuing:vector
 *
 * `flags` 1: the installation of a snapshot has begun and not ended, so foreign operations behind this record do not count as applied.
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

export interface Meta {
  readonly shared: ReplicaId
  readonly local: ReplicaId
  /** Operations written so far to keys of mode `local`. */
  readonly localSequence: number
  /** Where the log lives (see `LogFiles.home`); empty if that is not known. */
  readonly home: string
  readonly hlc: Hlc
  /** Operations up to these may have been folded into snapshots or forgotten. */
  readonly floor: VersionVector
  /** At the time of writing. Contains what no record shows any more. */
  readonly applied: VersionVector
  /** The state is a mixture of two until a snapshot has been installed as a whole. */
  readonly isResyncing: boolean
  /** Identities that this log gave up because the machine went down, and how far it had written as them. */
  readonly formers: VersionVector
  /** Operations beyond `applied` and up to here are being issued again. */
  readonly reissuing: VersionVector
}

export function writeMeta(writer: ByteWriter, meta: Meta, table: ReplicaTable): void {
  writer.u8(META_VERSION)
  writer.u8(meta.isResyncing ? FLAG_RESYNCING : 0)
  writer.raw(table.bytes(meta.shared))
  writer.raw(table.bytes(meta.local))
  writer.varint(meta.localSequence)
  writer.text(meta.home)
  writer.f64(meta.hlc)
  for (const vector of [meta.floor, meta.applied, meta.formers, meta.reissuing])
    writeVector(writer, vector.sorted(), table)
}

/** Throws `WARP_E_LOG_VERSION`, `WARP_E_PROTOCOL`. */
export function readMeta(reader: ByteReader, table: ReplicaTable): Meta {
  const version = reader.u8()
  if (version !== META_VERSION) {
    throw new WarpError(
      'WARP_E_LOG_VERSION',
      `the log describes itself in version ${version}; this build reads ${META_VERSION}; upgrade it`,
    )
  }
  const isResyncing = (reader.u8() & FLAG_RESYNCING) !== 0
  const shared = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  const local = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  const [localSequence, home, hlc] = [reader.varint(), reader.text(), reader.f64()]
  const [floor, applied] = [readVector(reader, table), readVector(reader, table)]
  const [formers, reissuing] = [readVector(reader, table), readVector(reader, table)]
  return { shared, local, localSequence, home, hlc, floor, applied, isResyncing, formers, reissuing }
}
