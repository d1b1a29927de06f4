/** A record of the log as a message of JetStream: its id is a header, its bytes are the payload. */
import { headers, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import type { StoredMsg } from '@nats-io/jetstream'
import type { OrderedRecord } from '../../../src/ports/ordered-log.ts'

/** Not `Nats-Msg-Id`: the server would take a second try for the first one, also where that has been lost since. */
export const ID_HEADER = 'Warp-Id'
/** What headers and acknowledgements take of the largest message. */
export const RECORD_OVERHEAD_BYTES = 512
/** Followers pass over a record with such an id. */
export const BARRIER = 'barrier:'

const ID = /^[!-~]{1,64}$/

function isRecordId(id: string): boolean {
  return ID.test(id)
}

export function recordHeaders(id: string): MsgHdrs {
  const result = headers()
  result.set(ID_HEADER, id)
  return result
}

/** What somebody else has published to the subject of the log: kept in place, and empty. */
export function foreignId(offset: number): string {
  return `${BARRIER}foreign:${offset}`
}

export function idOf(hdrs: MsgHdrs | undefined, offset: number): string {
  const id = hdrs?.get(ID_HEADER) ?? ''
  return isRecordId(id) ? id : foreignId(offset)
}

/** The id of a record that the server was asked for. */
export function storedId(stored: StoredMsg): string {
  return idOf(stored.header, stored.seq)
}

/** A record as a consumer delivers it. */
export interface Delivery {
  readonly record: OrderedRecord
  /** Counts what the consumer has delivered, from 1. */
  readonly number: number
}

/**
 * A delivered message, or `undefined` where it is none: a status of the server. Place and time stand
 * in the subject to which a consumer would acknowledge.
 */
export function deliveryOf(message: Msg): Delivery | undefined {
  const reply = message.reply ?? ''
  if (!reply.startsWith('$JS.ACK.')) return undefined
  // $JS.ACK[.domain.account].stream.consumer.deliveries.place.number.nanoseconds.pending[.…]
  const tokens = reply.split('.')
  const at = tokens.length === 9 ? 5 : 7
  const [offset, number] = [Number(tokens[at]), Number(tokens[at + 1])]
  const timeMs = Number((tokens[at + 2] ?? '').slice(0, -6))
  if (![offset, number, timeMs].every(Number.isSafeInteger)) return undefined
  const id = idOf(message.headers, offset)
  // A copy: the message is a view of what came from the socket.
  const bytes = id === foreignId(offset) ? new Uint8Array() : new Uint8Array(message.data)
  return { record: { offset, timeMs, id, bytes }, number }
}
