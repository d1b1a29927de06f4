/**
 * `simulate`: puts keyspaces and a workload under everything that can go wrong, in virtual time,
 * from one seed. The engines are the real ones. The same seed on the same commit gives the same
 * run, step by step (`hash`). When an invariant is violated, the scenario is made small and told as
 * a time line.
 *
 * It takes no test runner: throw away the result or assert on `violations`.
 */
import { shownValue } from '../../crdt/shown-kind.ts'
import { checkOptions, isNumberFrom, isWholeFrom, optionNames } from '../../crdt/checked-options.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { CheckerFactory, Moment } from '../checkers/checker.ts'
import { dataCheckers, defaultCheckers, orderCheckers } from '../checkers/default-checkers.ts'
import { DATA_KEYS } from './data/data-keys.ts'
import { DATA_WORKLOAD } from './data/data-workload.ts'
import { DEFAULT_KEYS } from './default-keys.ts'
import { DATA_FAULT_KINDS, FAULT_KINDS, ORDER_FAULT_KINDS, type FaultKind } from './faults/fault-plan.ts'
import type { FoundViolation } from './report/found-violations.ts'
import { minimiseRun } from './minimise.ts'
import { ORDER_KEYS } from './order/order-keys.ts'
import { ORDER_WORKLOAD } from './order/order-workload.ts'
import { run, type RunResult, type Scenario } from './run.ts'
import type { RunHistory } from './report/run-history.ts'
import { shortly } from './report/shown.ts'
import { spaceTimeDiagram } from './report/space-time-diagram.ts'
import { timeLineText } from './report/time-line-text.ts'
import { DEFAULT_WORKLOAD, type Workload } from './workload.ts'

export interface SimulateOptions {
  /** Names the run: everything that is random follows from it. Default 1. */
  readonly seed?: number | string
  /** Default: every strategy, with different retention and times to live. */
  readonly keys?: KeyMap
  /**
   * What the users do: asked for each call. Needed with `keys` of your own. What can never be done
   * (a verb that the strategy does not have, a key that no pattern matches, a parameter of the
   * wrong type) ends the simulation with `WARP_E_CONFIG`; what only the present state forbids is a
   * failed call.
   */
  readonly workload?: Workload
  /**
   * `'elsewhere'`: what is kept is in a database and behind an API, which are simulated as well, and
   * Warp holds copies of it and writes on their way there. Keys and workload are given then.
   */
  readonly data?: 'here' | 'elsewhere'
  /**
   * `'simulated'`: there is an ordered log, which is simulated as well, with what brokers do to those who
   * use one. Users have strong keys, transactions and locks. Keys and workload are given then.
   * `'broken'`: the same, and in the end the log loses what it had acknowledged.
   */
  readonly order?: 'none' | 'simulated' | 'broken'
  /** What may go wrong; each seed draws some of it. Default: everything. */
  readonly faults?: readonly FaultKind[]
  /** Machines at the beginning. Default 5. */
  readonly replicas?: number
  /**
   * Virtual seconds of use: a tenth without faults, the rest with. Coming to rest and verifying is
   * on top. Default 120.
   */
  readonly seconds?: number
  /**
   * Your own invariants: called at each verification, returns what is wrong, in sentences, if
   * anything. Throwing is a violation too.
   */
  readonly check?: (moment: Moment) => readonly string[] | undefined | Promise<readonly string[] | undefined>
  /** Further checkers, beside Warp's own. */
  readonly checkers?: readonly CheckerFactory[]
  /** Makes a failing scenario small, which takes some dozens of runs. Default `true`. */
  readonly minimise?: boolean
  /**
   * Draws the diagram and writes the time line of a run that does not fail as well. Default
   * `false`.
   */
  readonly explain?: boolean
  /** Ends the run, or making it small, between two steps of virtual time, with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

export interface Simulated {
  readonly seed: number | string
  readonly isClean: boolean
  /**
   * Each once, in the order in which they were found. That every write was refused is one too: then
   * nothing was checked.
   */
  readonly violations: readonly FoundViolation[]
  /** Over all that has happened. */
  readonly hash: string
  /** What was drawn for this seed. */
  readonly faults: readonly FaultKind[]
  readonly virtualMs: number
  /** How long the replicas took to come to rest when the faults had ended. */
  readonly restMs: number
  /**
   * How often each thing happened; the key `kind during writes` counts those while a write was
   * being stored.
   */
  readonly occurred: ReadonlyMap<string, number>
  /**
   * How often a check held back because the documentation does not promise what it asks for, or
   * there was nothing to check, by reason.
   */
  readonly exempted: ReadonlyMap<string, number>
  readonly history: RunHistory
  /** Of a run that fails, or is explained. */
  readonly explanation?: Explanation
}

