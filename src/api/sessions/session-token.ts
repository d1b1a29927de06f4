/**
 * A session as a short text, for a cookie or a header: bytes in base64 for URLs (RFC 4648 §5).
 *
 *     token  = version:u8 order vector check:u32
 *     order  = count:varint [ log:u32 (partition:varint operations:varint)* ]
 *     vector = count:varint (replica:8 sequence:varint)*
 *
 * `check` is the CRC-32C of what stands before it, against texts that were cut or mistyped on the way. A
 * token is no secret and proves nothing: who makes one up only waits for what never comes.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES, replicaIdFromBytes, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { shownKind } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import { crc32c } from '../../log/segments/crc32c.ts'
import { ByteReader } from '../../operation/byte-reader.ts'
import { PARTITIONS_MAX } from '../../operation/names/ordered-id.ts'
import { fromBase64, toBase64 } from '../../../crdt/encoding/base64.ts'
import { Seen } from './seen.ts'

const VERSION = 1
const CHECK_BYTES = 4
/** What the longest vector takes as text, and some. */
const TOKEN_CHARS_MAX = 131_072
const PAIR_BYTES_MIN = 2

export function encodeToken({ vector, order }: Seen): string {
  const writer = new ByteWriter()
  writer.u8(VERSION)
  const counts = [...(order?.counts ?? [])].sort(([a], [b]) => a - b)
  writer.varint(counts.length)
  if (counts.length > 0) writer.u32(order!.log)
  for (const [partition, count] of counts) {
    writer.varint(partition)
    writer.varint(count)
  }
  writer.varint(vector.size)
  for (const [replica, sequence] of vector.sorted()) {
    writeId(writer, replica)
    writer.varint(sequence)
  }
  writer.u32(crc32c(writer.bytes, 0, writer.at))
  return toBase64(writer.take()).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Throws `WARP_E_CONFIG` for what is no text, `WARP_E_LIMIT`, and `WARP_E_PROTOCOL`. */
export function decodeToken(token: unknown): Seen {
  if (typeof token !== 'string') {
    throw new WarpError(
      'WARP_E_CONFIG',
      `session: the token is ${shownKind(token)}; give what session.token was, or leave it out for a new session`,
    )
  }
  if (token.length > TOKEN_CHARS_MAX) {
    throw new WarpError(
      'WARP_E_LIMIT',
      `session: a token of ${token.length} characters, and ${TOKEN_CHARS_MAX} are the most; begin a new session`,
      { details: { length: token.length, limit: TOKEN_CHARS_MAX } },
    )
  }
  const bytes = bytesOf(token)
  const end = bytes.length - CHECK_BYTES
  if (end < 1 || new ByteReader(bytes, end).u32() !== crc32c(bytes, 0, end)) throw malformed()
  const reader = new ByteReader(bytes, 0, end)
  const version = reader.u8()
  if (version !== VERSION) throw laterVersion(version)
  try {
    return read(reader)
  } catch (error) {
    throw malformed(error)
  }
}

function read(reader: ByteReader): Seen {
  const seen = new Seen()
  const partitions = reader.count(PARTITIONS_MAX, PAIR_BYTES_MIN)
  const log = partitions === 0 ? 0 : reader.u32()
  for (let left = partitions; left > 0; left--) {
    const partition = reader.varint()
    if (partition >= PARTITIONS_MAX) throw reader.malformed(`a partition ${partition}`)
    seen.sawOrdered(log, partition, reader.varint())
  }
  for (let left = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES + 1); left > 0; left--) {
    const at = reader.skip(REPLICA_ID_BYTES)
    seen.saw(replicaIdFromBytes(reader.bytes.subarray(at, at + REPLICA_ID_BYTES)), reader.varint())
  }
  if (!reader.isAtEnd) throw reader.malformed('more than a token')
  return seen
}

/** Ids of strangers have no place in the engine's table of ids. */
function writeId(writer: ByteWriter, replica: ReplicaId): void {
  for (let i = 0; i < replica.length; i += 2) writer.u8(Number.parseInt(replica.slice(i, i + 2), 16))
}

function bytesOf(token: string): Uint8Array {
  try {
    const padded = token.replaceAll('-', '+').replaceAll('_', '/')
    return fromBase64(padded + '='.repeat((4 - (padded.length % 4)) % 4))
  } catch (error) {
    throw malformed(error)
  }
}

function malformed(cause?: unknown): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    'session: the token is malformed, or was cut on the way; give what session.token was, or begin a new session',
    { cause },
  )
}

function laterVersion(version: number): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    `session: the token is of version ${version}, and this build reads ${VERSION}; it was made by a newer build: ` +
      'upgrade this replica, or begin a new session',
    { details: { version } },
  )
}
