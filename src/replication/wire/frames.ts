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
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { VectorEntries } from '../../operation/vector-entries.ts'

export const FRAME_VERSION = 1
export const FRAME_KIND = { digest: 1, operations: 2, request: 3, snapshotRequest: 4, snapshotChunk: 5 } as const
export const FRAME_HEADER_BYTES = 14

/** Ranges in one request. What does not fit is asked for by the next one. */
export const REQUEST_RANGES_MAX = 1024
/** Chunks that one snapshot request may ask for. */
export const SNAPSHOT_WINDOW_MAX = 16

export const CHUNK_FLAG = { last: 1, vector: 2, refused: 4 } as const

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

export function malformedFrame(what: string, offset: number): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed frame: ${what}, at byte ${offset}`, { details: { offset } })
}
