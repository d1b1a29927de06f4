/**
 * Whether a strategy of your own keeps what every strategy promises (`crdt/strategy.ts`): random
 * histories of several replicas, each judged by every law (`laws/laws.ts`), and a counterexample
 * that is as small as it gets. A function, not a test: call it in vitest, in node:test or in a
 * script.
 *
 * What is drawn are steps (who writes what, who hears of what) after Claessen and Hughes [1], with
 * fast-check; operations come of playing them. So verbs that look at the state work, and a shorter
 * history is a history.
 *
 * A strategy that converges on a wrong value breaks no law by itself: claim what is right with
 * `expected`, `invariant` or `observedRemove`.
 *
 * Cost: some 0.2 ms a history for small states, most of it encoding.
 *
 * 1. Koen Claessen, John Hughes, "QuickCheck: a lightweight tool for random testing of Haskell
 *    programs", ICFP 2000.
 */
import { shownValue } from '../crdt/shown-kind.ts'
import { checkOptions, isWholeFrom, optionNames } from '../crdt/checked-options.ts'
import fc from 'fast-check'
import type { AnyStrategy } from '../crdt/strategy.ts'
import { WarpError } from '../crdt/warp-error.ts'
import { lawSteps } from './arbitraries.ts'
import type { Claims } from './laws/claims.ts'
import { type Counterexample, counterexampleOf } from './laws/counterexample.ts'
import { type BrokenLaw, type Examination, type LawCase, examine } from './laws/examine.ts'
import { REPLICAS_MAX } from './laws/law-history.ts'
import type { VerbCall } from './laws/law-operation.ts'
import { type LawName, lawsFor } from './laws/laws.ts'
import { minimiseSteps } from './laws/minimise-steps.ts'
import type { ReferenceReplica } from './laws/reference-replica.ts'

export interface CheckStrategyOptions extends Claims {
  /** What replicas do; see `operationsOf`. Few and small values find most, because they meet. */
  readonly operations: fc.Arbitrary<VerbCall>
  /** Histories. Default 1,000. */
  readonly runs?: number
  /** Default: fast-check's global one, else another each time. */
  readonly seed?: number
  /** From a counterexample: goes straight to it. Needs its seed. */
  readonly path?: string
  /** 2 to 5 replicas write. Default 3. */
  readonly replicas?: number
  /** The most steps of a history. Default 14: short ones find nearly everything. */
  readonly stepsMax?: number
  /**
   * Fits an intent to the replica that runs it, an index to the length of its list, say.
   * `undefined`: not this time.
   */
  readonly fit?: (intent: VerbCall, replica: ReferenceReplica) => VerbCall | undefined
}

export interface StrategyReport {
  /** The strategy's. */
  readonly kind: string
  readonly runs: number
  readonly seed: number
  /** What was asked of every history. */
  readonly laws: readonly LawName[]
  readonly operationsCount: number
  /** Writes that a verb refused. Many of them, and the histories are short. */
  readonly refusedCount: number
  /** `undefined`: every law holds. */
  readonly counterexample: Counterexample | undefined
}

const OPTIONS = optionNames<CheckStrategyOptions>({
  operations: true,
  runs: true,
  seed: true,
  path: true,
  replicas: true,
  stepsMax: true,
  fit: true,
  encodable: true,
  expected: true,
  invariant: true,
  observedRemove: true,
  merge: true,
  idempotent: true,
})

/** Throws `WARP_E_LAW` with the counterexample as its message if a law is broken. */
export function checkStrategy(strategy: AnyStrategy, options: CheckStrategyOptions): StrategyReport {
  const report = examineStrategy(strategy, options)
  const { counterexample } = report
  if (counterexample === undefined) return report
  const { law, seed, path, operations } = counterexample
  throw new WarpError('WARP_E_LAW', counterexample.text, {
    details: { law, seed, path, operations: operations.length, kind: report.kind },
  })
}

/**
 * The same, with a counterexample in the report instead of an error. Throws `WARP_E_CONFIG` where
 * nothing can be examined.
 */
