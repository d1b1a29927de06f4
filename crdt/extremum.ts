/**
 * The greatest (`max`) or least (`min`) of all values that were ever set: high-water marks, first
 * and last seen, best offers.
 *
 * Taking the greater of two is a join: commutative, associative, idempotent [1, 2]. It needs a
 * total order: numbers (no NaN) and dates by size, strings by UTF-16 code units; where a caller's
 * type mixes them, numbers come before bigints, strings and dates in this order, so that `1` and
 * `1n` are never equal.
 *
 * State: the value, or nothing. A `set` that would not change what this replica sees writes no
 * operation. Deleting takes away the values that the deleter had seen; a concurrent one survives.
 * Cost: O(1); a set looks at the present value first.
 *
 * When not to use it: for the latest value (`register`), or where values must be able to go back
 * without deleting the key.
 *
 * 1. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: Conflict-free Replicated Data Types. SSS
 *    2011, section 2.
 * 2. P. Almeida, A. Shoker, C. Baquero: Delta State Replicated Data Types. 2018, section 4.
 */
import { takesNothing } from './checked-options.ts'
import type { Encodable } from './encoding/encodable.ts'
import type { Prepare, Strategy } from './strategy.ts'
import { WarpError } from './warp-error.ts'
import { expectArray, malformedState } from './encoding/stored-state.ts'
import { isDate } from './encoding/encoding-writer.ts'
import { malformedPayload, toPayload } from './encoding/payload.ts'

/** Types of values that have a total order. */
export type Ordered = number | string | bigint | Date

export type ExtremumVerbs<T> = {
  /** Takes the value in, if it is beyond the present one. */
  readonly set: (prepare: Prepare<T | undefined>, value: T) => Encodable | undefined
}

export type Extremum<T extends Ordered> = Strategy<T, T | undefined, Encodable, ExtremumVerbs<T>>

/** The greatest value set. */
export function max<T extends Ordered>(): Extremum<T> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('max', arguments)
  return extremum('max', 7, 1)
}

/** The least value set. */
export function min<T extends Ordered>(): Extremum<T> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('min', arguments)
  return extremum('min', 8, -1)
}

function extremum<T extends Ordered>(kind: string, code: number, sign: number): Extremum<T> {
  const isBeyond = (value: T, present: T | undefined): boolean =>
    present === undefined || compareOrdered(value, present) * sign > 0
  return {
    kind,
    code,
    foldsAs: kind,
    fold: 'any',
    deletes: 'observed',
    initial: () => undefined,
    apply(present, { payload }) {
      if (rankOf(payload) < 0) throw malformedPayload(kind)
      const value = payload as T
      return isBeyond(value, present) ? value : present
    },
    read: (present) => present,
    isEmpty: (present) => present === undefined,
    encodeState: (present) => (present === undefined ? [] : [present]),
    decodeState(encoded) {
      const [present] = expectArray(encoded)
      if (present !== undefined && rankOf(present) < 0) throw malformedState('a value without an order')
      return present as T | undefined
    },
    verbs: {
      set(prepare, value) {
        if (rankOf(toPayload(value, 'set')) < 0) {
          throw new WarpError(
            'WARP_E_UNENCODABLE',
            `${kind} takes numbers other than NaN, strings, bigints and valid dates`,
          )
        }
        return isBeyond(value, prepare.state()) ? value : undefined
      },
    },
  }
}

/** Order between types; negative for a type without an order. */
function rankOf(value: unknown): number {
  if (typeof value === 'number') return Number.isNaN(value) ? -1 : 0
  if (typeof value === 'bigint') return 1
  if (typeof value === 'string') return 2
  return typeof value === 'object' && value !== null && isDate(value) && !Number.isNaN(value.getTime()) ? 3 : -1
}

function compareOrdered(a: Ordered, b: Ordered): number {
  const byType = rankOf(a) - rankOf(b)
  if (byType !== 0) return byType
  if (a < b) return -1
  return a > b ? 1 : 0
}
