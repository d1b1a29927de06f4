/** Names and patterns of channels: the language of key patterns. */
import { WarpError } from '../../crdt/warp-error.ts'
import { CHANNEL_KEY_PREFIX } from '../keys/hidden/hidden-keys.ts'
import { compilePattern, type PatternWords } from '../keys/pattern.ts'
import { CHANNEL_LENGTH_MAX } from '../limits.ts'

const OF_CHANNELS: PatternWords = { pattern: 'channel name', one: 'channel', example: 'chat:room1' }

export interface ChannelName {
  /** As it was asked for. */
  readonly text: string
  /** The one channel, without escapes; `undefined`: it is a pattern. */
  readonly exact: string | undefined
  readonly matches: (channel: string) => boolean
}

/** Throws `WARP_E_PATTERN`, `WARP_E_LIMIT`. */
export function channelName(text: string): ChannelName {
  const { literalPrefix, specificity, matches } = compilePattern(text, OF_CHANNELS)
  const isPattern = specificity.anyOneCount > 0 || specificity.anyRunCount > 0
  if (text.length > CHANNEL_LENGTH_MAX)
    throw new WarpError(
      'WARP_E_LIMIT',
      `the channel "${text.slice(0, 40)}…" has ${text.length} characters, more than ${CHANNEL_LENGTH_MAX}; shorten it`,
      { details: { length: text.length, limit: CHANNEL_LENGTH_MAX } },
    )
  return { text, exact: isPattern ? undefined : literalPrefix, matches }
}

/** The key of what is kept of a channel, and the pattern of keys of a pattern of channels. */
export function keyOf(channel: string): string {
  return CHANNEL_KEY_PREFIX + channel
}

export function channelOf(key: string): string {
  return key.slice(CHANNEL_KEY_PREFIX.length)
}
