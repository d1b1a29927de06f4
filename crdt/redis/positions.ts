/**
 * Where the elements of a list are: each has a position that never changes, and all positions of all
 * replicas have one total order. So replicas that hold the same elements hold the same list, a removal
 * names positions, and nothing has to be kept of what was removed.
 *
 * Pushing to the right, or to the left, makes a position out of the side, a number that is greater
 * than those of all elements that the writer sees (and no less than the milliseconds of his clock, so
 * that pushes of several replicas mix by time, as queues want it), the operation's dot, and the place
 * among what is pushed at once, which stays together. An element that is inserted beside another one
 * has the position of that one and a step behind it; of those inserted on one side of an element, the
 * later one is nearer to it.
 */
import type { ReplicaId } from '../time/replica-id.ts'

/** -1 is the left. */
export type Side = -1 | 1

export interface Step {
  readonly side: Side
  readonly order: number
  readonly replica: ReplicaId
  readonly sequence: number
}

export interface Position extends Step {
  /** Among what was pushed at once. */
  readonly index: number
  readonly inserted: readonly Step[]
}

export const NOT_INSERTED: readonly Step[] = Object.freeze([])

export function comparePositions(a: Position, b: Position): number {
  if (a.side !== b.side) return a.side - b.side
  const pushed = compareSteps(a, b)
  if (pushed !== 0) return pushed * a.side
  if (a.index !== b.index) return (a.index - b.index) * a.side
  for (let i = 0; ; i++) {
    const [one, other] = [a.inserted[i], b.inserted[i]]
    if (one === undefined) return other === undefined ? 0 : -other.side
    if (other === undefined) return one.side
    if (one.side !== other.side) return one.side - other.side
    const inserted = compareSteps(one, other)
    if (inserted !== 0) return -inserted * one.side
  }
}

function compareSteps(a: Step, b: Step): number {
  if (a.order !== b.order) return a.order - b.order
  if (a.replica !== b.replica) return a.replica < b.replica ? -1 : 1
  return a.sequence - b.sequence
}
