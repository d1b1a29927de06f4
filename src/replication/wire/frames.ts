/**
 * The frames that replicas exchange. Big endian; numbers are LEB128 varints below 2^53.
 *
 *     frame            = version:u8 kind:u8 sender:8 session:u32 body
 *     digest           = 1: flags:u8 applied:vector floor:vector stable:vector heard:ids retired:ends rest
 *     operations       = 2: flags:u8 number:varint (bytes:varint envelope)*
 *     request          = 3: number:varint count:varint (replica:8 from:varint to:varint)*
 *     snapshot-request = 4: transfer:u32 acknowledged:varint from:varint count:varint
 *     snapshot-chunk   = 5: flags:u8 transfer:u32 offer:u32 index:varint [ vector ] length:varint bytes
 *     vector           = count:varint (replica:8 sequence:varint)*      ascending by replica, sequences from 1
 *     ids              = count:varint (replica:8)*
 *     ends             = count:varint (replica:8 sequence:varint)*      as a vector, sequences from 0
 *
 * `session` is drawn anew each time that a replica starts, so that a restart is noticed. The `rest` of a digest belongs to
 * later versions; kinds that are not known are counted and left alone. Anything else out of place is `WARP_E_PROTOCOL`, with the
 * offset and never the content: the frame is dropped, the replica goes on. Every count is checked against the bytes
 * that are there before anything is allocated for it. Test vectors: docs/wire-format.md.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { BATCH_OPERATIONS_MAX, FRAME_BYTES_MAX, VECTOR_ENTRIES_MAX } from '../../limits.ts'
import { ByteReader } from '../../operation/byte-reader.ts'
import { ReplicaTable } from '../../operation/replica-table.ts'
import { writeVector, type VectorEntries } from '../../operation/vector-entries.ts'

export const FRAME_VERSION = 1
export const FRAME_KIND = { digest: 1, operations: 2, request: 3, snapshotRequest: 4, snapshotChunk: 5 } as const
export const FRAME_HEADER_BYTES = 14

/** Ranges in one request. What does not fit is asked for by the next one. */
export const REQUEST_RANGES_MAX = 1024
/** Chunks that one snapshot request may ask for. */
export const SNAPSHOT_WINDOW_MAX = 16

const DIGEST_REPLY = 1
const OPERATIONS_END = 1
const CHUNK_LAST = 1
const CHUNK_VECTOR = 2
const CHUNK_REFUSED = 4

/** Ids that a decoder interns before it starts afresh: what peers can make us remember has a bound. */
const INTERNED_IDS_MAX = 65_536

export interface Sender {
  readonly replica: ReplicaId
  readonly session: number
}

/** What the sender has applied, compacted and knows to be stable, which replicas it hears, and which ids have come to an end. */
export interface Digest {
  /** In reply to a digest; not replied to. */
  readonly reply: boolean
  readonly applied: VersionVector
  readonly floor: VersionVector
  /** Acknowledged by all members that the sender knows. Nobody compacts what any member has not announced here. */
  readonly stable: VersionVector
  /** Replicas that have perhaps written nothing, but read, and therefore count for stability. */
  readonly heard: readonly ReplicaId[]
  /** Ids that have come to an end, ascending, and the last sequence of each that counts (see src/operation/retired-ids.ts). */
  readonly retired: VectorEntries
}

/** Operations `from` to `to`, both included, of one replica. */
export interface OperationRange {
  readonly replica: ReplicaId
  readonly from: number
  readonly to: number
}

export interface SnapshotRequest {
  /** Chosen by the asking replica, another one for each transfer. */
  readonly transfer: number
  /** Chunks before this one have arrived and may be forgotten. */
  readonly acknowledged: number
  /** The first chunk wanted, and how many. */
  readonly from: number
  readonly count: number
}

export interface SnapshotChunk {
  readonly transfer: number
  /** Goes up with each snapshot that the sender makes: chunks of two of them are not parts of one. */
  readonly offer: number
  readonly index: number
  readonly last: boolean
  /** There is no such transfer (any more), or too many of them; ask again later with a new one. */
  readonly refused: boolean
  /** With index 0: what the snapshot holds. */
  readonly vector: VersionVector | undefined
  readonly bytes: Uint8Array
}

export interface OperationsFrame {
  readonly kind: 'operations'
  readonly sender: Sender
  /** The request that this answers; 0 when it was sent unasked. */
  readonly number: number
  /** Nothing more comes in answer to that request. */
  readonly end: boolean
  readonly bytes: Uint8Array
  /** Start and end of each envelope in `bytes`, in turn. */
  readonly bounds: readonly number[]
}

export type Frame =
  | ({ readonly kind: 'digest'; readonly sender: Sender } & Digest)
  | OperationsFrame
  | {
      readonly kind: 'request'
      readonly sender: Sender
      readonly number: number
      readonly ranges: readonly OperationRange[]
    }
  | ({ readonly kind: 'snapshot-request'; readonly sender: Sender } & SnapshotRequest)
  | ({ readonly kind: 'snapshot-chunk'; readonly sender: Sender } & SnapshotChunk)
  | { readonly kind: 'unknown'; readonly sender: Sender; readonly code: number }

