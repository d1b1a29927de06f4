/** What is checked of the claims that somebody makes; see `claims.ts`. */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { identityOf } from '../../crdt/encoding/encoding.ts'
import type { ObservedRemove } from './claims.ts'
import { applyOne } from './definition.ts'
import { describeEncodable, nameOf } from './describe.ts'
import { bytesOfValue, describeBytes, isSameBytes } from './digest.ts'
import { hasObserved, isCanceller, liveOperations, type LawOperation } from './law-operation.ts'
import { compare, type Finding, type Side, type Trial } from './trial.ts'

export function checkExpected(trial: Trial): Finding | undefined {
  const { expected, encodable } = trial.claims
  if (expected === undefined) return undefined
  const value = bytesOfValue(trial.strategy.read(trial.scratch(trial.operations)), encodable)
  const wanted = bytesOfValue(expected(liveOperations(trial.strategy, trial.operations)), encodable)
  if (isSameBytes(value, wanted)) return undefined
  return {
    outcomes: [
      { how: 'the strategy folds them to', result: describeBytes(value) },
      { how: '`expected` says', result: describeBytes(wanted) },
    ],
  }
}

export function checkObservedRemove(trial: Trial): Finding | undefined {
  const claim = trial.claims.observedRemove
  if (claim === undefined) return undefined
  const live = liveOperations(trial.strategy, trial.operations)
  const naming = (verb: string, identity: string): LawOperation[] =>
    live.filter(({ intent }) => intent?.verb === verb && intent.parameters.some((x) => identityIn(x) === identity))
  const value: unknown = trial.strategy.read(trial.scratch(trial.operations))
  for (const [identity, element] of elementsOf(live, claim)) {
    const removes = naming(claim.remove, identity)
    const survivor = naming(claim.add, identity).find((add) => !removes.some((remove) => hasObserved(remove, add)))
    if (claim.has(value, element) === (survivor !== undefined)) continue
    const shown = describeBytes(bytesOfValue(value, trial.claims.encodable))
    const name = describeEncodable(element)
    const right =
      survivor === undefined ? `every add of ${name} was seen by a remove` : `no remove had seen ${nameOf(survivor)}`
    const wrong = survivor === undefined ? 'is in' : 'is not in'
    return { outcomes: [{ how: right, result: `and yet ${name} ${wrong} ${shown}` }] }
  }
  return undefined
}

function elementsOf(operations: readonly LawOperation[], { add, remove }: ObservedRemove): Map<string, unknown> {
  const calls = operations.flatMap(({ intent }) => (intent?.verb === add || intent?.verb === remove ? [intent] : []))
  return new Map(calls.flatMap(({ parameters }) => parameters.map((element) => [identityIn(element), element])))
}

function identityIn(element: unknown): string {
  return identityOf(element as Encodable) // the verb has encoded it
}

export function checkIdempotent(trial: Trial): Finding | undefined {
  if (trial.claims.idempotent !== true) return undefined
  let state: unknown = trial.strategy.initial()
  for (const operation of liveOperations(trial.strategy, trial.operations)) {
    state = applyOne(trial.strategy, state, operation)
    const once = trial.digest(state)
    state = applyOne(trial.strategy, state, operation)
    const finding = compare(
      { how: () => `${nameOf(operation)} applied once`, digest: once },
      { how: () => `${nameOf(operation)} applied twice`, digest: trial.digest(state) },
    )
    if (finding !== undefined) return finding
  }
  return undefined
}

/** A state does not know what cancelled it, so histories with cancellers say nothing here. */
export function checkMerge(trial: Trial): Finding | undefined {
  const merge = trial.claims.merge as ((state: unknown, other: unknown) => unknown) | undefined
  const { strategy, operations, history } = trial
  if (merge === undefined || operations.some((one) => one.isDelete || isCanceller(strategy, one))) return undefined
  const [a = [], b = [], c = []] = history.replicas.map((replica) => [...replica.operations.values()])
  const folded = (...parts: (readonly LawOperation[])[]): unknown => trial.revived(trial.scratch(new Set(parts.flat())))
  const side = (how: string, state: unknown): Side => ({
    how: () => how,
    digest: trial.digest(state),
  })
  return (
    compare(side('merge(a, b)', merge(folded(a), folded(b))), side('merge(b, a)', merge(folded(b), folded(a)))) ??
    compare(side('merge(a, a)', merge(folded(a), folded(a))), side('a', folded(a))) ??
    compare(
      side('merge(merge(a, b), c)', merge(merge(folded(a), folded(b)), folded(c))),
      side('merge(a, merge(b, c))', merge(folded(a), merge(folded(b), folded(c)))),
    ) ??
    compare(
      side('merge(a, b)', merge(folded(a), folded(b))),
      side('the operations of a and of b, folded', folded(a, b)),
    )
  )
}
