/** Why a client does not get a document, and the code with which a WebSocket is closed then. */
import { WarpError } from '../../../crdt/warp-error.ts'

/** From 4400 to 4499: a provider of y-websocket 3.1 does not come back. */
export interface Refusal {
  readonly code: number
  readonly reason: string
  readonly error: WarpError
}

const CODE_OF: Readonly<Record<string, number>> = {
  WARP_E_PROTOCOL: 4400,
  WARP_E_UNENCODABLE: 4400,
  WARP_E_LIMIT: 4413,
  WARP_E_MODE: 4415,
}

/** Of a WebSocket's close frame. */
const REASON_BYTES_MAX = 123

export function refusalFor(error: WarpError, code: number = CODE_OF[error.code] ?? 4400): Refusal {
  return { code, reason: error.message, error }
}

export const MALFORMED: Refusal = refusalFor(new WarpError('WARP_E_PROTOCOL', 'a frame cannot be read'))
export const UNAUTHENTICATED: Refusal = refusalFor(new WarpError('WARP_E_AUTH', 'say who you are'), 4401)
/** The reason is the one that applications of Hocuspocus look for. */
export const FORBIDDEN: Refusal = refusalFor(new WarpError('WARP_E_AUTH', 'permission-denied'), 4403)
export const UNKNOWN: Refusal = refusalFor(new WarpError('WARP_E_UNREGISTERED_KEY', 'there is no such document'), 4404)

export function tooMuch(why: string): Refusal {
  return refusalFor(new WarpError('WARP_E_LIMIT', why))
}

export function tooLong(length: number, limit: number): Refusal {
  const problem = `an update has ${length} bytes, more than ${limit}; write less at once`
  return refusalFor(new WarpError('WARP_E_LIMIT', problem, { details: { length, limit } }))
}

/** As much of a reason as a close frame holds. */
export function shortReason(reason: string): string {
  let short = reason
  while (Buffer.byteLength(short) > REASON_BYTES_MAX) short = short.slice(0, -1)
  return short
}