/** Encodes frames of one sender. Each call returns a view that is valid until the next one. */
export class FrameEncoder {
  readonly #writer = new ByteWriter(1024)
  readonly #table: ReplicaTable
  readonly #sender: () => Sender

  constructor(table: ReplicaTable, sender: () => Sender) {
    this.#table = table
    this.#sender = sender
  }

  digest(digest: Digest): Uint8Array {
    const writer = this.#begin(FRAME_KIND.digest)
    writer.u8(digest.reply ? DIGEST_REPLY : 0)
    writeVector(writer, digest.applied.sorted(), this.#table)
    writeVector(writer, digest.floor.sorted(), this.#table)
    writeVector(writer, digest.stable.sorted(), this.#table)
    writer.varint(digest.heard.length)
    for (const replica of digest.heard) writer.raw(this.#table.bytes(replica))
    writeVector(writer, digest.retired, this.#table)
    return this.#finish()
  }

  request(number: number, ranges: readonly OperationRange[]): Uint8Array {
    const writer = this.#begin(FRAME_KIND.request)
    writer.varint(number)
    writer.varint(ranges.length)
    for (const range of ranges) {
      writer.raw(this.#table.bytes(range.replica))
      writer.varint(range.from)
      writer.varint(range.to)
    }
    return this.#finish()
  }

  snapshotRequest(request: SnapshotRequest): Uint8Array {
    const writer = this.#begin(FRAME_KIND.snapshotRequest)
    writer.u32(request.transfer)
    writer.varint(request.acknowledged)
    writer.varint(request.from)
    writer.varint(request.count)
    return this.#finish()
  }

  snapshotChunk(chunk: SnapshotChunk): Uint8Array {
    const writer = this.#begin(FRAME_KIND.snapshotChunk)
    const withVector = chunk.vector === undefined ? 0 : CHUNK_VECTOR
    writer.u8((chunk.last ? CHUNK_LAST : 0) | withVector | (chunk.refused ? CHUNK_REFUSED : 0))
    writer.u32(chunk.transfer)
    writer.u32(chunk.offer)
    writer.varint(chunk.index)
    if (chunk.vector !== undefined) writeVector(writer, chunk.vector.sorted(), this.#table)
    // A frame that was cut short would otherwise be a shorter chunk, and the snapshot lack something.
    writer.varint(chunk.bytes.length)
    writer.raw(chunk.bytes)
    return this.#finish()
  }

  #begin(kind: number): ByteWriter {
    this.#writer.reset()
    writeFrameHeader(this.#writer, kind, this.#sender(), this.#table)
    return this.#writer
  }

  #finish(): Uint8Array {
    return this.#writer.bytes.subarray(0, this.#writer.at)
  }
}

function writeFrameHeader(writer: ByteWriter, kind: number, sender: Sender, table: ReplicaTable): void {
  writer.u8(FRAME_VERSION)
  writer.u8(kind)
  writer.raw(table.bytes(sender.replica))
  writer.u32(sender.session)
}

/** One frame of operations that is being filled. */
export class OperationsBatch {
  readonly #writer = new ByteWriter(1024)
  readonly #table: ReplicaTable
  #count = 0

  constructor(table: ReplicaTable) {
    this.#table = table
  }

  get count(): number {
    return this.#count
  }

  get bytesCount(): number {
    return this.#writer.at
  }

  begin(sender: Sender, number: number): void {
    this.#writer.reset()
    this.#count = 0
    writeFrameHeader(this.#writer, FRAME_KIND.operations, sender, this.#table)
    this.#writer.u8(0)
    this.#writer.varint(number)
  }

  /** Whether one more envelope of that size fits into a frame of `frameBytesMax`. */
  fits(envelopeBytes: number, frameBytesMax: number): boolean {
    return this.#count < BATCH_OPERATIONS_MAX && this.#writer.at + envelopeBytes + 8 <= frameBytesMax
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    this.#writer.varint(end - start)
    this.#writer.raw(bytes, start, end)
    this.#count++
  }

  /** The frame: a view that is valid until the next `begin`. */
  finish(end: boolean): Uint8Array {
    this.#writer.bytes[FRAME_HEADER_BYTES] = end ? OPERATIONS_END : 0
    return this.#writer.bytes.subarray(0, this.#writer.at)
  }
}

/** Decodes frames. Throws `WARP_E_PROTOCOL`. */
export class FrameDecoder {
  #table = new ReplicaTable()
  #internedCount = 0

  decode(bytes: Uint8Array): Frame {
    if (bytes.length > FRAME_BYTES_MAX) {
      throw malformedFrame(`${bytes.length} bytes exceed the ${FRAME_BYTES_MAX} that a frame may have`, 0)
    }
    if (bytes.length < FRAME_HEADER_BYTES) throw malformedFrame('too short for a header', bytes.length)
    if (bytes[0] !== FRAME_VERSION) {
      throw malformedFrame(`frame version ${bytes[0]}; this build reads ${FRAME_VERSION}; upgrade the older replica`, 0)
    }
    const reader = new ByteReader(bytes)
    reader.skip(2)
    const sender: Sender = { replica: this.#replica(reader), session: reader.u32() }
    return this.#body(bytes[1] ?? 0, sender, reader)
  }

  #body(code: number, sender: Sender, reader: ByteReader): Frame {
    switch (code) {
      case FRAME_KIND.digest:
        return { kind: 'digest', sender, ...this.#digest(reader) }
      case FRAME_KIND.operations:
        return decodeOperations(sender, reader)
      case FRAME_KIND.request:
        return { kind: 'request', sender, ...this.#request(reader) }
      case FRAME_KIND.snapshotRequest:
        return { kind: 'snapshot-request', sender, ...decodeSnapshotRequest(reader) }
      case FRAME_KIND.snapshotChunk:
        return { kind: 'snapshot-chunk', sender, ...this.#snapshotChunk(reader) }
      default:
        return { kind: 'unknown', sender, code }
    }
  }

  #digest(reader: ByteReader): Digest {
    const flags = reader.u8()
    const applied = this.#vector(reader)
    const floor = this.#vector(reader)
    const stable = this.#vector(reader)
    const count = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES)
    const heard: ReplicaId[] = []
    for (let i = 0; i < count; i++) heard.push(this.#replica(reader))
    const retired = this.#entries(reader, 0)
    return { reply: (flags & DIGEST_REPLY) !== 0, applied, floor, stable, heard, retired }
  }

  #request(reader: ByteReader): { number: number; ranges: OperationRange[] } {
    const number = reader.varint()
    const count = reader.count(REQUEST_RANGES_MAX, REPLICA_ID_BYTES + 2)
    const ranges: OperationRange[] = []
    for (let i = 0; i < count; i++) {
      const range = { replica: this.#replica(reader), from: reader.varint(), to: reader.varint() }
      if (range.from < 1 || range.to < range.from) throw reader.malformed('a range that is no range')
      ranges.push(range)
    }
    reader.mustBeAtEnd()
    return { number, ranges }
  }

  #snapshotChunk(reader: ByteReader): SnapshotChunk {
    const flags = reader.u8()
    const [transfer, offer, index] = [reader.u32(), reader.u32(), reader.varint()]
    const vector = (flags & CHUNK_VECTOR) === 0 ? undefined : this.#vector(reader)
    if (index === 0 && vector === undefined && (flags & CHUNK_REFUSED) === 0) {
      throw reader.malformed('a first chunk without its vector')
    }
    const length = reader.varint()
    const at = reader.skip(length)
    reader.mustBeAtEnd()
    const [last, refused] = [(flags & CHUNK_LAST) !== 0, (flags & CHUNK_REFUSED) !== 0]
    return { transfer, offer, index, last, refused, vector, bytes: reader.bytes.subarray(at, at + length) }
  }

  #vector(reader: ByteReader): VersionVector {
    return VersionVector.from(this.#entries(reader, 1))
  }

  #entries(reader: ByteReader, sequenceMin: number): VectorEntries {
    const count = reader.count(VECTOR_ENTRIES_MAX, REPLICA_ID_BYTES + 1)
    const entries: (readonly [ReplicaId, number])[] = []
    let previous = ''
    for (let i = 0; i < count; i++) {
      const replica = this.#replica(reader)
      const sequence = reader.varint()
      if (replica <= previous || sequence < sequenceMin) throw reader.malformed('a vector out of order')
      entries.push([replica, sequence])
      previous = replica
    }
    return entries
  }

  #replica(reader: ByteReader): ReplicaId {
    const at = reader.skip(REPLICA_ID_BYTES)
    if (++this.#internedCount > INTERNED_IDS_MAX) {
      this.#table = new ReplicaTable()
      this.#internedCount = 0
    }
    return this.#table.read(reader.bytes, at)
  }
}

function decodeOperations(sender: Sender, reader: ByteReader): OperationsFrame {
  const flags = reader.u8()
  const number = reader.varint()
  const bounds: number[] = []
  while (!reader.isAtEnd) {
    if (bounds.length === BATCH_OPERATIONS_MAX * 2) {
      throw reader.malformed(`more than ${BATCH_OPERATIONS_MAX} operations in one batch`)
    }
    const length = reader.varint()
    const start = reader.skip(length)
    bounds.push(start, start + length)
  }
  return { kind: 'operations', sender, number, end: (flags & OPERATIONS_END) !== 0, bytes: reader.bytes, bounds }
}

function decodeSnapshotRequest(reader: ByteReader): SnapshotRequest {
  const transfer = reader.u32()
  const body = { transfer, acknowledged: reader.varint(), from: reader.varint(), count: reader.varint() }
  if (body.count < 1 || body.count > SNAPSHOT_WINDOW_MAX) throw reader.malformed(`a window of ${body.count} chunks`)
  const ahead = body.from - body.acknowledged
  if (ahead < 0 || ahead >= SNAPSHOT_WINDOW_MAX) throw reader.malformed('a chunk outside the window')
  reader.mustBeAtEnd()
  return body
}

function malformedFrame(what: string, offset: number): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed frame: ${what}, at byte ${offset}`, { details: { offset } })
}
