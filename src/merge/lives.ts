/**
 * The lives of a key that expires. A value whose time to live has passed is gone for good: the
 * operation that is written then begins the next life, from nothing. Which operations that are is a
 * pure function of all of them in canonical order, a gap of at least the time to live, so that
 * replicas agree whatever they have folded or compacted, and whether or not anybody looked in
 * between.
 *
 * A life lasts as long as the greatest operation so far says; where it says nothing, as long as the
 * key's pattern does, 0 being for ever.
 *
 * Only for times to live that count from the last write: how reads prolong a life is known to one
 * replica alone.
 */
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import type { Meter } from '../operation/budget.ts'
import type { Placed } from './placed.ts'

/**
 * Whether a life of `lifeMs` whose last operation is stamped `last` is over when one stamped `next`
 * comes.
 */
export function isOver(last: Hlc, next: Hlc, lifeMs: number): boolean {
  return lifeMs > 0 && hlcToMs(next) >= hlcToMs(last) + lifeMs
}

/**
 * The index of the operation that begins the last life, given in canonical order; -1 if it goes on
 * from `base`, or there are none.
 */
export function* lastBirthSteps(
  base: { readonly hasTip: boolean; readonly hlc: Hlc; readonly lifeMs: number },
  ordered: readonly Placed[],
  /** `lifeMs`: of operations that do not say. */
  { lifeMs, meter }: { readonly lifeMs: number; readonly meter: Meter },
): Generator<void, number> {
  let birth = -1
  let last: { readonly hlc: Hlc; readonly lifeMs: number } | undefined = base.hasTip ? base : undefined
  for (const [i, operation] of ordered.entries()) {
    if (last !== undefined && isOver(last.hlc, operation.hlc, last.lifeMs || lifeMs)) birth = i
    last = operation
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return birth
}
