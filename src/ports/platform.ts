import type { Env } from './env.ts'

/** Something through which an open engine is asked from outside. */
export interface Door {
  /** Lets nobody in any more; ends what is being answered. */
  close(): Promise<void>
}

/** Memory for the segments of a log. */
export interface LogMemory {
  /**
   * So many bytes. Best outside of what the JavaScript engine counts: it collects its whole heap
   * after each few megabytes of counted bytes.
   */
  allocate(bytes: number): Uint8Array
  /** Told of bytes that nobody may look at any more and that will be used again. */
  freed?(bytes: Uint8Array): void
}

/** What the platform provides where the caller does not. */
export interface Platform {
  readonly env: Env
  /** Tells people what no observer can be told. Default: nobody is told. */
  readonly warn?: (message: string) => void
  /** Size of the log's segments. Default: the log's. */
  readonly segmentBytes?: number
  /** Default: ordinary buffers. */
  readonly memory?: LogMemory
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
