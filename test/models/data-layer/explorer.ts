/**
 * Explores a model with random schedules. A schedule is a configuration and an array of integers; each integer is one
 * step. A run throws a `Violation` when an invariant does not hold. A mutant is a rule left out: a run of it has to
 * throw on some schedule, else nothing shows that the rule is needed or that the oracle looks.
 */
import fc from 'fast-check'

export type Counts = Record<string, number>

export class Violation extends Error {}

export function fail(what: string): never {
  throw new Violation(what)
}

export interface Model<Config> {
  readonly name: string
  readonly configs: fc.Arbitrary<Config>
  /** Values that make a counterexample easier to read. */
  readonly simpler: readonly Partial<Config>[]
  /** The name of each mutant, and the rule that it leaves out. */
  readonly mutants: Readonly<Record<string, string>>
  readonly stepsMax: number
  run(config: Config, steps: readonly number[], mutant: string, trace?: string[]): Counts
  /** Schedules that chance hits too seldom. */
  readonly directed: Readonly<Record<string, (mutant: string) => void>>
}

export interface Schedule {
  readonly config: unknown
  readonly steps: readonly number[]
}

export interface Exploration {
  readonly runs: number
  readonly counts: Counts
  /** The shortest schedule that was found to break an invariant. */
  readonly found?: Schedule
}

/** A model whose configuration only it knows. */
export interface Explorer {
  readonly name: string
  readonly mutants: Readonly<Record<string, string>>
  explore(mutant: string, runs: number, seed: number): Exploration
  /** What a directed schedule breaks, if one does. */
  directed(mutant: string): string | undefined
  /** What this schedule breaks, if it does, with its steps in `trace`. */
  replay(schedule: Schedule, mutant: string, trace?: string[]): string | undefined
}

export const NO_MUTANT = 'none'

export function explorerOf<Config>(model: Model<Config>): Explorer {
  const broken = (run: () => void): string | undefined => {
    try {
      run()
      return undefined
    } catch (error) {
      return error instanceof Violation ? error.message : String((error as Error).stack)
    }
  }
  return {
    name: model.name,
    mutants: model.mutants,
    explore: (mutant, runs, seed) => {
      const counts: Counts = {}
      const steps = fc.array(fc.nat(0x7fffffff), { minLength: 1, maxLength: model.stepsMax, size: 'max' })
      const property = fc.property(model.configs, steps, (config, list) => {
        add(counts, model.run(config, list, mutant))
      })
      const out = fc.check(property, { numRuns: runs, seed, endOnFailure: false })
      if (out.counterexample === null) return { runs: out.numRuns, counts }
      const [config, list] = shortened(model, out.counterexample, mutant)
      return { runs: out.numRuns, counts, found: { config, steps: list } }
    },
    directed: (mutant) => {
      for (const [name, go] of Object.entries(model.directed)) {
        const what = broken(() => go(mutant))
        if (what !== undefined) return `${name}: ${what}`
      }
      return undefined
    },
    replay: ({ config, steps }, mutant, trace) => broken(() => model.run(config as Config, steps, mutant, trace)),
  }
}

/** Leaves out steps, one at a time, after fast-check has shrunk them; then makes the configuration simpler. */
function shortened<Config>(
  model: Model<Config>,
  [config, list]: readonly [Config, readonly number[]],
  mutant: string,
): [Config, readonly number[]] {
  const fails = (c: Config, steps: readonly number[]): boolean => {
    try {
      model.run(c, steps, mutant)
      return false
    } catch {
      return true
    }
  }
  let steps = list
  for (let again = true; again;) {
    again = false
    for (let i = steps.length - 1; i >= 0; i--) {
      const fewer = steps.filter((_, j) => j !== i)
      if (!fails(config, fewer)) continue
      steps = fewer
      again = true
    }
  }
  let simplest = config
  for (const change of model.simpler) {
    const simpler = { ...simplest, ...change }
    if (fails(simpler, steps)) simplest = simpler
  }
  return [simplest, steps]
}

function add(counts: Counts, more: Counts): void {
  for (const name in more) counts[name] = (counts[name] ?? 0) + more[name]!
}

/** A list of kinds of steps, repeated to 64: the favourites of one run. */
export const spread = (list: readonly number[]): readonly number[] =>
  Array.from({ length: 64 }, (_, i) => list[i % list.length]!)
