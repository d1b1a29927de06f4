/**
 * What the engine does for itself when there has been enough to do: checkpoints, which make opening
 * short, and compaction, which keeps the log small. Both only ever save space and time. What fails
 * is reported, tried again when there is more to do, and keeps nobody from working.
 */
import { asError } from '../../crdt/warp-error.ts'
import { CheckpointEnds } from './checkpoint-ends.ts'
import type { Env, Timer } from '../ports/env.ts'
import type { Log } from '../log/log.ts'
import type { EngineEvent } from '../store/event.ts'

/** A checkpoint is worth writing after this many records. */
const CHECKPOINT_RECORDS = 100_000
/**
 * Compaction runs by itself when there have been so many operations, and as many as there are keys,
 * in keyspaces that do not retain all.
 */
const COMPACTION_OPERATIONS_MIN = 4096
const COMPACTION_DELAY_MS = 100
/**
 * And when so many have just been sent to somebody who takes over the state, so much later. What is
 * not folded is sent to each newcomer anew, with the names of all who wrote before.
 */
const COMPACTION_SENT_MIN = 128
const COMPACTION_SENT_DELAY_MS = 1000

export interface MaintenanceOptions {
  readonly env: Env
  readonly log: Log
  readonly compact: () => Promise<unknown>
  readonly checkpoint: () => Promise<void>
  readonly observe: (event: EngineEvent) => void
}

export class Maintenance {
  readonly #options: MaintenanceOptions
  /** The checkpoints that are kept. */
  readonly checkpoints: CheckpointEnds
  #recordsCount = 0
  /** When compaction runs next, by the monotonic clock. */
  #compactionAtMs = Infinity
  #timer: Timer | undefined
  #isCheckpointing = false
  #isClosed = false

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.checkpoints = new CheckpointEnds(options.log.recovery.created)
  }

  /** Whether there is something that the last checkpoint does not know. */
  get isCheckpointDue(): boolean {
    return this.#options.log.persistent && this.#recordsCount > 0
  }

  /**
   * A checkpoint of all that is there is going to be written. Returns what to call when it has
   * been.
   */
  beginCheckpoint(): () => void {
    this.#recordsCount = 0
    return this.checkpoints.begin(this.#options.log.end)
  }

  /** So many operations may be folded now, of so many keys. */
  noteFoldable(operationsCount: number, keysCount = 0): void {
    if (operationsCount >= Math.max(COMPACTION_OPERATIONS_MIN, keysCount)) this.compactIn(COMPACTION_DELAY_MS)
  }

  /** A state is sent, with so many operations that may be folded now or soon. */
  noteSent(operationsCount: number): void {
    if (operationsCount >= COMPACTION_SENT_MIN) this.compactIn(COMPACTION_SENT_DELAY_MS)
  }

  /** There is one record more. */
  noteRecord(): void {
    if (++this.#recordsCount >= CHECKPOINT_RECORDS && this.#options.log.persistent) this.#checkpointSoon()
  }

  /** Runs compaction after so long, if it does not run before that anyway. */
  compactIn(delayMs: number): void {
    const { env, compact } = this.#options
    const atMs = env.monotonic() + delayMs
    if (this.#compactionAtMs <= atMs) return
    this.#compactionAtMs = atMs
    this.#timer?.cancel()
    this.#timer = env.schedule(delayMs, () => {
      this.#compactionAtMs = Infinity
      compact().catch((error: unknown) => this.#failed(error))
    })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #checkpointSoon(): void {
    if (this.#isCheckpointing) return
    this.#isCheckpointing = true
    this.#options
      .checkpoint()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => (this.#isCheckpointing = false))
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return
    this.#options.observe({
      kind: 'maintenance:failed',
      error: asError(error),
    })
  }
}
