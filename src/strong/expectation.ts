/** What a write expects of a key: as callers say it, as records carry it, and whether it is so. */
import { encode } from '../../crdt/encoding/encoding.ts'
import { shownKind } from '../../crdt/shown-kind.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { equalBytes } from '../ports/stores/rows.ts'
import type { Expectation } from './commands.ts'

/** What a caller expects of a key. */
export type Expected<Value = unknown> = { readonly version: number } | { readonly value: Value } | 'absent'

/** Throws `WARP_E_CONFIG`, `WARP_E_UNENCODABLE`. */
export function expectationOf(key: string, expected: Expected): Expectation {
  if (expected === 'absent') return { key, version: 0 }
  const given: unknown = expected
  if (typeof given === 'object' && given !== null) {
    if ('version' in given && Number.isSafeInteger(given.version) && (given.version as number) >= 0)
      return { key, version: given.version as number }
    if ('value' in given && given.value !== undefined) return { key, value: encode(given.value) }
  }
  throw new WarpError(
    'WARP_E_CONFIG',
    `what is expected of '${key}' is ${shownKind(expected)}; ` +
      "give one of { version } (a whole number from 0), { value } and 'absent'",
    { details: { key } },
  )
}

/** Whether a key of that version is as expected. `valueOf` is asked for its value where that matters. */
export function isMet(expected: Expectation, version: number, valueOf: () => unknown): boolean {
  if ('version' in expected) return expected.version === version
  if (version === 0) return false
  try {
    return equalBytes(encode(valueOf()), expected.value)
  } catch (error) {
    // Values that cannot be carried are never expected.
    if (isWarpError(error, 'WARP_E_UNENCODABLE')) return false
    throw error
  }
}
