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
  /** The same in steps: a chunk may hold thousands of keys. `bytes` must not change meanwhile. */
  chunkSteps(bytes: Uint8Array, meter: Meter): Generator<void, void>
  /**
   * All chunks have come: the state takes the place of the present one, which stays what it was
   * until the last step. Throws `WARP_E_PROTOCOL`, `WARP_E_STORAGE_FULL`, and then nothing has
   * changed.
   */
  steps(meter: Meter): Generator<void, void>
  /** The same in one go. */
  finish(): void
  /** Gives up; the replica stays in need of a resync. Idempotent. */
  abandon(): void
}
