/**
 * The envelope: one operation as bytes, the same in the log, on the wire and in exports. Written once by its writer, then
 * only copied. Layout (big endian; see docs/wire-format.md for vectors):
 *
 *     envelope   = version:u8 kind:u8 strategy:u8 flags:u8 replica:8 sequence:varint hlc:u64
 *                  keyBytes:varint key:utf8
 *                  [ context ]       flag 1: what the writer had seen of this key, itself left out
 *                  [ dependencies ]  flag 2: entries of the writer's version vector changed since its previous operation
 *                  [ extension ]     flag 4: bytes:varint field*; kept and forwarded by those who do not know a field
 *                  payload           the rest
 *     vector     = count:varint (replica:8 sequence:varint)*
 *     field      = tag:u8 bytes:varint body    tag 1: the dots under which the operation was issued before, (replica:8 sequence:varint)*
 *
 * A kind that is not known is kept, forwarded and blocks only its own key. Another version is refused, and so is another flag,
 * because what it stands for would be taken for payload: additions that old readers may ignore go into the extension.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { REPLICA_ID_BYTES } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'
import {
  ENVELOPE_BYTES_MIN,
  ENVELOPE_VERSION,
  FIELD_FORMER,
  FLAG_CONTEXT,
  FLAG_DEPENDENCIES,
  FLAG_EXTENSION,
} from './format.ts'
import type { ReplicaTable } from './replica-table.ts'
import { writeEntries, writeVector, type VectorEntries } from './vector-entries.ts'

export interface EnvelopeHeader {
  readonly kind: number
  readonly strategy: number
  readonly replicaBytes: Uint8Array
  readonly sequence: number
  readonly hlc: Hlc
  /** Well formed, within the limit. */
  readonly key: string
  /** Without the writer itself; `undefined` or empty when nobody else wrote this key. */
  readonly context: VectorEntries | undefined
  readonly dependencies: VectorEntries | undefined
  /** Dots under which the same operation was issued before, oldest first. */
  readonly former?: VectorEntries | undefined
}

/** Writes everything but the payload, which the caller appends. */
export function writeEnvelopeHeader(writer: ByteWriter, header: EnvelopeHeader, table: ReplicaTable): void {
  const { context, dependencies, former, replicaBytes, hlc } = header
  const hasContext = isSome(context)
  const hasDependencies = isSome(dependencies)
  const hasFormer = isSome(former)
  if (hasContext) checkVector(context, 'the causal context')
  if (hasDependencies) checkVector(dependencies, 'the dependencies')
  writer.ensure(ENVELOPE_BYTES_MIN)
  const { bytes, at } = writer
  bytes[at] = ENVELOPE_VERSION
  bytes[at + 1] = header.kind
  bytes[at + 2] = header.strategy
  bytes[at + 3] =
    (hasContext ? FLAG_CONTEXT : 0) | (hasDependencies ? FLAG_DEPENDENCIES : 0) | (hasFormer ? FLAG_EXTENSION : 0)
  for (let i = 0; i < REPLICA_ID_BYTES; i++) bytes[at + 4 + i] = replicaBytes[i]!
  writer.at = at + 4 + REPLICA_ID_BYTES
  writer.varint(header.sequence)
  writer.u64(hlc)
  writer.text(header.key)
  if (hasContext) writeVector(writer, context, table)
  if (hasDependencies) writeVector(writer, dependencies, table)
  if (hasFormer) writeFormer(writer, former, table)
}

function isSome(entries: VectorEntries | undefined): entries is VectorEntries {
  return entries !== undefined && entries.length > 0
}

function writeFormer(writer: ByteWriter, former: VectorEntries, table: ReplicaTable): void {
  const body = new ByteWriter()
  writeEntries(body, former, table)
  const field = new ByteWriter()
  field.u8(FIELD_FORMER)
  field.varint(body.at)
  field.raw(body.take())
  writer.varint(field.at)
  writer.raw(field.take())
}

/** What the reader would refuse must not be written. */
function checkVector(entries: VectorEntries, name: string): void {
  if (entries.length <= VECTOR_ENTRIES_MAX) return
  throw new WarpError(
    'WARP_E_LIMIT',
    `${name} of an operation would name ${entries.length} replicas; the limit is ${VECTOR_ENTRIES_MAX}; let fewer replicas write`,
    { details: { entries: entries.length, limit: VECTOR_ENTRIES_MAX } },
  )
}
