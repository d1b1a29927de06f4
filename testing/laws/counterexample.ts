/**
 * A broken law as data and as a person reads it:
 *
 *     the strategy 'last-by-arrival' breaks the law of order: operations give the same state in whatever causal order they come, ...
 *
 *       a1  set("x")  by a, stamped 1,  having seen nothing
 *       b1  set("y")  by b, stamped 1,  having seen nothing
 *
 *     delivered in the order b1, a1:
 *       "x"
 *     delivered in the order a1, b1:
 *       "y"
 *
 *     case 3 of 1000; to repeat it: checkStrategy(strategy, { ..., seed: 20111, path: "2:1" })
 */
import { describeOperations, nameOf } from './describe.ts'
import type { BrokenLaw } from './examine.ts'
import { hasObserved, type LawOperation } from './law-operation.ts'
import type { LawName } from './laws.ts'
import type { Outcome } from './trial.ts'

export interface CounterexampleOperation {
  /**
   * `b2` is the second operation of replica b; sequences have gaps where other keys were written in
   * between.
   */
  readonly name: string
  readonly replica: string
  /** `undefined` for a delete of the whole key. */
  readonly verb: string | undefined
  readonly parameters: readonly unknown[]
  readonly hlc: number
  /** Names of the operations that its writer had seen. */
  readonly seen: readonly string[]
}

export interface Counterexample {
  readonly law: LawName
  readonly statement: string
  /** In canonical order. None can be left out. */
  readonly operations: readonly CounterexampleOperation[]
  /** What ought to have been one. */
  readonly outcomes: readonly Outcome[]
  readonly seed: number
  readonly path: string
  /** All of this for a person. */
  readonly text: string
}

export interface FoundAt {
  readonly kind: string
  readonly seed: number
  readonly path: string
  /** How many histories had been played. */
  readonly runs: number
}

export function counterexampleOf({ law, operations, outcomes }: BrokenLaw, at: FoundAt): Counterexample {
  const { seed, path } = at
  const text = [
    `the strategy '${at.kind}' breaks the law of ${law.name}: ${law.statement}`,
    '',
    ...describeOperations(operations).map((line) => `  ${line}`),
    ...(operations.length === 0 ? [] : ['']),
    ...outcomes.flatMap(({ how, result }) => [`${how}:`, `  ${result}`]),
    '',
    `history ${at.runs}; to repeat it: checkStrategy(strategy, { ..., seed: ${seed}, path: ${JSON.stringify(path)} })`,
    '',
  ].join('\n')
  const { name, statement } = law
  return {
    law: name,
    statement,
    operations: operations.map((one) => told(one, operations)),
    outcomes,
    seed,
    path,
    text,
  }
}

function told(operation: LawOperation, all: readonly LawOperation[]): CounterexampleOperation {
  const { replica, hlc, intent } = operation
  return {
    name: nameOf(operation),
    replica: replica.slice(0, 1),
    verb: intent?.verb,
    parameters: intent?.parameters ?? [],
    hlc,
    seen: all.filter((other) => other !== operation && hasObserved(operation, other)).map(nameOf),
  }
}
