/**
 * How a whole state leaves a replica and arrives at another one: in opaque chunks, built by one
 * side and taken in order by the other.
 */
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Meter } from '../operation/budget.ts'

export interface SnapshotExport {
  readonly vector: VersionVector
  /** The next chunk, `undefined` at the end. */
  next(): Uint8Array | undefined
  /** The same in steps: `null` if the step was over before the chunk was there. */
  next(meter: Meter): Uint8Array | undefined | null
  /** No more chunks are wanted. Idempotent; the end of the chunks does the same. */
  close(): void
}

export interface SnapshotImport {
  /** Takes the next chunk, in order. Throws `WARP_E_PROTOCOL`. */
  chunk(bytes: Uint8Array): void
  /**
   * All chunks have come: raises `applied` and `floor`, issues again the own operations that the
   * snapshot does not hold.
   */
  finish(): void
  /** Gives up; the replica stays in need of a resync. */
  abandon(): void
}
