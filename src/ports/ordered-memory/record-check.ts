import { shownKind } from '../../../crdt/shown-kind.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'
import { requestError } from './order-error.ts'

/** Characters of a record's id. */
export const RECORD_ID_LENGTH_MAX = 64

const RECORD_ID = /^[!-~]*$/

export interface RecordBounds {
  /** Of the log. */
  readonly name: string
  readonly recordBytesMax: number
  /** What helps where a record is too large. */
  readonly remedy: string
}

/** Why a record cannot be appended; `undefined` if it can. */
export function checkRecord(
  { name, recordBytesMax, remedy }: RecordBounds,
  id: unknown,
  bytes: unknown,
): WarpError | undefined {
  if (typeof id !== 'string' || id === '' || !RECORD_ID.test(id))
    return requestError(
      'WARP_E_CONFIG',
      `${name}: the id of a record is ${shownKind(id)}; give a text of visible characters of ASCII`,
    )
  if (id.length > RECORD_ID_LENGTH_MAX)
    return requestError(
      'WARP_E_LIMIT',
      `${name}: the id of a record has ${id.length} characters; at most ${RECORD_ID_LENGTH_MAX}`,
    )
  if (!(bytes instanceof Uint8Array))
    return requestError('WARP_E_CONFIG', `${name}: the bytes of a record are ${shownKind(bytes)}; give a Uint8Array`)
  if (bytes.length <= recordBytesMax) return undefined
  return requestError(
    'WARP_E_LIMIT',
    `${name}: a record of ${bytes.length} bytes exceeds the ${recordBytesMax} of recordBytesMax; ${remedy}`,
  )
}
