/**
 * Payloads at the two ends: a caller's value on its way in, whose type need not say that it can be
 * encoded, and a payload of another replica, which may be anything.
 */
import type { Encodable } from './encodable.ts'
import { shownKind } from '../shown-kind.ts'
import { WarpError } from '../warp-error.ts'

/**
 * The value as a payload. An interface has no index signature and so is no {@link Encodable} to the
 * compiler; the codec refuses what really cannot be encoded, except for `undefined`, which means
 * "nothing to write" here. Throws `WARP_E_UNENCODABLE`.
 */
export function toPayload(value: unknown, verb: string): Encodable {
  if (value === undefined) {
    throw new WarpError('WARP_E_UNENCODABLE', `${verb} takes no undefined; use null, or delete the key`, {
      details: { verb },
    })
  }
  return value as Encodable
}

/**
 * What `apply` throws, before it changes anything, for a payload that no verb makes. The engine
 * then skips the operation.
 */
export function malformedPayload(kind: string): WarpError {
  return new WarpError(
    'WARP_E_PROTOCOL',
    `a payload that no verb of the strategy ${kind} makes; the operation is skipped`,
    {
      details: { kind },
    },
  )
}

/** An amount as a safe integer. Throws `WARP_E_LIMIT`. */
export function checkAmount(amount: number, verb: string, min: number = Number.MIN_SAFE_INTEGER): number {
  if (typeof amount !== 'number')
    throw new WarpError('WARP_E_CONFIG', `${verb} takes a whole number, not ${shownKind(amount)}`, {
      details: { verb },
    })
  if (!Number.isSafeInteger(amount) || amount < min) {
    const most = Number.MAX_SAFE_INTEGER
    throw new WarpError('WARP_E_LIMIT', `${verb} by ${amount}: the amount must be an integer from ${min} to ${most}`, {
      details: { verb, amount, min },
    })
  }
  return amount
}
