/**
 * W23, W25: every log is sound, and its values are the fold of its operations, computed a second
 * time in the plainest way; logs with the same operations have the same states. The work is done by
 * the audit (src/audit); this only says what of its findings is a violation.
 */
import type { FindingKind } from '../../src/audit/finding.ts'
import type { Checker } from './checker.ts'
import { rottenMachines } from './rotten.ts'

export function logChecker(): Checker {
  return {
    name: 'W25',
    verify({ audit, phase, history }) {
      if (phase !== 'replayed') return []
      const rotten = rottenMachines(history)
      return (audit?.findings ?? [])
        .filter(({ severity }) => severity === 'damage')
        .filter(({ kind, log }) => {
          const isDoneToIt = ROTS.has(kind) && rotten.has(log)
          if (isDoneToIt) history.exempt('the audit finds the bits that were flipped')
          return !isDoneToIt
        })
        .map(({ kind, log, message, key }) => ({
          ...{ invariant: 'W25', message: `${kind} in the log of ${log}: ${message}`, machine: log },
          ...(key === undefined ? {} : { key }),
        }))
    },
  }
}

/** What flipped bits look like. */
const ROTS: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'damaged',
  'malformed',
  'checkpoint',
  'missing',
  'cause',
  'chain',
])
