/**
 * Laws of what may not matter: how often something is computed, and in which order operations come,
 * with repetitions and from wherever.
 */
import { encode } from '../../crdt/encoding/encoding.ts'
import { applyOne } from './definition.ts'
import { describeEncodable, nameOf, namesOf } from './describe.ts'
import { type Digest, isSameBytes, isSameDigest } from './digest.ts'
import type { LawOperation } from './law-operation.ts'
import { compare, type Finding, type Side, type Trial } from './trial.ts'

/**
 * Of states that may not be changed, each step twice from the same state; of others, everything
 * twice from scratch.
 */
export function checkDeterminism(trial: Trial): Finding | undefined {
  if (trial.strategy.fold === 'canonical') return checkSteps(trial)
  return compare(
    { how: () => 'folded in canonical order', digest: trial.expected },
    { how: () => 'folded in canonical order once more', digest: trial.digest(trial.scratch(trial.operations)) },
  )
}

function checkSteps(trial: Trial): Finding | undefined {
  let state: unknown = trial.strategy.initial()
  for (const operation of trial.operations) {
    if (operation.isDelete) continue
    const next = applyOne(trial.strategy, state, operation)
    const again = applyOne(trial.strategy, state, operation)
    const how = (time: string) => (): string => `${nameOf(operation)} applied to the same state, ${time}`
    const finding = compare(
      { how: how('the first time'), digest: trial.digest(next) },
      { how: how('the second time'), digest: trial.digest(again) },
    )
    if (finding !== undefined) return finding
    state = next
  }
  return undefined
}

/**
 * Looking changes nothing, and `apply` changes neither the payload nor, where it is promised, the
 * state that it is given.
 */
export function checkPurity(trial: Trial): Finding | undefined {
  const { strategy, operations } = trial
  const payloads = operations.map(({ payload }) => encode(payload))
  let state: unknown = strategy.initial()
  for (const operation of operations) {
    if (operation.isDelete) continue
    const before = trial.digest(state)
    const next = applyOne(strategy, state, operation)
    const name = nameOf(operation)
    if (strategy.fold === 'canonical') {
      const after = {
        how: () => `the same state after apply was called with it and ${name}`,
        digest: trial.digest(state),
      }
      const finding = compare({ how: () => `a state`, digest: before }, after)
      if (finding !== undefined) return finding
    }
    state = next
  }
  const looked = { how: () => 'the state, looked at', digest: trial.digest(state) }
  const again = { how: () => 'the state, looked at again', digest: trial.digest(state) }
  return compare(looked, again) ?? changedPayload(operations, payloads)
}

function changedPayload(operations: readonly LawOperation[], before: readonly Uint8Array[]): Finding | undefined {
  const changed = operations.find(({ payload }, i) => !isSameBytes(encode(payload), before[i]))
  if (changed === undefined) return undefined
  const result = `is ${describeEncodable(changed.payload)} after apply`
  return { outcomes: [{ how: `the payload of ${nameOf(changed)}`, result }] }
}

/** W25: what a replica has folded live is what its log says. */
export function checkReplay(trial: Trial): Finding | undefined {
  for (const replica of trial.history.replicas) {
    const held = [...replica.operations.values()]
    if (held.length === 0) continue
    const finding = compare(
      { how: () => `replica ${replica.id.slice(0, 1)}, live: ${namesOf(held)}`, digest: trial.digest(replica.state) },
      { how: () => 'folded again from its log', digest: trial.digest(replica.stateFromScratch) },
      held,
    )
    if (finding !== undefined) return finding
  }
  return undefined
}

const ORDERS_COUNT = 2

/**
 * W03, W17: every causal order, with repetitions, gives what the definition gives. The first is the
 * latest first, as far as causes allow.
 */
export function checkOrders(trial: Trial): Finding | undefined {
  const random = trial.random()
  for (let round = 0; round < Math.min(ORDERS_COUNT, trial.operations.length); round++) {
    const repeated = trial.operations.filter(() => random.below(3) === 0)
    const order = [...trial.operations, ...repeated]
    const { held, digest } = trial.delivered(round === 0 ? order.reverse() : random.shuffled(order))
    if (!isSameDigest(digest, trial.expected)) return nearestOrders(trial, held, digest)
  }
  return undefined
}

/**
 * Walks from an order with another outcome to the canonical one by exchanging neighbours that come
 * the wrong way round, which are concurrent, since both orders are causal. Where the outcome
 * changes, two orders differ in nothing but two neighbours.
 */
function nearestOrders(trial: Trial, from: readonly LawOperation[], digest: Digest): Finding | undefined {
  const side = (order: readonly LawOperation[], outcome: Digest): Side => ({
    how: () => `delivered in the order ${namesOf(order)}`,
    digest: outcome,
  })
  let here = { order: from, digest }
  for (;;) {
    const order = exchanged(here.order, trial.operations)
    if (order === undefined) break
    const next = { order, digest: trial.delivered(order).digest }
    const finding = compare(side(here.order, here.digest), side(next.order, next.digest))
    if (finding !== undefined) return finding
    here = next
  }
  return compare(side(here.order, here.digest), {
    how: () => 'folded again from the log',
    digest: trial.expected,
  })
}

function exchanged(
  order: readonly LawOperation[],
  towards: readonly LawOperation[],
): readonly LawOperation[] | undefined {
  const at = order.findIndex((one, i) => {
    const next = order[i + 1]
    return next !== undefined && towards.indexOf(one) > towards.indexOf(next)
  })
  if (at < 0) return undefined
  return [...order.slice(0, at), ...order.slice(at, at + 2).reverse(), ...order.slice(at + 2)]
}

/** W02: joining what replicas hold is commutative, associative and idempotent. */
export function checkJoins(trial: Trial): Finding | undefined {
  const parts = trial.history.replicas.map((replica) => [...replica.operations.values()])
  const [a = [], b = [], c = []] = parts.filter((held) => held.length > 0)
  const side = (how: string, ...joined: readonly (readonly LawOperation[])[]): Side => ({
    how: () => `${how}: ${namesOf(trial.delivered(...joined).held)}`,
    digest: trial.delivered(...joined).digest,
  })
  const twice = compare(side('what one replica holds', a), side('the same twice', a, a), a)
  if (twice !== undefined || b.length === 0) return twice
  const both = [...new Set([...a, ...b])]
  const swapped = compare(side('what one holds, then another', a, b), side('the other way round', b, a), both)
  if (swapped !== undefined || c.length === 0) return swapped
  const bc = trial.delivered(b, c).held
  return compare(side('what two hold, then a third', a, b, c), side('the first, then what the others hold', a, bc))
}
