/**
 * A counter: increments and decrements from everywhere, none lost.
 *
 * The payload is the signed amount; additions commute, so operations are added as they arrive, once
 * each [1, section 3.1]. Since an operation is delivered once by its dot, one sum is enough, where
 * the state-based PN-counter [1, 2] has to keep two vectors.
 *
 * Amounts are safe integers. A replica refuses a write that would take the sum that it sees beyond
 * ±(2^53 - 1); writes of several replicas may together go beyond, and then the sum goes on exactly,
 * as a bigint inside, while readers see the bound until it is back in range. (Wrapping or rounding
 * would make replicas differ.)
 *
 * State: the sum. Deleting takes away the amounts that the deleter had seen and leaves concurrent
 * ones: a reset.
 * Cost: O(1) per operation; a write folds what has arrived since, to check the range.
 *
 * When not to use it: if the sum must not pass a bound, say for stock or money (`boundedCounter`),
 * or for fractions (count the smallest unit).
 *
 * 1. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: A comprehensive study of Convergent and
 *    Commutative Replicated Data Types. INRIA RR-7506, 2011, sections 3.1.1 and 3.1.3.
 * 2. P. Almeida, C. Baquero: Scalable Eventually Consistent Counters over Unreliable Networks.
 *    2013.
 */
import { takesNothing } from './checked-options.ts'
import type { ExactSum } from './exact-sum.ts'
import type { Prepare, Strategy } from './strategy.ts'
import { WarpError } from './warp-error.ts'
import { addExactly, decodeSum, encodeSum, saturated } from './exact-sum.ts'
import { checkAmount, malformedPayload } from './encoding/payload.ts'
import { malformedState } from './encoding/stored-state.ts'

export type CounterVerbs = {
  /** Adds `by`, 1 if not given. */
  readonly increment: (prepare: Prepare<ExactSum>, by?: number) => number | undefined
  /** Subtracts `by`, 1 if not given. */
  readonly decrement: (prepare: Prepare<ExactSum>, by?: number) => number | undefined
}

export type Counter = Strategy<number, ExactSum, number, CounterVerbs>

/** Counter over the safe integers, starting from 0. */
export function counter(): Counter {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('counter', arguments, 'use boundedCounter() for a counter with bounds')
  return {
    kind: 'counter',
    code: 3,
    foldsAs: 'counter',
    fold: 'any',
    deletes: 'observed',
    initial: () => 0,
    apply(sum, { payload }) {
      if (!Number.isSafeInteger(payload)) throw malformedPayload('counter')
      return addExactly(sum, payload)
    },
    read: saturated,
    isEmpty: (sum) => sum === 0,
    encodeState: encodeSum,
    decodeState: decodeSum,
    fromValue(value) {
      if (value === undefined) return 0
      if (Number.isSafeInteger(value)) return value as number
      throw malformedState('no safe integer in the place of a sum')
    },
    verbs: {
      increment: (prepare, by = 1) => add(prepare, checkAmount(by, 'increment')),
      decrement: (prepare, by = 1) => add(prepare, -checkAmount(by, 'decrement')),
    },
  }
}

function add(prepare: Prepare<ExactSum>, amount: number): number | undefined {
  if (amount === 0) return undefined
  const before = prepare.state()
  const after = addExactly(before, amount)
  // Towards 0 is always allowed: it is the way back from beyond the range.
  const isOutward = amount > 0 ? after > 0 : after < 0
  if (typeof after === 'bigint' && isOutward) {
    const limit = Number.MAX_SAFE_INTEGER
    throw new WarpError('WARP_E_LIMIT', `adding ${amount} to ${before} goes beyond ±${limit}; use a larger unit`, {
      details: { amount, limit },
    })
  }
  return amount
}
