/**
 * Anomalies as a person reads them.
 *
 *     G-single: a cycle with one anti-dependency
 *       T0 -wr-> T1  T1 read x as [1], of which T0 appended 1
 *       T1 -rw-> T0  T1 read y as [], without 1, which T0 appended
 */
import { type Anomaly, type AnomalyName, type CycleName, nameOf } from './anomaly.ts'
import type { Dependency } from './dependencies.ts'
import type { IsolationLevel } from './levels.ts'
import type { Transaction } from './transactions.ts'

const CYCLES: Readonly<Record<CycleName, string>> = {
  G0: 'a cycle of writes',
  G1c: 'a cycle of writes, and reads of them',
  'G-single': 'a cycle with one anti-dependency',
  'G-nonadjacent': 'a cycle with several anti-dependencies, no two in a row',
  'G2-item': 'a cycle with several anti-dependencies',
}

export function describeCycle(name: AnomalyName, edges: readonly Dependency[]): string {
  const kind = name.replace(/-(process|realtime)$/, '') as CycleName // what it is made of comes first in every such name
  const steps = edges.map(({ from, to, kind: edge, basis, reason }) => {
    const label = edge === 'order' ? basis : basis === 'data' ? edge : `${edge}, ${basis}`
    return `${nameOf(from)} -${label}-> ${nameOf(to)}  ${reason}`
  })
  return [CYCLES[kind], ...steps.map((step) => `  ${step}`)].join('\n')
}

/** Each anomaly, the transactions that take part in any, and which levels that rules out. */
export function describeAnomalies(anomalies: readonly Anomaly[], broken: readonly IsolationLevel[]): string {
  if (anomalies.length === 0) return ''
  const involved = [...new Set(anomalies.flatMap(({ transactions }) => transactions))]
  return [
    `this is not ${broken.join(', nor ')}`,
    '',
    ...anomalies.map(({ name, text }) => `${name}: ${text}`),
    '',
    ...involved.sort((a, b) => a.index - b.index).map(describeTransaction),
    '',
  ].join('\n')
}

/** `T3 (process 1): r x -> [1,2], append y 3`. */
function describeTransaction(transaction: Transaction): string {
  const { process: caller, outcome, operations } = transaction
  const steps = operations.map(({ kind, key, text }) => {
    if (kind === 'write') return `write ${key} ${text}`
    return outcome === 'ok' ? `read ${key} -> ${text}` : `read ${key}`
  })
  const end = outcome === 'ok' ? '' : ` (${outcome})`
  return `${nameOf(transaction)} (process ${caller}): ${steps.join(', ')}${end}`
}
