/** Ids of streams as commands take them. */
import {
  GREATEST_ID,
  LEAST_ID,
  NUMBER_MAX,
  msOf,
  nextId,
  numberOf,
  parseId,
  parsePart,
  previousId,
  streamIdOf,
  type StreamId,
} from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream } from '../../../../crdt/redis/streams/stream.ts'
import type { Call } from '../../call/command.ts'
import { ReplyError } from '../../call/reply-error.ts'

export function invalidId(): ReplyError {
  return new ReplyError('ERR Invalid stream ID specified as stream command argument')
}

/** `ms-number`, or `ms` for the first one of that millisecond. */
export function idOf(text: string): StreamId {
  const id = parseId(text, 0n)
  if (id === undefined) throw invalidId()
  return id
}

/** Both ends count; `undefined`: there is nothing in between. */
export interface IdRange {
  readonly from: StreamId
  readonly to: StreamId
}

/** `-` and `+` are the least and the greatest; what begins with `(` does not count. */
export function rangeOf(start: string, end: string): IdRange {
  const from = boundOf(start, 0n, nextId, 'start')
  return { from, to: boundOf(end, NUMBER_MAX, previousId, 'end') }
}

function boundOf(
  text: string,
  missing: bigint,
  beyond: (id: StreamId) => StreamId | undefined,
  which: 'start' | 'end',
): StreamId {
  if (text === '-') return LEAST_ID
  if (text === '+') return GREATEST_ID
  const isOpen = text.startsWith('(')
  const id = parseId(isOpen ? text.slice(1) : text, missing)
  if (id === undefined) throw invalidId()
  const bound = isOpen ? beyond(id) : id
  if (bound === undefined) throw new ReplyError(`ERR invalid ${which} ID for the interval`)
  return bound
}

/**
 * Of the number of an id that is made here the last bits are the replica's own, which are random: so no two
 * replicas make the same.
 */
const OWN_BITS = 40n
const OWN_MASK = (1n << OWN_BITS) - 1n

/** `*`, `ms-*` or an id, for an entry behind all others. Throws where there is none. */
export function newIdOf(call: Call, text: string, stream: Stream | undefined): StreamId {
  const last = stream?.lastId ?? LEAST_ID
  if (last === GREATEST_ID)
    throw new ReplyError('ERR The stream has exhausted the last possible ID, unable to add more items')
  if (text === '*') return ownIdOf(call, last, BigInt(Math.floor(call.nowMs)), true)
  if (text.endsWith('-*')) return ownIdOf(call, last, parsePart(text.slice(0, -2)) ?? 0n, false)
  const id = idOf(text)
  if (id <= last) throw tooSmall()
  return id
}

function ownIdOf({ keys }: Call, last: StreamId, wantedMs: bigint, mayRise: boolean): StreamId {
  const ms = mayRise && wantedMs < msOf(last) ? msOf(last) : wantedMs
  const own = BigInt(`0x${keys.direct.replica}`) & OWN_MASK
  const least = ms === msOf(last) ? numberOf(last) + 1n : 0n
  const round = least > own ? (least - own + OWN_MASK) >> OWN_BITS : 0n
  const number = (round << OWN_BITS) + own
  if (number > NUMBER_MAX && mayRise) return ownIdOf({ keys } as Call, last, ms + 1n, false)
  if (ms < msOf(last) || number > NUMBER_MAX) throw tooSmall()
  return streamIdOf(ms, number)
}

function tooSmall(): ReplyError {
  return new ReplyError('ERR The ID specified in XADD is equal or smaller than the target stream top item')
}

/** Whether it is an id, or `ms-*`. Throws if not. */
export function checkNewId(text: string): void {
  if (text === '*') return
  if (text.endsWith('-*')) {
    if (parsePart(text.slice(0, -2)) === undefined) throw invalidId()
    return
  }
  if (idOf(text) === LEAST_ID) throw new ReplyError('ERR The ID specified in XADD must be greater than 0-0')
}
