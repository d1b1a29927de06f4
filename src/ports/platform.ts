import type { Env } from './env.ts'

/** Something through which an open engine is asked from outside. */
export interface Door {
  /** Lets nobody in any more; ends what is being answered. */
  close(): Promise<void>
}

/** What the platform provides where the caller does not. */
export interface Platform {
  readonly env: Env
  /** Size of the log's segments. Default: the log's. */
  readonly segmentBytes?: number
  /**
   * Lets others ask the engine from outside the process. Called when the engine is open; closed
   * before it.
   */
  readonly openDoor?: (warp: unknown) => Promise<Door>
  /**
   * The highest format that this build reads and writes, to be pretended in tests of mixed
   * versions. Default: its own.
   */
  readonly format?: number
}
