/**
 * Keys that the engine writes for itself. They are operations like all others, in the log and on the
 * wire; but nobody who lists, watches or projects keys by a pattern means them, so only a pattern that
 * spells the prefix out matches them.
 */
import { WarpError } from '../../../crdt/warp-error.ts'

/** What the keys of kept messages begin with; the channel's name follows. */
export const CHANNEL_KEY_PREFIX = '\u0000channel:'

/** Whether a pattern that begins with these characters, and then a wildcard, might match hidden keys and does not say so. */
export function mayMeetHidden(literalPrefix: string): boolean {
  return literalPrefix.length < CHANNEL_KEY_PREFIX.length && CHANNEL_KEY_PREFIX.startsWith(literalPrefix)
}

export function isHidden(key: string): boolean {
  return key.startsWith(CHANNEL_KEY_PREFIX)
}

/** Throws `WARP_E_PATTERN` for a pattern of a caller that is the engine's own. */
export function assertNotHidden(pattern: string): void {
  if (!isHidden(pattern)) return
  throw new WarpError(
    'WARP_E_PATTERN',
    `the key pattern ${JSON.stringify(pattern.slice(0, 40))} begins with what the keys of kept messages begin with; ` +
      'declare it in openWarp({ channels }), without that prefix',
    { details: { pattern: pattern.slice(0, 40) } },
  )
}
