/**
 * Which isolation a database gave its transactions, judged from outside: by what they read and
 * wrote.
 *
 * The dependencies between transactions are inferred from values that were written once each
 * (`list-inference.ts`, `register-inference.ts`); a cycle of them is something that no serial
 * execution explains, and what it is made of says which levels allow it (`cycles.ts`, `levels.ts`).
 * An anomaly that is found is real. One that is not found may still be there: nobody may have read
 * what would show it.
 *
 * Cost: linear in the history as long as there is no cycle.
 *
 * 1. Kyle Kingsbury, Peter Alvaro, "Elle: inferring isolation anomalies from experimental
 *    observations", VLDB 14(3), 2020.
 * 2. Atul Adya, Barbara Liskov, Patrick O'Neil, "Generalized isolation level definitions", ICDE
 *    2000.
 */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import type { History } from '../history/history.ts'
import { type Anomaly, type AnomalyName, nameOf } from './anomaly.ts'
import { describeAnomalies, describeCycle } from './anomaly-text.ts'
import { type FoundCycle, findCycles } from './cycles.ts'
import { type Basis, DependencyGraph } from './dependencies.ts'
import type { Inference } from './inference.ts'
import { type IsolationLevel, ruledOut, weakest } from './levels.ts'
import { inferFromLists } from './list-inference.ts'
import { processPairs, realtimePairs } from './order-edges.ts'
import { inferFromRegisters } from './register-inference.ts'
import { type Transaction, type TransactionKind, indexWrites, readTransactions } from './transactions.ts'

/** Anomalies of one name that are reported; a broken database has thousands. */
const SAME_NAME_MAX = 8
const OPTIONS = optionNames<IsolationOptions>({ kind: true, level: true })

export interface IsolationOptions {
  /** What the keys hold. Default: lists if anything is appended, else registers. */
  readonly kind?: TransactionKind
  /** The level that was promised. Default: `'strict-serializable'`. */
  readonly level?: IsolationLevel
}

export interface IsolationVerdict {
  /** Whether nothing was found that the promised level forbids. */
  readonly isValid: boolean
  readonly anomalies: readonly Anomaly[]
  /** The levels that this history does not have, weakest first. */
  readonly ruledOut: readonly IsolationLevel[]
  /** Of those, the weakest. */
  readonly broken: readonly IsolationLevel[]
  /** All of this for a person. Empty if there is no anomaly. */
  readonly text: string
  /** Those that took part: all that committed, as far as is known. */
  readonly transactionsCount: number
}

/**
 * Judges a history of transactions. Throws `WARP_E_PROTOCOL` for one that cannot be judged; see
 * docs/histories.md.
 */
export function checkIsolation(history: History, options: IsolationOptions = {}): IsolationVerdict {
  checkOptions('checkIsolation', options, OPTIONS)
  const kind = options.kind ?? kindOf(history)
  const transactions = readTransactions(history, kind)
  const writes = indexWrites(transactions)
  const inference =
    kind === 'list-append' ? inferFromLists(transactions, writes) : inferFromRegisters(transactions, writes)
  const anomalies = fewOfEach([...inference.anomalies, ...cycleAnomalies(graphOf(transactions, inference))])
  const out = ruledOut(anomalies.map(({ name }) => name))
  return {
    isValid: !out.includes(options.level ?? 'strict-serializable'),
    anomalies,
    ruledOut: out,
    broken: weakest(out),
    text: describeAnomalies(anomalies, weakest(out)),
    transactionsCount: inference.committed.size,
  }
}

function kindOf({ events }: History): TransactionKind {
  const isAppend = (operation: unknown): boolean => Array.isArray(operation) && operation[0] === 'append'
  return events.some(({ value }) => Array.isArray(value) && value.some(isAppend)) ? 'list-append' : 'rw-register'
}

function graphOf(transactions: readonly Transaction[], inference: Inference): DependencyGraph {
  const committed = transactions.filter((transaction) => inference.committed.has(transaction))
  const graph = new DependencyGraph(committed)
  for (const dependency of inference.dependencies) graph.add(dependency)
  for (const { from, to } of processPairs(committed)) {
    const reason = `process ${from.process} invoked ${nameOf(to)} after ${nameOf(from)} had returned`
    graph.add({ from, to, kind: 'order', basis: 'process', reason })
  }
  for (const { from, to } of realtimePairs(committed)) {
    const reason = `${nameOf(from)} had returned before ${nameOf(to)} was invoked`
    graph.add({ from, to, kind: 'order', basis: 'realtime', reason })
  }
  return graph
}

/**
 * A name that ends in `-process` or `-realtime` adds something only if its cycles do not close
 * without that.
 */
function cycleAnomalies(graph: DependencyGraph): Anomaly[] {
  const bases: readonly Basis[] = ['data', 'process', 'realtime']
  const known = new Set<string>()
  return bases.flatMap((basis) => {
    const fresh = findCycles(graph, basis).filter(({ name }) => !known.has(name))
    for (const { name } of fresh) known.add(name)
    return fresh.map((cycle) => cycleAnomaly(cycle, basis))
  })
}

function cycleAnomaly({ name, edges }: FoundCycle, basis: Basis): Anomaly {
  const full: AnomalyName = basis === 'data' ? name : `${name}-${basis}`
  return { name: full, transactions: edges.map(({ from }) => from), text: describeCycle(full, edges), cycle: edges }
}

function fewOfEach(anomalies: readonly Anomaly[]): Anomaly[] {
  const counts = new Map<AnomalyName, number>()
  return anomalies.filter(({ name }) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return count <= SAME_NAME_MAX
  })
}
