/**
 * The envelope: one operation as bytes, the same in the log, on the wire and in exports. Written
 * once by its writer, then only copied. Layout (big endian; see docs/wire-format.md for vectors):
 *
 *     envelope   = version:u8 kind:u8 strategy:u8 flags:u8 replica:8 sequence:varint hlc:u64
 *                  keyBytes:varint key:utf8
 *                  [ context ]       flag 1: what the writer had seen of this key, per replica
 *                  [ dots ]          flag 16: single operations beyond the context that the writer had seen as well
 *                  [ dependencies ]  flag 2: entries of the writer's version vector changed since its previous operation
 *                  [ fields ]        flag 4: bytes:varint field*
 *                  payload           the rest
 *     vector     = count:varint (replica:8 sequence:varint)*       also of dots
 *     field      = tag:u8 bytes:varint body                        tags: `FIELD` in format.ts
 *
 * The writer has seen all its own earlier operations, and the context does not say so. With flag 8
 * the context is *exact*: what it does not name, of the writer's own too, had not been seen. A
 * member that writes for others needs that.
 *
 * A kind that is not known is kept, forwarded and blocks only its own key. Another version is
 * refused, and so is another flag, because what it stands for would be taken for payload: additions
 * go into the fields.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { Hlc } from '../../../crdt/time/hlc.ts'
import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import { ENVELOPE_BYTES_MIN, FLAG } from './format.ts'
import { writeFields, type OperationFields } from './operation-fields.ts'
import type { ReplicaTable } from '../replica-table.ts'
import { writeVector, type VectorEntries } from './vector-entries.ts'

export interface EnvelopeHeader {
  readonly kind: number
  readonly strategy: number
  readonly replicaBytes: Uint8Array
  readonly sequence: number
  readonly hlc: Hlc
  /** Well formed, within the limit. */
  readonly key: string
  /**
   * Without the writer itself, unless it is exact; `undefined` or empty when nobody else wrote this
   * key.
   */
  readonly context: VectorEntries | undefined
  readonly dependencies: VectorEntries | undefined
  /** What the context does not name had not been seen, of the writer's own either. */
  readonly isExact?: boolean | undefined
  /** Operations beyond the context that had been seen as well, as dots. */
  readonly dots?: VectorEntries | undefined
  readonly fields?: OperationFields | undefined
  /** Default: the one that is written now. */
  readonly format?: number
}

/** Writes everything but the payload, which the caller appends. */
export function writeEnvelopeHeader(writer: ByteWriter, header: EnvelopeHeader, table: ReplicaTable): void {
  const { context, dependencies, dots, fields, replicaBytes, hlc } = header
  const hasContext = isSome(context)
  const hasDependencies = isSome(dependencies)
  const hasDots = isSome(dots)
  if (hasContext) checkVector(context, 'the causal context')
  if (hasDots) checkVector(dots, 'the dots beyond the causal context')
  if (hasDependencies) checkVector(dependencies, 'the dependencies')
  writer.ensure(ENVELOPE_BYTES_MIN)
  const { bytes, at } = writer
  bytes[at] = header.format ?? table.formats.forWriting()
  bytes[at + 1] = header.kind
  bytes[at + 2] = header.strategy
  bytes[at + 3] = flagsOf(header)
  for (let i = 0; i < REPLICA_ID_BYTES; i++) bytes[at + 4 + i] = replicaBytes[i]!
  writer.at = at + 4 + REPLICA_ID_BYTES
  writer.varint(header.sequence)
  writer.u64(hlc)
  writer.text(header.key)
  if (hasContext) writeVector(writer, context, table)
  if (hasDots) writeVector(writer, dots, table)
  if (hasDependencies) writeVector(writer, dependencies, table)
  if (fields !== undefined) writeFields(writer, fields, table)
}

function flagsOf({ context, dependencies, dots, fields, isExact }: EnvelopeHeader): number {
  return (
    (isSome(context) ? FLAG.context : 0) |
    (isSome(dependencies) ? FLAG.dependencies : 0) |
    (fields === undefined ? 0 : FLAG.fields) |
    (isExact === true ? FLAG.exact : 0) |
    (isSome(dots) ? FLAG.dots : 0)
  )
}

function isSome(entries: VectorEntries | undefined): entries is VectorEntries {
  return entries !== undefined && entries.length > 0
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
