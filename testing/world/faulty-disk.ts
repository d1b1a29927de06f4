/** What the disk in RAM that behaves badly can be told; how it behaves is in `faulty-files.ts`. */
import type { LogFiles, LogStore } from '../../src/ports/files.ts'

export type FaultCode = 'EIO' | 'ENOSPC' | 'EDQUOT'
export type FaultyCall =
  'write' | 'reserve' | 'truncate' | 'sync' | 'create' | 'rename' | 'remove' | 'syncNames' | 'read' | 'open'

export interface FaultyFilesOptions {
  readonly seed?: number | string
  /**
   * Bytes of all files together that fit; growing beyond fails with ENOSPC after writing what fits.
   * Default: no limit.
   */
  readonly spaceBytes?: number
  /** `true`: flushes wait for `releaseSyncs`. Default `false`. */
  readonly holdSyncs?: boolean
  /** `false` makes crashes keep or lose whole sectors. Default `true`. */
  readonly tornSectors?: boolean
  /** See `LogFiles.home`. Default `'faulty-disk'`. */
  readonly home?: string
}

export interface FaultyFiles extends LogFiles {
  readonly bootId: string
  /** Steps taken so far. */
  readonly steps: number
  /** The calls that were steps, in order; `journal[n]` is step n. */
  readonly journal: readonly FaultyCall[]
  /** How often each fault has really occurred, so that a test can show that it tested something. */
  readonly occurred: ReadonlyMap<string, number>
  /** Bytes that fit; may be changed at any time. */
  spaceBytes: number
  holdSyncs: boolean
  /** How long a flush takes: it ends when this promise does. Default: at once. */
  flushing: (() => Promise<void>) | undefined
  /** Told of each step before it is taken. */
  onStep: ((call: FaultyCall) => void) | undefined
  /** Flushes that wait, when `holdSyncs` is on. */
  readonly heldSyncCount: number
  /**
   * Lets the oldest `count` held flushes end, well or with an error. Default: all of them, well.
   */
  releaseSyncs(options?: { readonly count?: number; readonly code?: FaultCode }): void
  /**
   * The step with this number (from 0) fails and changes nothing, save that a failing flush leaves
   * everything undecided.
   */
  failStep(step: number, code: FaultCode): void
  /** The next `count` calls of this kind fail. Default 1. */
  failNext(call: FaultyCall, code: FaultCode, count?: number): void
  /** What was to fail next does not. */
  mend(): void
  /**
   * The machine dies in the step with this number (from 0): it and everything after it throw
   * `ECRASHED`.
   */
  crashAtStep(step: number): void
  /** Whether the machine has died. */
  readonly crashed: boolean
  /** Power failure. */
  crash(): FaultyFiles
  /** Death of the process alone: nothing written is lost, and what was not flushed still is not. */
  kill(): FaultyFiles
  /**
   * Another disk with what a reader sees on this one, all of it flushed: a backup, or a copied
   * folder.
   */
  copy(home: string): FaultyFiles
  /** Rot, overwriting and lost blocks: replaces a file's bytes, on the platter and in the cache. */
  edit(name: string, change: (bytes: Uint8Array) => Uint8Array): void
  flipBit(name: string, bit: number): void
  /** A copy of what a reader would see. */
  bytes(name: string): Uint8Array
  /** For `openWarp({ log })` and the log's own `open`. */
  store(): LogStore
}
