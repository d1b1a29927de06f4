/**
 * Operations in canonical order, in steps: merges the runs that are in order already, of which the
 * order of arrival has few (one for each stretch in which one replica wrote alone).
 *
 * Cost: a comparison for each operation and doubling of the number of runs.
 */
import { compareStamps } from '../../../crdt/time/hlc.ts'
import type { Meter } from '../../operation/budget.ts'
import type { Placed } from '../placed.ts'

/** So few are sorted in one go. */
const FEW = 64

/** A copy of the operations, in canonical order. */
export function* inOrder(operations: readonly Placed[], meter: Meter): Generator<void, Placed[]> {
  let source = operations.slice()
  if (source.length <= FEW) return source.sort(compareStamps)
  let starts = yield* runStarts(source, meter)
  if (starts.length === 1) return source
  let target = new Array<Placed>(source.length)
  while (starts.length > 1) {
    const merged: number[] = []
    for (let i = 0; i < starts.length; i += 2) {
      const from = starts[i] as number
      const middle = starts[i + 1] ?? source.length
      const to = starts[i + 2] ?? source.length
      yield* merge({ source, from, middle, to }, target, meter)
      merged.push(from)
    }
    starts = merged
    ;[source, target] = [target, source]
  }
  return source
}

/** Where the runs begin that are in order. */
function* runStarts(operations: readonly Placed[], meter: Meter): Generator<void, number[]> {
  const starts = [0]
  for (let i = 1; i < operations.length; i++) {
    if (compareStamps(operations[i - 1] as Placed, operations[i] as Placed) > 0) starts.push(i)
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return starts
}

interface Runs {
  readonly source: readonly Placed[]
  readonly from: number
  readonly middle: number
  readonly to: number
}

/** Merges two neighbouring runs of `source` into the same places of `target`. */
function* merge({ source, from, middle, to }: Runs, target: Placed[], meter: Meter): Generator<void, void> {
  let left = from
  let right = middle
  for (let at = from; at < to; at++) {
    const isLeft = right >= to || (left < middle && compareStamps(source[left] as Placed, source[right] as Placed) <= 0)
    target[at] = source[isLeft ? left++ : right++] as Placed
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
}
