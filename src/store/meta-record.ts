/**
 * What a log knows about itself beside its operations, as the body of a `meta` record; the newest
 * one counts. Written when the log is created, when the identity changes, before compaction drops
 * anything, and around the installation of a snapshot.
 *
 *     meta = version:u8 flags:u8 shared:8 local:8 localSequence:varint home:text name:text hlc:f64 floor:vector applied:vector
 *            formers:vector reissuing:vector retired:ends [ departures ] [ ended ] [ reissued ]
 *
 * `flags` 1: the installation of a snapshot has begun and not ended, so foreign operations behind
 * this record do not count as applied; 2: another replica has been heard; 4: somebody takes part no
 * more or is away, and `departures` says who (`src/operation/departures.ts`); 8: ids have ended, and
 * `ended` says which (`src/operation/ended-ids.ts`). That stands in checkpoints only. In the log it
 * has records of its own, of the same kind and of version 0, which stay and add up:
 *
 *     pruned = 0:u8 ended
 *
 * 16: operations have been issued again, and `reissued` says which
 * (`src/operation/names/reissued.ts`).
 */
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { ByteReader } from '../operation/byte-reader.ts'
import { readEntries, readVector } from '../merge/snapshot-record.ts'
import { writeVector } from '../operation/envelope/vector-entries.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { Departures } from '../operation/departures.ts'
import { EndedIds } from '../operation/ended-ids.ts'
import { Reissued } from '../operation/names/reissued.ts'
import { RetiredIds } from '../operation/retired-ids.ts'

const FLAG_RESYNCING = 1
const FLAG_MET_OTHERS = 2
const FLAG_DEPARTURES = 4
const FLAG_ENDED = 8
const FLAG_REISSUED = 16
/** In the place of a version. */
const ENDED_VERSION = 0

export interface Meta {
  readonly shared: ReplicaId
  readonly local: ReplicaId
  /** Operations written so far to keys of mode `local`. */
  readonly localSequence: number
  /** Where the log lives (see `LogFiles.home`); empty if that is not known. */
  readonly home: string
  /** What people call the replica; empty if it has no name. */
  readonly name: string
  readonly hlc: Hlc
  /** Operations up to these may have been folded into snapshots or forgotten. */
  readonly floor: VersionVector
  /** At the time of writing. Contains what no record shows any more. */
  readonly applied: VersionVector
  /** The state is a mixture of two until a snapshot has been installed as a whole. */
  readonly isResyncing: boolean
  /** Another replica has been heard. */
  readonly hasMetOthers: boolean
  /** Identities that this log has given up, and how far it has written as them. */
  readonly formers: VersionVector
  /** Operations beyond `applied` and up to here are being issued again. */
  readonly reissuing: VersionVector
  /** First names of operations that are part of the state as somebody has issued them again. */
  readonly reissued: Reissued
  readonly retired: RetiredIds
  readonly departures: Departures
  readonly ended?: EndedIds | undefined
}

/**
 * `format`: of the checkpoint that it is a part of; a record of its own is of the format that is
 * written now.
 */
export function writeMeta(
  writer: ByteWriter,
  meta: Meta,
  table: ReplicaTable,
  format: number = table.formats.forWriting(),
): void {
  writer.u8(format)
  const { departures, ended, reissued } = meta
  const hasEnded = ended !== undefined && ended.size > 0
  writer.u8(
    (meta.isResyncing ? FLAG_RESYNCING : 0) |
      (meta.hasMetOthers ? FLAG_MET_OTHERS : 0) |
      (departures.isEmpty ? 0 : FLAG_DEPARTURES) |
      (hasEnded ? FLAG_ENDED : 0) |
      (reissued.isEmpty ? 0 : FLAG_REISSUED),
  )
  writer.raw(table.bytes(meta.shared))
  writer.raw(table.bytes(meta.local))
  writer.varint(meta.localSequence)
  writer.text(meta.home)
  writer.text(meta.name)
  writer.f64(meta.hlc)
  for (const vector of [meta.floor, meta.applied, meta.formers, meta.reissuing])
    writeVector(writer, vector.sorted(), table)
  writeVector(writer, meta.retired.entries(), table)
  if (!departures.isEmpty) departures.write(writer, table)
  if (hasEnded) ended.write(writer, table)
  if (!reissued.isEmpty) reissued.write(writer, table)
}

/** Whether a record of this kind says which ids have ended, and nothing else. */
export function saysWhoEnded(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === ENDED_VERSION
}

/** Writes a record that says of these ids that they have ended. */
export function writeEnded(
  writer: ByteWriter,
  { ended, told }: { readonly ended: EndedIds; readonly told: Iterable<ReplicaId> },
  table: ReplicaTable,
): void {
  writer.u8(ENDED_VERSION)
  ended.write(writer, table, told)
}

/** Throws `WARP_E_PROTOCOL`. */
export function readEnded(reader: ByteReader, table: ReplicaTable): EndedIds {
  reader.skip(1)
  return EndedIds.read(reader, table)
}

/** Throws `WARP_E_LOG_VERSION`, `WARP_E_PROTOCOL`. */
export function readMeta(reader: ByteReader, table: ReplicaTable): Meta {
  const version = reader.u8()
  if (!table.formats.reads(version)) {
    throw new WarpError(
      'WARP_E_LOG_VERSION',
      `the log describes itself in format ${version}; this build reads up to format ${table.formats.highest}; open it with the version that wrote it`,
      { details: { version } },
    )
  }
  const flags = reader.u8()
  const [isResyncing, hasMetOthers] = [(flags & FLAG_RESYNCING) !== 0, (flags & FLAG_MET_OTHERS) !== 0]
  const shared = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  const local = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  const [localSequence, home, name, hlc] = [reader.varint(), reader.text(), reader.text(), reader.f64()]
  const [floor, applied] = [readVector(reader, table), readVector(reader, table)]
  const [formers, reissuing] = [readVector(reader, table), readVector(reader, table)]
  const retired = new RetiredIds(readEntries(reader, table))
  const departures = (flags & FLAG_DEPARTURES) === 0 ? new Departures() : Departures.read(reader, table)
  const ended = (flags & FLAG_ENDED) === 0 ? undefined : EndedIds.read(reader, table)
  const reissued = (flags & FLAG_REISSUED) === 0 ? new Reissued() : Reissued.read(reader, table)
  const vectors = { floor, applied, formers, reissuing, reissued, retired, departures, ended }
  return { shared, local, localSequence, home, name, hlc, isResyncing, hasMetOthers, ...vectors }
}
