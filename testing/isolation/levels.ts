/**
 * Isolation levels, and which anomaly rules out which. A level that is ruled out takes all stronger
 * ones with it.
 *
 * The lattice and the assignment are Elle's, as far as the anomalies found here reach. One is
 * added: parallel snapshot isolation forbids a cycle with a single anti-dependency (3).
 *
 * 1. Atul Adya, "Weak consistency", PhD thesis, MIT, 1999.
 * 2. Kyle Kingsbury, Peter Alvaro, "Elle: inferring isolation anomalies from experimental
 *    observations", VLDB 14(3), 2020.
 * 3. Giovanni Bernardi, Alexey Gotsman, "Robustness against consistency models with atomic
 *    visibility", CONCUR 2016.
 */
import type { AnomalyName } from './anomaly.ts'

/**
 * From the weakest to the strongest, as far as they can be compared. `LEVELS` says which includes
 * which.
 */
export type IsolationLevel =
  | 'read-uncommitted'
  | 'read-committed'
  | 'read-atomic'
  | 'cursor-stability'
  | 'repeatable-read'
  | 'consistent-view'
  | 'parallel-snapshot-isolation'
  | 'snapshot-isolation'
  | 'serializable'
  | 'strong-session-snapshot-isolation'
  | 'strong-session-serializable'
  | 'strong-snapshot-isolation'
  | 'strict-serializable'

interface Level {
  /** The weaker levels directly below. */
  readonly includes: readonly IsolationLevel[]
  /** What it forbids beyond those. */
  readonly forbids: readonly AnomalyName[]
}

export const LEVELS: Readonly<Record<IsolationLevel, Level>> = {
  'read-uncommitted': { includes: [], forbids: ['G0', 'garbage-read', 'duplicate-elements'] },
  'read-committed': {
    includes: ['read-uncommitted'],
    forbids: ['G1a', 'G1b', 'G1c', 'dirty-update', 'incompatible-order', 'cyclic-versions', 'future-read'],
  },
  'read-atomic': { includes: ['read-committed'], forbids: ['internal'] },
  'cursor-stability': { includes: ['read-committed'], forbids: ['lost-update'] },
  'repeatable-read': {
    includes: ['cursor-stability'],
    forbids: ['G-single', 'G-nonadjacent', 'G2-item', 'internal'],
  },
  'consistent-view': { includes: ['cursor-stability'], forbids: ['G-single'] },
  'parallel-snapshot-isolation': { includes: ['read-atomic'], forbids: ['lost-update', 'G-single'] },
  'snapshot-isolation': {
    includes: ['consistent-view', 'parallel-snapshot-isolation'],
    forbids: ['G-nonadjacent'],
  },
  serializable: { includes: ['repeatable-read', 'snapshot-isolation'], forbids: [] },
  'strong-session-snapshot-isolation': {
    includes: ['snapshot-isolation'],
    forbids: ['G0-process', 'G1c-process', 'G-single-process', 'G-nonadjacent-process'],
  },
  'strong-session-serializable': {
    includes: ['serializable', 'strong-session-snapshot-isolation'],
    forbids: ['G2-item-process'],
  },
  'strong-snapshot-isolation': {
    includes: ['strong-session-snapshot-isolation'],
    forbids: ['G0-realtime', 'G1c-realtime', 'G-single-realtime', 'G-nonadjacent-realtime'],
  },
  'strict-serializable': {
    includes: ['strong-session-serializable', 'strong-snapshot-isolation'],
    forbids: ['G2-item-realtime'],
  },
}

const NAMES = Object.keys(LEVELS) as IsolationLevel[] // the keys of the record above

/** The levels that a history with these anomalies does not have, weakest first. */
export function ruledOut(anomalies: readonly AnomalyName[]): IsolationLevel[] {
  const found = new Set(anomalies)
  const isOut = (name: IsolationLevel): boolean =>
    LEVELS[name].forbids.some((anomaly) => found.has(anomaly)) || LEVELS[name].includes.some(isOut)
  return NAMES.filter(isOut)
}

/**
 * Of some levels that are ruled out, those that include no other one of them: the weakest promises
 * that are broken.
 */
export function weakest(levels: readonly IsolationLevel[]): IsolationLevel[] {
  return levels.filter((level) => !levels.some((other) => other !== level && includes(level, other)))
}

/** Whether whatever has the level `stronger` has the level `weaker` too. */
export function includes(stronger: IsolationLevel, weaker: IsolationLevel): boolean {
  return stronger === weaker || LEVELS[stronger].includes.some((level) => includes(level, weaker))
}
