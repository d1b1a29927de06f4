/** How requests to the ordered log in memory fail. */
import { WarpError, type WarpErrorCode, type WarpOutcome } from '../../../crdt/warp-error.ts'

/** `outcome` `'indeterminate'`: the request was sent, and may be carried out all the same. */
export function requestError(code: WarpErrorCode, message: string, outcome: WarpOutcome = 'failed'): WarpError {
  return new WarpError(code, message, { outcome })
}

export function orderBroken(log: string, partition: number, reason: string): WarpError {
  return new WarpError(
    'WARP_E_ORDER_BROKEN',
    `${log}: partition ${partition} is not what it was: ${reason}; what was acknowledged may be lost`,
    { details: { log, partition } },
  )
}
