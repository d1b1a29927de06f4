/**
 * W23, W25: every log is sound, and its values are the fold of its operations, computed a second time in the plainest way; logs with the same
 * operations have the same states. The work is done by the audit (src/audit); this only says what of its findings is a violation.
 */
import type { Checker } from './checker.ts'

export function logChecker(): Checker {
  return {
    name: 'W25',
    verify({ audit, phase }) {
      if (phase !== 'replayed') return []
      return (audit?.findings ?? [])
        .filter(({ severity }) => severity === 'damage')
        .map(({ kind, log, message, key }) => ({
          ...{ invariant: 'W25', message: `${kind} in the log of ${log}: ${message}`, machine: log },
          ...(key === undefined ? {} : { key }),
        }))
    },
  }
}
