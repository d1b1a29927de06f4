/**
 * A record of the log as a message of Kafka: its id is the key, its bytes are the value. Places are
 * counted from 1, offsets of Kafka from 0: a place is also the offset of what comes behind it.
 */
import type { OrderedRecord } from '../../../src/ports/ordered-log.ts'
import type { StoredRecord } from '../line.ts'

/** Followers pass over a record with such an id. */
export const BARRIER = 'barrier:'
/** What ids and heads take of the largest message. */
export const RECORD_OVERHEAD_BYTES = 256

const ID = /^[!-~]{1,64}$/

/** What somebody else has put into the topic is kept in place, and empty. */
export function recordOf({ offset, timeMs, key, value, isControl }: StoredRecord): OrderedRecord {
  const id = isControl ? '' : (key?.toString('latin1') ?? '')
  if (!ID.test(id))
    return { offset: offset + 1, timeMs, id: `${BARRIER}foreign:${offset + 1}`, bytes: new Uint8Array() }
  // A copy: the message is a view of what came from the socket.
  return { offset: offset + 1, timeMs, id, bytes: new Uint8Array(value ?? []) }
}
