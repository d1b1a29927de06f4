/** The types of sessions that need no map of keys. */
import { optionNames } from '../../../crdt/checked-options.ts'
import type { Receipt, WaitOptions } from '../../store/write-road/receipt.ts'

export interface SessionOptions {
  /**
   * So long a call waits until this replica has what the session has seen, ms, from 0 to 300,000.
   * Default 5,000. Then it rejects with `WARP_E_TOKEN_BEHIND`.
   */
  readonly timeoutMs?: number
}

export const SESSION_OPTIONS: readonly string[] = optionNames<SessionOptions>({ timeoutMs: true })
export const SESSION_MS = 5000
export const SESSION_MS_MAX = 300_000
/** Calls of sessions that wait at once. */
export const SESSIONS_WAITING_MAX = 10_000

/** The calls of an engine that sessions have as well. */
export type SessionCall =
  | ('get' | 'getMany' | 'getVersioned')
  | ('set' | 'setMany' | 'delete' | 'touch')
  | ('compareAndSet' | 'tryCompareAndSet' | 'update')
  | ('transaction' | 'tryTransaction')

/** What needs no wait cannot be promised in a session: it is asked of `warp.key`. */
export type Unwaited = 'peek' | 'write' | 'log' | 'getAt' | 'explain' | 'watch' | 'with'

/** What a session has beside the calls of an engine. */
export interface SessionPlace {
  /**
   * What the session has seen so far, as a text of URL characters: hand it to `warp.session` on another
   * replica. It is no secret. Some 12 bytes for each replica whose writes have been seen.
   */
  readonly token: string

  /** Settles when this replica has what the session has seen. Rejects as its calls do. */
  ready(options?: WaitOptions): Promise<void>

  /** Adds what another session has seen. Throws as `warp.session` does. */
  join(token: string): void

  /**
   * Adds what a call beside the session has shown or written: a key, as it is here now (what a
   * watch gave), or the receipt of an eventual write or an invalidation. Throws
   * `WARP_E_CONFIG` for a receipt of no operation that this replica has.
   */
  note(of: string | Pick<Receipt, 'dot'>): void
}