export interface Explanation {
  readonly scenario: {
    readonly faults: readonly FaultKind[]
    readonly replicas: number
    readonly seconds: number
    readonly callsPerSecond?: number
  }
  readonly violations: readonly FoundViolation[]
  /** What each machine did, a line per step, and what the marks stand for. */
  readonly timeLine: string
  /** The same as a space-time diagram: SVG. */
  readonly svg: string
}

const REPLICAS_MAX = 64
const OPTIONS = optionNames<SimulateOptions>({
  seed: true,
  keys: true,
  workload: true,
  data: true,
  order: true,
  faults: true,
  replicas: true,
  seconds: true,
  check: true,
  checkers: true,
  minimise: true,
  explain: true,
  signal: true,
})

/** Runs one simulation. Throws `WARP_E_CONFIG` and `WARP_E_ABORTED`. */
export async function simulate(options: SimulateOptions = {}): Promise<Simulated> {
  checkOptions('simulate', options, OPTIONS)
  const scenario = scenarioOf(options)
  const factories = [...checkersOf(scenario), ...(options.checkers ?? []), ownChecker(options)]
  const play = (one: Scenario, keepsSteps = false): Promise<RunResult> =>
    run(one, { checkers: factories.map((make) => make({ keys: scenario.keys })), keepsSteps, signal: options.signal })
  const result = await play(scenario)
  const hasFailed = result.violations.length > 0
  if (!hasFailed && options.explain !== true) return simulated(scenario, result)
  try {
    const isMinimised = hasFailed && options.minimise !== false
    const small = isMinimised ? (await minimiseRun({ scenario, result, run: play })).scenario : scenario
    return simulated(scenario, result, explanationOf(small, await play(small, true)))
  } catch (error) {
    throw isWarpError(error, 'WARP_E_ABORTED') ? abortedAfter(result, error) : error
  }
}

/** What was found is not lost with the search for something smaller. */
function abortedAfter({ world, violations }: RunResult, error: WarpError): WarpError {
  const [first] = violations
  if (first === undefined) return error
  const { seed } = world.options
  const message = `simulate: seed ${seed} violates ${first.invariant}: ${first.message}; explaining it was given up`
  return new WarpError('WARP_E_ABORTED', message, {
    cause: error.cause,
    details: { seed, invariant: first.invariant },
  })
}

function scenarioOf(options: SimulateOptions): Scenario {
  const { seed = 1, replicas = 5, seconds = 120 } = options
  checkNumbers(replicas, seconds)
  const keepsDataElsewhere = isElsewhere(options)
  const isOrdered = hasOrder(options)
  const kinds = [
    ...FAULT_KINDS,
    ...(keepsDataElsewhere ? DATA_FAULT_KINDS : []),
    ...(isOrdered ? ORDER_FAULT_KINDS : []),
  ]
  const { faults = kinds } = options
  const unknown = faults.find((kind) => !kinds.includes(kind))
  if (unknown !== undefined) throw refused(`there is no fault '${unknown}'; there are ${kinds.join(', ')}`)
  const breaksOrder = options.order === 'broken'
  return { seed, faults, replicas, seconds, keepsDataElsewhere, isOrdered, breaksOrder, ...usersOf(options) }
}

