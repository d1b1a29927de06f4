/**
 * The violations of a run. A verification asks everything again, so most are found in every phase:
 * each is kept once, with when it was seen.
 */
import type { Moment, Violation } from '../../checkers/checker.ts'

/**
 * `'running'`: when it happened, or while the replicas came to rest. The others are those of a
 * `Moment`.
 */
export type FoundPhase = 'running' | Moment['phase']

export interface FoundViolation extends Violation {
  readonly phases: readonly FoundPhase[]
}

export class FoundViolations {
  readonly #found = new Map<string, FoundViolation & { readonly phases: FoundPhase[] }>()

  /** In the order in which they were found. */
  get list(): readonly FoundViolation[] {
    return [...this.#found.values()]
  }

  add(violation: Violation, phase: FoundPhase = 'running'): void {
    const name = JSON.stringify([violation.invariant, violation.message])
    const known = this.#found.get(name)
    if (known === undefined) this.#found.set(name, { ...violation, phases: [phase] })
    else if (!known.phases.includes(phase)) known.phases.push(phase)
  }
}
