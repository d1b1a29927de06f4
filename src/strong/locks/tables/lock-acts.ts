/**
 * What a command says about a lock, and what it comes to. Parameters stand in commands as lists.
 *
 *     acquire  [request, permits, ttlMs, leaseMs, by]   holds it, or waits for so long; 0: does not wait
 *     stay     [request, leaseMs]                       still waits, for so long from now
 *     renew    [request]                                holds it for its whole time from now
 *     release  [request]                                neither holds it nor waits
 *     look     []                                       nothing: what is due by now becomes of locks
 */
import type { Encodable } from '../../../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectText } from '../../../../crdt/encoding/stored-state.ts'
import { isWholeFrom } from '../../../../crdt/checked-options.ts'
import { WarpError } from '../../../../crdt/warp-error.ts'
import { HELLO_TEXT_BYTES_MAX, KEY_BYTES_MAX, LOCK_MS_MAX, LOCK_PERMITS_MAX, LOCK_TTL_MS_MIN } from '../../../limits.ts'
import type { LockCommand } from '../../commands.ts'

export type LockAct =
  | {
      readonly act: 'acquire'
      readonly name: string
      readonly request: number
      readonly permits: number
      readonly ttlMs: number
      readonly leaseMs: number
      readonly by: string
    }
  | { readonly act: 'stay'; readonly name: string; readonly request: number; readonly leaseMs: number }
  | { readonly act: 'renew'; readonly name: string; readonly request: number }
  | { readonly act: 'release'; readonly name: string; readonly request: number }
  | { readonly act: 'look' }

export function lockCommand(of: LockAct): LockCommand {
  const { act } = of
  switch (act) {
    case 'acquire':
      return command(of, [of.request, of.permits, of.ttlMs, of.leaseMs, of.by])
    case 'stay':
      return command(of, [of.request, of.leaseMs])
    case 'look':
      return command({ act, name: '' }, [])
    default:
      return command(of, [of.request])
  }
}

function command({ act, name }: { readonly act: string; readonly name: string }, parameters: Encodable[]): LockCommand {
  return { kind: 'lock', name, act, parameters }
}

/**
 * Throws `WARP_E_UNKNOWN_OP` for what a later version wrote, and `WARP_E_PROTOCOL` for what no replica
 * takes.
 */
export function readAct({ name, act, parameters }: LockCommand): LockAct {
  const [request, a, b, c, d] = parameters
  switch (act) {
    case 'acquire': {
      const [permits, ttlMs, leaseMs, by] = [expectCount(a), expectCount(b), expectCount(c), expectText(d)]
      const isFine =
        permits <= LOCK_PERMITS_MAX &&
        isWholeFrom(ttlMs, LOCK_TTL_MS_MIN, LOCK_MS_MAX) &&
        leaseMs <= LOCK_MS_MAX &&
        name.length > 0 &&
        name.length <= KEY_BYTES_MAX &&
        by.length <= HELLO_TEXT_BYTES_MAX
      if (!isFine) throw new WarpError('WARP_E_PROTOCOL', 'a lock is asked for beyond all bounds')
      return { act, name, request: expectCount(request), permits, ttlMs, leaseMs, by }
    }
    case 'stay':
      return { act, name, request: expectCount(request), leaseMs: Math.min(expectCount(a), LOCK_MS_MAX) }
    case 'renew':
    case 'release':
      return { act, name, request: expectCount(request) }
    case 'look':
      return { act }
    default:
      throw new WarpError(
        'WARP_E_UNKNOWN_OP',
        'the ordered log holds a command about a lock that a later version wrote; upgrade this one',
      )
  }
}

/** What became of a request. */
export type LockAnswer =
  | { readonly state: 'held'; readonly token: number; readonly sinceMs: number; readonly expiresMs: number }
  | { readonly state: 'waits' }
  /** Neither: it was not to be had at once, or is over. */
  | { readonly state: 'none' }

export function encodeAnswer(answer: LockAnswer): Encodable {
  if (answer.state === 'held') return [1, answer.token, answer.sinceMs, answer.expiresMs]
  return answer.state === 'waits' ? [2] : [0]
}

/** Throws `WARP_E_PROTOCOL`. */
export function decodeAnswer(encoded: Encodable | undefined): LockAnswer {
  const [state, token, sinceMs, expiresMs] = expectArray(encoded)
  if (state === 2) return { state: 'waits' }
  if (state !== 1) return { state: 'none' }
  return { state: 'held', token: expectCount(token), sinceMs: expectCount(sinceMs), expiresMs: expectCount(expiresMs) }
}