export function examineStrategy(strategy: AnyStrategy, options: CheckStrategyOptions): StrategyReport {
  checkOptions('checkStrategy', options, OPTIONS)
  checkBounds(options)
  const search = new Search(strategy, options)
  const found = fc.check(search.property, parametersOf(options))
  const counterexample = found.failed ? search.minimised(found) : undefined
  if (counterexample === undefined && search.operationsCount === 0) throw nothingWritten(search.firstRefusal)
  const { operationsCount, refusedCount } = search
  return {
    kind: strategy.kind,
    runs: found.numRuns,
    seed: found.seed,
    laws: lawsFor(options),
    operationsCount,
    refusedCount,
    counterexample,
  }
}

class Search {
  readonly property: fc.IProperty<[LawCase]>
  operationsCount = 0
  refusedCount = 0
  firstRefusal: WarpError | undefined
  readonly #examination: Examination
  /** Of the last history that broke one, which is the smallest so far: histories are shrunk. */
  #broken: { readonly law: BrokenLaw; readonly order: number; readonly steps: LawCase['steps'] } | undefined

  constructor(strategy: AnyStrategy, options: CheckStrategyOptions) {
    const { operations, replicas = 3, stepsMax = 14, fit } = options
    this.#examination = {
      strategy,
      replicas,
      claims: options,
      ...(fit === undefined ? {} : { fit }),
      written: (count) => (this.operationsCount += count),
      refused: (error) => {
        this.refusedCount++
        this.firstRefusal ??= error
      },
    }
    const steps = lawSteps(operations, { replicas, stepsMax, deletes: strategy.deletes !== 'refused' })
    this.property = fc.property(fc.record({ steps, order: fc.nat() }), (drawn) => !this.#breaks(drawn))
  }

  minimised(found: {
    readonly seed: number
    readonly counterexamplePath: string | null
    readonly numRuns: number
  }): Counterexample | undefined {
    const first = this.#broken
    if (first === undefined) return undefined
    minimiseSteps(first.steps, (steps) => this.#breaks({ steps, order: first.order }))
    const { seed, counterexamplePath, numRuns: runs } = found
    const { kind } = this.#examination.strategy
    return counterexampleOf(this.#broken?.law ?? first.law, { kind, seed, path: counterexamplePath ?? '', runs })
  }

  #breaks(drawn: LawCase): boolean {
    const law = examine(this.#examination, drawn)
    if (law === undefined) return false
    this.#broken = { law, order: drawn.order, steps: drawn.steps }
    return true
  }
}

function parametersOf({ runs = 1000, seed, path }: CheckStrategyOptions): fc.Parameters<[LawCase]> {
  return {
    numRuns: runs,
    ...(seed === undefined ? {} : { seed }),
    ...(path === undefined || path === '' ? {} : { path }),
  }
}

function checkBounds({ operations, runs = 1, replicas = 3, stepsMax = 1, path, seed }: CheckStrategyOptions): void {
  // Another copy of fast-check has a class of its own.
  if (typeof (operations as Partial<typeof operations> | undefined)?.generate !== 'function')
    throw new WarpError(
      'WARP_E_CONFIG',
      'operations: there is no arbitrary; operationsOf(strategy, { verb: [...] }) makes one',
    )
  checkCount('runs', runs, 1)
  checkCount('replicas', replicas, 2, REPLICAS_MAX)
  checkCount('stepsMax', stepsMax, 1)
  if (path !== undefined && seed === undefined)
    throw new WarpError('WARP_E_CONFIG', 'path: is worth nothing without the seed beside it')
}

function checkCount(name: string, count: number, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (isWholeFrom(count, min, max)) return
  throw new WarpError('WARP_E_CONFIG', `${name}: ${shownValue(count)} is not an integer from ${min} to ${max}`)
}

function nothingWritten(refusal: WarpError | undefined): WarpError {
  const why =
    refusal === undefined ? 'no verb had anything to write' : 'every verb refused; the cause is the first refusal'
  return new WarpError('WARP_E_CONFIG', `operations: nothing was ever written, so nothing was examined: ${why}`, {
    cause: refusal,
  })
}
