/** What is refused of keys and values at the border, before anything exists. */
import { shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { CHANNEL_KEY_PREFIX } from './hidden/hidden-keys.ts'
import { DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.ts'

const ENCODER = new TextEncoder()

/** Throws `WARP_E_LIMIT` or `WARP_E_UNENCODABLE`. */
export function checkKey(key: string): void {
  if (typeof key !== 'string' || key.length === 0)
    throw new WarpError('WARP_E_LIMIT', `a key is a string of at least one character, and not ${shownValue(key)}`)
  const bytes = key.length * 3 <= KEY_BYTES_MAX ? 0 : ENCODER.encode(key).length
  if (bytes > KEY_BYTES_MAX) {
    throw new WarpError('WARP_E_LIMIT', `a key of ${bytes} bytes exceeds ${KEY_BYTES_MAX}; use a shorter key`, {
      details: { bytes, limit: KEY_BYTES_MAX },
    })
  }
  if (!key.isWellFormed())
    throw new WarpError('WARP_E_UNENCODABLE', 'a key contains half of a surrogate pair; keys are well-formed text')
}

export function closed(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'this Warp has been closed; open it again')
}

/** Of a key that the engine writes for itself. */
export function hiddenKey(key: string): WarpError {
  const channel = key.slice(CHANNEL_KEY_PREFIX.length)
  return new WarpError(
    'WARP_E_UNREGISTERED_KEY',
    `the key ${JSON.stringify(key.slice(0, 40))} holds what the channel '${channel.slice(0, 40)}' keeps, and is the ` +
      `engine's own; publish and subscribe by warp.channel`,
    { details: { channel } },
  )
}

export function nestedWrite(key: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `a write to '${key}' and another one inside each other, by a verb, a getter of the value, a merge function or a projection; write one after the other`,
  )
}

/** Bytes that one operation of a strategy may carry. */
export function payloadBytesMax({ appliesOnPrepare, hasLargePayloads }: AnyStrategy): number {
  return appliesOnPrepare === true || hasLargePayloads === true ? DOCUMENT_BYTES_MAX : VALUE_BYTES_MAX
}

export function payloadTooLarge(key: string, strategy: AnyStrategy, bytes: number): WarpError {
  const limit = payloadBytesMax(strategy)
  const [what, remedy] =
    strategy.appliesOnPrepare === true
      ? ['one change of', 'make several smaller changes']
      : ['the value for', 'split it over several keys']
  return new WarpError('WARP_E_LIMIT', `${what} '${key}' takes ${bytes} bytes, more than ${limit}; ${remedy}`, {
    details: { key, bytes, limit },
  })
}
