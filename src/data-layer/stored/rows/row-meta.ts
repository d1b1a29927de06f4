/**
 * What Warp notes of a row beside its value: which operations are in it, under which name, and how
 * the value looked when it was written.
 *
 *     version:u8 flags:u8 name:16 digest:16 [tip = hlc:u64 replica:8 sequence:varint] vector
 *     vector = count:varint (replica:8 sequence:varint)*
 */
import { ByteWriter } from '../../../../crdt/encoding/byte-writer.ts'
import type { Stamp } from '../../../../crdt/time/hlc.ts'
import { hexOf, REPLICA_ID_BYTES } from '../../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../../../limits.ts'
import { ByteReader } from '../../../operation/byte-reader.ts'
import { writeEntries } from '../../../operation/envelope/vector-entries.ts'
import type { ReplicaTable } from '../../../operation/replica-table.ts'

export interface RowMeta {
  /** The operations in the value. "Not named" means "not in it". */
  readonly vector: VersionVector
  /**
   * 32 hexadecimal digits. Two rows of one name have the same beginning: what they hold differs by
   * operations that everybody puts in the same order.
   */
  readonly name: string
  /** Of the value as it was written; of a tombstone that of no bytes. */
  readonly digest: string
  /** The greatest operation, where only that one counts (a register). */
  readonly tip: Stamp | undefined
}

const VERSION = 1
const TIP = 1
const NAME_BYTES = 16

export function encodeMeta({ vector, name, digest, tip }: RowMeta, table: ReplicaTable): Uint8Array {
  const writer = new ByteWriter()
  writer.u8(VERSION)
  writer.u8(tip === undefined ? 0 : TIP)
  writer.raw(bytesOf(name))
  writer.raw(bytesOf(digest))
  if (tip !== undefined) {
    writer.u64(tip.hlc)
    writer.raw(table.bytes(tip.replica))
    writer.varint(tip.sequence)
  }
  const entries = vector.sorted()
  writer.varint(entries.length)
  writeEntries(writer, entries, table)
  return writer.take()
}

/** Throws `WARP_E_STORE` for what no build of Warp has written, or a later one has. */
export function decodeMeta(key: string, bytes: Uint8Array, table: ReplicaTable): RowMeta {
  try {
    return read(new ByteReader(bytes), table)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new WarpError(
      'WARP_E_STORE',
      `the row of '${key}' has a meta that this version cannot read: ${message}; ` +
        'nothing was changed; if an outsider wrote the meta, empty it and the token',
      { details: { key, failure: 'broken' }, cause },
    )
  }
}

function read(reader: ByteReader, table: ReplicaTable): RowMeta {
  const version = reader.u8()
  if (version !== VERSION) throw reader.malformed(`version ${version}`)
  const flags = reader.u8()
  if ((flags & ~TIP) !== 0) throw reader.malformed('flags that this version does not have')
  const name = readHex(reader)
  const digest = readHex(reader)
  const tip = (flags & TIP) === 0 ? undefined : readTip(reader, table)
  const count = reader.varint()
  if (count > VECTOR_ENTRIES_MAX) throw reader.malformed(`a vector of ${count} entries`)
  const vector = new VersionVector()
  for (let i = 0; i < count; i++) {
    const replica = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
    vector.raise(replica, reader.varint())
  }
  reader.mustBeAtEnd()
  return { vector, name, digest, tip }
}

function readTip(reader: ByteReader, table: ReplicaTable): Stamp {
  const high = reader.u32()
  const low = reader.u32()
  if (high > 0x1fffff) throw reader.malformed('a stamp beyond 2^53')
  const replica = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
  return { hlc: high * 4_294_967_296 + low, replica, sequence: reader.varint() }
}

function bytesOf(hex: string): Uint8Array {
  const bytes = new Uint8Array(NAME_BYTES)
  for (let i = 0; i < NAME_BYTES; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

function readHex(reader: ByteReader): string {
  const at = reader.skip(NAME_BYTES)
  return hexOf(reader.bytes.subarray(at, at + NAME_BYTES))
}
