/**
 * Makes a failing scenario small: leaves out kinds of faults (in halves, then quarters, then one by
 * one, after Zeller's ddmin, 2002), then machines, time and calls, as long as the run still fails
 * in the same way. What one kind of fault draws does not depend on the others, so most failures
 * survive it.
 *
 * Cost: some dozens of runs.
 */
import type { FaultKind } from './faults/fault-plan.ts'
import type { RunResult, Scenario } from './run.ts'

export interface MinimiseOptions {
  readonly scenario: Scenario
  /** The run that failed. */
  readonly result: RunResult
  readonly run: (scenario: Scenario) => Promise<RunResult>
  /** Runs at most. Default 60. */
  readonly runsMax?: number
}

export interface MinimisedRun {
  readonly scenario: Scenario
  readonly result: RunResult
  readonly runsCount: number
}

const RUNS_MAX = 60
const SECONDS_MIN = 4

export async function minimiseRun(options: MinimiseOptions): Promise<MinimisedRun> {
  return new Minimiser(options).run()
}

class Minimiser {
  readonly #options: MinimiseOptions
  #scenario: Scenario
  #result: RunResult
  #runsCount = 0

  constructor(options: MinimiseOptions) {
    this.#options = options
    const planned = options.result.plan.map(({ kind }) => kind)
    this.#scenario = { ...options.scenario, faults: planned }
    this.#result = options.result
  }

  async run(): Promise<MinimisedRun> {
    await this.#faults()
    const { seconds, replicas } = this.#scenario
    // Another number of machines is another run altogether: what fails with three may not with
    // four.
    for (const fewer of [1, 2, 3, 4, Math.ceil(replicas / 2), replicas - 1])
      if (fewer >= 1 && fewer < replicas && (await this.#try({ replicas: fewer }))) break
    for (let share = 0.5; share < 0.95; share = (1 + share) / 2) {
      const shorter = Math.max(SECONDS_MIN, Math.round(seconds * share))
      if (shorter < this.#scenario.seconds && (await this.#try({ seconds: shorter }))) break
    }
    for (const callsPerSecond of [0.5, 1, 2]) if (await this.#try({ callsPerSecond })) break
    await this.#faults()
    return { scenario: this.#scenario, result: this.#result, runsCount: this.#runsCount }
  }

  async #faults(): Promise<void> {
    for (
      let size = Math.ceil(this.#scenario.faults.length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < this.#scenario.faults.length;) {
        const faults: FaultKind[] = this.#scenario.faults.filter((_, i) => i < at || i >= at + size)
        if (!(await this.#try({ faults }))) at += size
      }
    }
  }

  /** Takes the change if the run still fails in the same way. */
  async #try(change: Partial<Scenario>): Promise<boolean> {
    if (this.#runsCount >= (this.#options.runsMax ?? RUNS_MAX)) return false
    this.#runsCount++
    const scenario = { ...this.#scenario, ...change }
    const result = await this.#options.run(scenario)
    const wanted = this.#options.result.violations[0]?.invariant
    if (!result.violations.some(({ invariant }) => invariant === wanted)) return false
    this.#scenario = scenario
    this.#result = result
    return true
  }
}
