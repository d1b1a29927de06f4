/**
 * Additions to one number, of which a later write takes away exactly those that its writer had seen,
 * without keeping each.
 *
 * A *run* is what one replica adds to a number, one addition after the other, until somebody takes
 * all of it away. It is named by the dot of its first addition; the others say in their payloads which
 * run they belong to, their place in it, and what the run had come to before them. So of a run it is
 * enough to know what it has come to, and up to where it has been taken away: its *cut*. Who writes
 * over the number names, for each run that he sees, the place and the total that he sees, and of two
 * cuts of a run the further one counts. The number is the sum over the runs of total minus cut.
 *
 * A run that is cut to its end is forgotten. A cut of a run that is not there is an old one: causes
 * come before effects, so what it takes away was here, and has gone. An addition to a run that is not
 * there says what came before it: that is the run's cut. So the state is a function of the additions
 * and cuts, in whatever causal order they come, and also where the engine leaves out the first ones
 * of a run because a delete cancels them.
 *
 * This is the reset of a counter with causal contexts [1], where the context is a place in a run, as
 * sums have no dots to keep.
 *
 * 1. C. Baquero, P. Almeida, C. Lerche: The problem with embedded CRDT counters and a solution.
 *    PaPoC 2016.
 */
import type { ReplicaId } from '../time/replica-id.ts'
import type { Stamp } from '../time/hlc.ts'
import { addExact, negated, type Exact } from './exact.ts'

/** The dot of a run's first addition. */
export interface RunName {
  readonly replica: ReplicaId
  readonly sequence: number
}

/** Additions up to a place in a run, counted from 0, and what they come to. */
export interface Cut extends RunName {
  readonly index: number
  readonly total: Exact
}

export interface Addition {
  readonly amount: Exact
  /** The run, the place in it, and what came before. Absent: the addition begins a run. */
  readonly within?: Cut
}

export interface Run extends Cut {
  /** -1 if nothing has been taken away. */
  readonly cutIndex: number
  readonly cut: Exact
  /** That of the last addition. */
  readonly stamp: Stamp
}

export const NO_RUNS: readonly Run[] = Object.freeze([])

/** What a replica writes to add to a number. */
export function additionOf(runs: readonly Run[], replica: ReplicaId, amount: Exact): Addition {
  let own: Run | undefined
  for (const run of runs) if (run.replica === replica && run.sequence >= (own?.sequence ?? 0)) own = run
  if (own === undefined) return { amount }
  return { amount, within: { replica, sequence: own.sequence, index: own.index + 1, total: own.total } }
}

export function withAddition(runs: readonly Run[], { amount, within }: Addition, stamp: Stamp): readonly Run[] {
  const { replica, sequence } = within ?? stamp
  const index = within?.index ?? 0
  const before = within?.total ?? 0
  const total = addExact(before, amount)
  const known = runs.find((run) => isSameRun(run, { replica, sequence }))
  if (known === undefined) {
    return [...runs, { replica, sequence, index, total, cutIndex: index - 1, cut: before, stamp }]
  }
  const next = { ...known, index, total, stamp }
  return runs.length === 1 ? [next] : runs.map((run) => (run === known ? next : run))
}

export function withCut(runs: readonly Run[], { replica, sequence, index, total }: Cut): readonly Run[] {
  const known = runs.find((run) => isSameRun(run, { replica, sequence }))
  if (known === undefined || index <= known.cutIndex) return runs
  if (index >= known.index) return runs.length === 1 ? NO_RUNS : runs.filter((run) => run !== known)
  return runs.map((run) => (run === known ? { ...known, cutIndex: index, cut: total } : run))
}

export function sumOf(runs: readonly Run[]): Exact {
  let sum: Exact = 0
  for (const { total, cut } of runs) sum = addExact(sum, cut === 0 ? total : addExact(total, negated(cut)))
  return sum
}

function isSameRun(one: RunName, other: RunName): boolean {
  return one.sequence === other.sequence && one.replica === other.replica
}
