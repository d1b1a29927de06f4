/**
 * Plays a history and asks every law about it. The first one that is broken is told; an error that
 * a strategy throws breaks the law that met it.
 */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import type { WarpError } from '../../crdt/warp-error.ts'
import type { Claims } from './claims.ts'
import { describeIntent } from './describe.ts'
import { type Digest, digestOf } from './digest.ts'
import { LawHistory, type LawStep, type LawWitness } from './law-history.ts'
import type { VerbCall, LawOperation } from './law-operation.ts'
import { LAW_OF_DETERMINISM, LAW_OF_EMPTY, LAWS, LAWS_OF_PLAY, type CheckedLaw, type Law } from './laws.ts'
import type { ReferenceReplica } from './reference-replica.ts'
import { type Finding, type Outcome, Trial, compare } from './trial.ts'

const DETERMINISM_ROUNDS = 4

export interface LawCase {
  readonly steps: readonly LawStep[]
  /** The seed of what the laws draw: orders of delivery, cuts. */
  readonly order: number
}

export interface BrokenLaw {
  readonly law: Law
  readonly operations: readonly LawOperation[]
  readonly outcomes: readonly Outcome[]
}

export interface Examination {
  readonly strategy: AnyStrategy
  readonly replicas: number
  readonly claims: Claims
  readonly fit?: NonNullable<LawWitness['fit']>
  refused?(error: WarpError): void
  written?(count: number): void
}

export function examine(examination: Examination, { steps, order }: LawCase): BrokenLaw | undefined {
  const { strategy, replicas, claims } = examination
  const history = new LawHistory(strategy, replicas)
  const watch = new Watch(examination)
  try {
    history.play(steps, watch)
  } catch (error) {
    const { law, finding } = watch.broken ?? { law: LAWS_OF_PLAY.total, finding: thrown('while replicas wrote', error) }
    return { law, operations: history.operations, outcomes: finding.outcomes }
  }
  examination.written?.(history.operations.length)
  const trial = new Trial(strategy, history, claims, order)
  // Without operations there is only the initial state, and one law for it.
  for (const law of history.operations.length === 0 ? [LAW_OF_EMPTY] : LAWS) {
    const finding = ask(law, trial)
    if (finding !== undefined) return whyBroken(trial, law, finding)
  }
  return undefined
}

/**
 * A strategy that does not always do the same breaks whatever law comes first; with few operations
 * by chance not the first.
 */
function whyBroken(trial: Trial, law: Law, { operations = trial.operations, outcomes }: Finding): BrokenLaw {
  for (let round = 0; round < DETERMINISM_ROUNDS; round++) {
    const finding = ask(LAW_OF_DETERMINISM, trial)
    if (finding !== undefined)
      return { law: LAW_OF_DETERMINISM, operations: trial.operations, outcomes: finding.outcomes }
  }
  return { law, operations, outcomes }
}

function ask(law: CheckedLaw, trial: Trial): Finding | undefined {
  try {
    return law.check(trial)
  } catch (error) {
    return thrown('while the law was checked', error)
  }
}

function thrown(how: string, error: unknown): Finding {
  return { outcomes: [{ how: `the strategy threw ${how}`, result: describeError(error) }] }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? `, because of ${describeError(error.cause)}` : ''
  return `${error.name}: ${error.message}${cause}`
}

/**
 * Ends the history where a law of play is broken: the error that it throws says no more than that.
 */
class Watch implements LawWitness {
  broken: { readonly law: Law; readonly finding: Finding } | undefined
  readonly #examination: Examination

  constructor(examination: Examination) {
    this.#examination = examination
  }

  fit(...[intent, replica]: Parameters<NonNullable<LawWitness['fit']>>): ReturnType<NonNullable<LawWitness['fit']>> {
    const { fit } = this.#examination
    return fit === undefined ? intent : fit(intent, replica)
  }

  refused(error: WarpError, replica: ReferenceReplica, intent: VerbCall): void {
    this.#examination.refused?.(error)
    if (isMutation(error.cause))
      this.#break(LAWS_OF_PLAY.mutation, thrown(`at ${describeIntent(intent)}, given frozen values`, error))
    // What such a verb leaves behind is worth nothing, and the engine knows.
    if (this.#examination.strategy.appliesOnPrepare === true) return
    const how = `replica ${replica.id.slice(0, 1)}, after ${describeIntent(intent)} was refused with ${error.code}`
    const finding = compare(
      { how: () => how, digest: this.#digest(replica.state) },
      { how: () => 'its log, folded again', digest: this.#digest(replica.stateFromScratch) },
    )
    if (finding !== undefined) this.#break(LAWS_OF_PLAY.refusal, finding)
  }

  stepped(replica: ReferenceReplica): void {
    try {
      this.#examination.claims.invariant?.(replica)
    } catch (error) {
      const result = describeError(error)
      this.#break(LAWS_OF_PLAY.invariant, { outcomes: [{ how: `replica ${replica.id.slice(0, 1)}`, result }] })
    }
  }

  #digest(state: unknown): Digest {
    return digestOf(this.#examination.strategy, state, this.#examination.claims.encodable)
  }

  #break(law: Law, finding: Finding): never {
    this.broken = { law, finding }
    throw new Error(law.statement)
  }
}

/** What engines say when something frozen is changed. */
const MUTATION =
  /read[- ]?only|not extensible|Cannot (?:add|delete|assign|redefine)|can't (?:define|delete)|Attempted to assign/i

function isMutation(cause: unknown): boolean {
  return cause instanceof TypeError && MUTATION.test(cause.message)
}
