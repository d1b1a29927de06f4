/**
 * Whose a key is, where operations of several strategies are there: that of the strategy which made
 * the first of them in canonical order, of all that no delete has taken away. The others are set
 * aside: they change nothing, and neither do they hide what was there before them. A delete that
 * takes all away makes the key free for any strategy.
 *
 * A pure function of the operations, like the fold. What compaction folds comes first in canonical
 * order, and whatever comes behind it has seen all of it; so the owner of the folded part is the
 * owner of the whole, until a delete takes the folded part away as a whole.
 */
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import type { Meter } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { Placed } from '../placed.ts'
import { FATE } from './cancellation.ts'

/** Whether an operation says what only another strategy understands. */
export function isByOther({ code }: AnyStrategy, { kind, strategy }: Pick<Placed, 'kind' | 'strategy'>): boolean {
  return kind === OPERATION_KIND.update && strategy !== code
}

/** The operations of a key's present life in canonical order, and what they are folded onto. */
export interface Claims {
  readonly strategy: AnyStrategy
  readonly ordered: readonly Placed[]
  /** The strategy of what lies below; 0 if there is nothing. */
  readonly baseStrategy: number
  /** What becomes of the operations; absent if all are applied in their places. */
  readonly fates: Uint8Array | undefined
  /** Whether this observed delete takes away all that lies below. */
  readonly clearsBase: (operation: Placed) => boolean
}

/** The code of the owner; 0 if nothing is left that anybody wrote. */
export function* ownerSteps(claims: Claims, meter: Meter): Generator<void, number> {
  const { strategy, ordered, fates } = claims
  const isByOrder = strategy.fold === 'last' || strategy.deletes === 'ordered'
  const claim: Claim = { base: claims.baseStrategy, first: 0 }
  for (const [i, operation] of ordered.entries()) {
    const isApplied = (fates?.[i] ?? FATE.applied) === FATE.applied
    if (operation.kind === OPERATION_KIND.delete && !isByOrder) clearBase(claim, operation, claims)
    else if (isApplied) take(claim, operation)
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return claim.base === 0 ? claim.first : claim.base
}

interface Claim {
  /** The strategy of what lies below. */
  base: number
  /** Of the first operation. */
  first: number
}

/** What an operation that is applied in its place, and no observed delete, does to a claim. */
function take(claim: Claim, { kind, strategy }: Placed): void {
  if (kind === OPERATION_KIND.delete) claim.base = claim.first = 0
  else if (kind === OPERATION_KIND.update && claim.first === 0) claim.first = strategy
}

function clearBase(claim: Claim, operation: Placed, { clearsBase }: Claims): void {
  if (claim.base > 0 && clearsBase(operation)) claim.base = 0
}
