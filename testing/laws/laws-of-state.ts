/**
 * Laws of states: they survive their bytes, go on from a snapshot as if nothing had happened, and
 * share nothing with anybody.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { foldFrom } from './definition.ts'
import { nameOf, namesOf } from './describe.ts'
import { bytesOfValue, describeBytes, isSameBytes } from './digest.ts'
import { IncrementalFold } from './incremental-fold.ts'
import { hasObserved, type LawOperation } from './law-operation.ts'
import { type Finding, compare, type Trial } from './trial.ts'

/**
 * W49: states and payloads survive their bytes, and dots that are given their own names again
 * change nothing.
 */
export function checkEncoding(trial: Trial): Finding | undefined {
  const revived = trial.revived(trial.scratch(trial.operations))
  return (
    stepsFinding(trial) ??
    compare(
      { how: () => 'the state', digest: trial.expected },
      { how: () => 'encoded and decoded', digest: trial.digest(revived) },
    ) ??
    trial.operations.map((operation) => payloadFinding(trial, operation)).find((finding) => finding !== undefined)
  )
}

/** What is encoded or decoded in steps is what comes of it in one go. */
function stepsFinding(trial: Trial): Finding | undefined {
  const { strategy } = trial
  const state = trial.scratch(trial.operations)
  const whole = strategy.encodeState(state)
  if (strategy.encodeStateSteps !== undefined) {
    const steps = [...strategy.encodeStateSteps(state)].filter((item) => item !== undefined)
    const [one, other] = [encode(whole), encode(steps)]
    if (!isSameBytes(one, other)) return difference('encodeState', one, 'the list of encodeStateSteps', other)
  }
  if (strategy.decodeStateSteps === undefined) return undefined
  const steps = strategy.decodeStateSteps(decode(encode(whole)) as readonly Encodable[])
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return compare(
    { how: () => 'the state', digest: trial.expected },
    { how: () => 'encoded, and decoded in steps', digest: trial.digest(step.value) },
  )
}

function payloadFinding({ strategy }: Trial, operation: LawOperation): Finding | undefined {
  const bytes = encode(operation.payload)
  const again = encode(decode(bytes))
  if (!isSameBytes(bytes, again)) return difference(`the payload of ${nameOf(operation)}`, bytes, 'decoded', again)
  if (strategy.rebase === undefined || operation.isDelete) return undefined
  const renamed = encode(strategy.rebase(operation.payload, (replica, sequence) => [replica, sequence]) as Encodable)
  if (isSameBytes(bytes, renamed)) return undefined
  return difference(`the payload of ${nameOf(operation)}`, bytes, 'after `rebase` under the same names', renamed)
}

function difference(
  how: string,
  one: Uint8Array | undefined,
  otherHow: string,
  other: Uint8Array | undefined,
): Finding {
  return {
    outcomes: [
      { how, result: describeBytes(one) },
      { how: otherHow, result: describeBytes(other) },
    ],
  }
}

/** W26: a snapshot, and the operations behind it, at every place where one may be taken. */
export function checkSnapshots(trial: Trial): Finding | undefined {
  const order = trial.orderForCuts(trial.random())
  for (let cut = 0; cut <= order.length; cut++) {
    if (!trial.isCleanCut(order, cut)) continue
    const base = trial.revived(trial.scratch(order.slice(0, cut)))
    const finding = compare(
      { how: () => 'all operations', digest: trial.expected },
      {
        how: () => `a snapshot of ${namesOf(order.slice(0, cut))}, then ${namesOf(order.slice(cut))}`,
        digest: trial.digest(foldFrom(trial.strategy, base, order.slice(cut))),
      },
    )
    if (finding !== undefined) return finding
  }
  return undefined
}

/**
 * W27: stable prefixes are folded away, one after the other, and what comes later arrives in any
 * order.
 */
export function checkCompaction(trial: Trial): Finding | undefined {
  const { strategy, operations } = trial
  const arrival = trial.delivered(trial.random().shuffled(operations)).held
  let snapshot = encode(strategy.encodeState(strategy.initial()))
  const revived = (): unknown => strategy.decodeState(decode(snapshot))
  let from = 0
  for (let cut = 1; cut < operations.length; cut++) {
    if (!isStable(operations, cut)) continue
    snapshot = encode(strategy.encodeState(foldFrom(strategy, revived(), operations.slice(from, cut))))
    from = cut
    const fold = new IncrementalFold(strategy, revived)
    const later = arrival.filter((operation) => operations.indexOf(operation) >= cut)
    for (const operation of later) fold.add(operation)
    const finding = compare(
      { how: () => 'all operations', digest: trial.expected },
      {
        how: () => `${namesOf(operations.slice(0, cut))} compacted, then ${namesOf(later)} delivered`,
        digest: trial.digest(fold.state),
      },
    )
    if (finding !== undefined) return finding
  }
  return undefined
}

/** Whether everybody who wrote later had seen all of the prefix. */
function isStable(operations: readonly LawOperation[], cut: number): boolean {
  const prefix = operations.slice(0, cut)
  return operations.slice(cut).every((later) => prefix.every((earlier) => hasObserved(later, earlier)))
}

/**
 * What has nothing in it is not kept: the initial state is empty, and an empty state is as good as
 * the initial one.
 */
export function checkEmpty(trial: Trial): Finding | undefined {
  const { strategy } = trial
  const initial: unknown = strategy.initial()
  if (!strategy.isEmpty(initial)) {
    const shown = describeBytes(encode(strategy.encodeState(initial)))
    return {
      operations: [],
      outcomes: [
        { how: 'isEmpty(initial())', result: `false, for the state ${shown}; do calls of initial() share it?` },
      ],
    }
  }
  const state = trial.scratch(trial.operations)
  if (!strategy.isEmpty(state)) return undefined
  return compare(
    { how: () => 'a state that isEmpty says is empty', digest: trial.digest(state) },
    { how: () => 'the initial state', digest: trial.digest(initial) },
  )
}

/**
 * States, snapshots and values that were handed out stay as they are while another state is folded
 * on.
 */
export function checkAliasing(trial: Trial): Finding | undefined {
  const { strategy, claims } = trial
  const random = trial.random()
  const order = trial.orderForCuts(random)
  let cut = random.below(order.length + 1)
  while (cut > 0 && !trial.isCleanCut(order, cut)) cut--
  const [prefix, rest] = [order.slice(0, cut), order.slice(cut)]
  const encoded = decode(encode(strategy.encodeState(trial.scratch(prefix))))
  const initial: unknown = strategy.initial()
  const twin: unknown = strategy.decodeState(encoded)
  const state: unknown = strategy.decodeState(encoded)
  const snapshot = strategy.encodeState(state)
  const value: unknown = claims.encodable === undefined ? strategy.read(state) : undefined // those of libraries may be live
  const look = (): readonly (readonly [string, Uint8Array | undefined])[] => [
    ['the state of another key, fresh from initial()', encode(strategy.encodeState(initial))],
    ['another state that was decoded from the same snapshot', encode(strategy.encodeState(twin))],
    ['a snapshot that was taken before', encode(snapshot)],
    ['a value that was read before', bytesOfValue(value)],
  ]
  const before = look()
  foldFrom(strategy, state, rest)
  trial.scratch(trial.operations)
  const changed = look().findIndex(([, bytes], i) => !isSameBytes(bytes, before[i]?.[1]))
  const [what, was] = before[changed] ?? []
  if (what === undefined) return undefined
  return difference(
    what,
    was,
    `the same after ${namesOf(rest)} went into a state that was not this`,
    look()[changed]?.[1],
  )
}
