/**
 * The names that operations have now, by the names that they had before they were issued again. A
 * replica issues its operations again in their order, so that names follow each other on both sides
 * mostly. They are kept as runs: a hundred thousand operations are one entry, or few.
 */
import { isSameDot, type Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'

/** The names `from` to `through` have become those that begin with `present`, in the same order. */
interface Run {
  readonly from: number
  through: number
  readonly present: Dot
}

export class PresentNames {
  /** By the former replica, ascending, without overlaps. The replica that came first is the first. */
  readonly #runs = new Map<ReplicaId, Run[]>()
  readonly #runsMax: number
  #size = 0

  /** Of more runs than `runsMax` the lowest of the replica that came first is forgotten. */
  constructor(runsMax: number = Infinity) {
    this.#runsMax = runsMax
  }

  /** How many runs. */
  get size(): number {
    return this.#size
  }

  of({ replica, sequence }: Dot): Dot | undefined {
    const runs = this.#runs.get(replica)
    const run = runs?.[indexOf(runs, sequence)]
    return run !== undefined && run.from <= sequence ? presentIn(run, sequence) : undefined
  }

  /** A later name takes the place of an earlier one. */
  note({ replica, sequence }: Dot, { replica: by, sequence: now }: Dot): void {
    const runs = this.#runsOf(replica)
    const at = indexOf(runs, sequence)
    const present = { replica: by, sequence: now }
    const run = runs[at]
    if (run !== undefined && run.from <= sequence) {
      if (isSameDot(presentIn(run, sequence), present)) return
      this.#replace(runs, at, 1, [
        upTo(run, sequence - 1),
        { from: sequence, through: sequence, present },
        after(run, sequence),
      ])
      return
    }
    const before = runs[at - 1]
    if (before?.through === sequence - 1 && isSameDot(presentIn(before, sequence), present)) before.through = sequence
    else this.#replace(runs, at, 0, [{ from: sequence, through: sequence, present }])
  }

  #runsOf(replica: ReplicaId): Run[] {
    const known = this.#runs.get(replica)
    if (known !== undefined) return known
    const runs: Run[] = []
    this.#runs.set(replica, runs)
    return runs
  }

  #replace(runs: Run[], at: number, count: number, by: readonly (Run | undefined)[]): void {
    const those = by.filter((run) => run !== undefined)
    runs.splice(at, count, ...those)
    this.#size += those.length - count
    while (this.#size > this.#runsMax) this.#forgetLowest()
  }

  #forgetLowest(): void {
    for (const [replica, runs] of this.#runs) {
      if (runs.shift() !== undefined) {
        this.#size--
        return
      }
      this.#runs.delete(replica)
    }
  }
}

/** Where the first run is that does not end before `sequence`. */
function indexOf(runs: readonly Run[], sequence: number): number {
  let low = 0
  let high = runs.length
  // Names come in their order: most are behind the last one.
  if (high > 0 && runs[high - 1]!.through < sequence) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if (runs[middle]!.through >= sequence) high = middle
    else low = middle + 1
  }
  return low
}

function presentIn({ from, present }: Run, sequence: number): Dot {
  return { replica: present.replica, sequence: present.sequence + sequence - from }
}

function upTo(run: Run, through: number): Run | undefined {
  return run.from > through ? undefined : { ...run, through }
}

function after(run: Run, sequence: number): Run | undefined {
  const from = sequence + 1
  return from > run.through ? undefined : { from, through: run.through, present: presentIn(run, from) }
}
