import type { Env } from './env.ts'

/** What the platform provides where the caller does not. */
export interface Platform {
  readonly env: Env
  /** Size of the log's segments. Default: the log's. */
  readonly segmentBytes?: number
}
