/**
 * Takes over what an export of format 1 holds. That format was never released; nothing else of it
 * is read. Its envelope is one of format 2 but for its first byte. Its snapshot record has no
 * version, and a byte that says whether the key exists where flags stand now.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import { REPLICA_ID_BYTES } from '../../crdt/time/replica-id.ts'
import { readVector, writeSnapshot, type KeySnapshot } from '../merge/snapshot-record.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import { FORMAT_VERSION } from '../operation/envelope/format.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'

/** The envelope of an operation of format `version`, in the present one. May change `bytes`. */
export function presentOperation(bytes: Uint8Array, version: number): Uint8Array {
  if (version === 1 && bytes[0] === 1) bytes[0] = FORMAT_VERSION
  return bytes
}

/**
 * The body of a snapshot record of format `version`, in the present one. Throws `WARP_E_PROTOCOL`.
 */
export function presentSnapshot(bytes: Uint8Array, version: number, table: ReplicaTable): Uint8Array {
  if (version !== 1) return bytes
  const writer = new ByteWriter(bytes.length + 16)
  writeSnapshot(writer, readSnapshot1(bytes, table), table)
  return writer.take()
}

function readSnapshot1(bytes: Uint8Array, table: ReplicaTable): KeySnapshot {
  const reader = new ByteReader(bytes)
  const [key, strategy, present] = [reader.text(), reader.u8(), reader.u8() === 1]
  const [through, baseVersion, version, hlc] = [reader.f64(), reader.varint(), reader.varint(), reader.f64()]
  const replica = table.read(bytes, reader.skip(REPLICA_ID_BYTES))
  const [sequence, vector] = [reader.varint(), readVector(reader, table)]
  const tip = { hlc, replica, sequence, lifeMs: 0 }
  return { key, strategy, present, through, baseVersion, version, ...tip, vector, state: decode(bytes, reader.at) }
}