function checkersOf({ keepsDataElsewhere, isOrdered }: Scenario): readonly CheckerFactory[] {
  if (isOrdered) return orderCheckers()
  return keepsDataElsewhere ? dataCheckers() : defaultCheckers()
}

function usersOf({ data, order, keys, workload }: SimulateOptions): Pick<Scenario, 'keys' | 'workload'> {
  if (data === 'elsewhere') return { keys: DATA_KEYS, workload: DATA_WORKLOAD }
  if (order === 'simulated' || order === 'broken') return { keys: ORDER_KEYS, workload: ORDER_WORKLOAD }
  if (keys !== undefined && workload === undefined)
    throw refused('keys are given and workload is not; say what users do with them')
  return { keys: keys ?? DEFAULT_KEYS, workload: workload ?? DEFAULT_WORKLOAD }
}

function isElsewhere({ data = 'here', keys, workload }: SimulateOptions): boolean {
  if (data !== 'here' && data !== 'elsewhere') throw refused(`data is ${shownValue(data)}; use 'here' or 'elsewhere'`)
  if (data === 'elsewhere' && (keys ?? workload) !== undefined)
    throw refused(`data is 'elsewhere', where keys and workload are given; leave them out`)
  return data === 'elsewhere'
}

function hasOrder({ order = 'none', data, keys, workload }: SimulateOptions): boolean {
  if (!['none', 'simulated', 'broken'].includes(order))
    throw refused(`order is ${shownValue(order)}; use 'none', 'simulated' or 'broken'`)
  if (order === 'none') return false
  if ((keys ?? workload) !== undefined)
    throw refused(`order is '${order}', where keys and workload are given; leave them out`)
  if (data === 'elsewhere') throw refused(`order is '${order}' and data is 'elsewhere'; simulate one of them at a time`)
  return true
}

function checkNumbers(replicas: number, seconds: number): void {
  if (!isWholeFrom(replicas, 1, REPLICAS_MAX)) {
    throw refused(`replicas is ${shownValue(replicas)}; it is a whole number from 1 to ${REPLICAS_MAX}`)
  }
  if (!(isNumberFrom(seconds, 0) && seconds > 0))
    throw refused(`seconds is ${shownValue(seconds)}; it is greater than 0`)
}

function refused(problem: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `simulate: ${problem}`)
}

function ownChecker({ check }: SimulateOptions): CheckerFactory {
  return () => ({
    name: 'own',
    async verify(moment) {
      let found: unknown
      try {
        found = await check?.(moment)
      } catch (error) {
        found = [error instanceof Error ? error.message : String(error)]
      }
      return sentencesOf(found).map((message) => ({ invariant: 'own', message }))
    },
  })
}

function sentencesOf(found: unknown): readonly string[] {
  if (found === undefined) return []
  if (Array.isArray(found) && found.every((one) => typeof one === 'string')) return found
  throw refused(`check returned ${shortly(found)}; it returns what is wrong as an array of sentences, [] if nothing is`)
}

function simulated({ seed }: Scenario, result: RunResult, explanation?: Explanation): Simulated {
  const { violations, hash, plan, virtualMs, restMs, world } = result
  const { history } = world
  return {
    ...{ seed, isClean: violations.length === 0, violations, hash, virtualMs, restMs, history },
    faults: plan.map(({ kind }) => kind),
    occurred: history.occurred,
    exempted: history.exempted,
    ...(explanation === undefined ? {} : { explanation }),
  }
}

function explanationOf(scenario: Scenario, { world, violations }: RunResult): Explanation {
  const { faults, replicas, seconds, callsPerSecond } = scenario
  const { steps } = world.trace
  const machines = world.machines.map(({ name }) => name)
  return {
    scenario: { faults, replicas, seconds, ...(callsPerSecond === undefined ? {} : { callsPerSecond }) },
    violations,
    timeLine: timeLineText(steps, machines),
    svg: spaceTimeDiagram(steps, machines),
  }
}
