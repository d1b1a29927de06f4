/**
 * Changes as JSON, for consumers of `/watch`. Values are tagged as on the command line
 * (`{"$bigint":"12"}`), since JSON has no bigint, bytes, dates or sets.
 */
import { errorJson, type ErrorJson } from '../../src/control/error-json.ts'
import { toJson, type Json } from '../../src/control/tagged-json.ts'
import type { Change } from '../../src/index.ts'

export type WatchMessage =
  /** The watch runs: nothing is missed from `cursor` on. */
  | { readonly kind: 'open'; readonly cursor: string }
  /** `value` is absent if the key is gone. `error` stands in its place if it cannot be shown. */
  | {
      readonly kind: 'value'
      readonly key: string
      readonly value?: Json
      readonly error?: ErrorJson
      readonly version: number
      readonly cursor: string
    }
  | {
      readonly kind: 'expired'
      readonly key: string
      readonly version: number
      readonly expiredAtMs: number
      readonly cursor: string
    }
  /** The consumer was too slow, or away for too long. `missedCount` is `null` if it is not known. */
  | { readonly kind: 'gap'; readonly missedCount: number | null; readonly cursor: string }
  /** The last message: the server goes down (`WARP_E_CLOSED`), or the log cannot be read. */
  | { readonly kind: 'error'; readonly error: ErrorJson }

export function messageOf(change: Change): WatchMessage {
  const { cursor } = change
  if (change.kind === 'gap') return { kind: 'gap', missedCount: change.missedCount ?? null, cursor }
  const { kind, key, version } = change
  if (kind === 'expired') return { kind, key, version, expiredAtMs: change.expiredAtMs, cursor }
  return { kind, key, ...shownValue(change), version, cursor }
}

/** One value that cannot be read does not end the watch of the others. */
function shownValue(change: Change): { readonly value?: Json; readonly error?: ErrorJson } {
  try {
    const { value } = change as { readonly value?: unknown }
    return value === undefined ? {} : { value: toJson(value) }
  } catch (error) {
    return { error: errorJson(error) }
  }
}
