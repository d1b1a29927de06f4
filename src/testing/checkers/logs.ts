/**
 * W23, W25: every log is sound, and its values are the fold of its operations, computed a second time in the plainest way; logs with the same
 * operations have the same states. The work is done by the audit (src/audit); this only says what of its findings is a violation.
 */
import type { FindingKind } from '../../audit/finding.ts'
import type { RunHistory } from '../simulation/run-history.ts'
import type { Checker } from './checker.ts'

export function logChecker(): Checker {
  return {
    name: 'W25',
    verify({ audit, phase, history }) {
      if (phase !== 'replayed') return []
      const [rotten, reissuers] = [rottenLogs(history), reissuersOf(history)]
      return (audit?.findings ?? [])
        .filter(({ severity }) => severity === 'damage')
        .filter(({ kind, log, dot }) => {
          const isDoneToIt = ROTS.has(kind) && rotten.has(log)
          const isReissued = kind === 'cause' && dot !== undefined && reissuers.has(dot.replica)
          if (isDoneToIt) history.exempt('the audit finds the bits that were flipped')
          if (isReissued) history.exempt('what was issued again names what its writer had seen then')
          return !isDoneToIt && !isReissued
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

/** Machines whose present disk has rotted. */
function rottenLogs({ lives }: RunHistory): ReadonlySet<string> {
  const rotten = new Set<string>()
  for (const { machine, kind } of lives) {
    if (kind === 'bit rot') rotten.add(machine)
    if (kind === 'disk lost' || kind === 'restored') rotten.delete(machine)
  }
  return rotten
}

/** Under these ids operations were issued again: they name as seen what the state that was taken over may lack. */
function reissuersOf({ reports }: RunHistory): ReadonlySet<string> {
  const taken = reports.flatMap(({ event, machine, atMs }) =>
    event.kind === 'identity:changed' ? [{ machine, atMs, replica: event.to }] : [],
  )
  const isResync = ({ machine, atMs }: { readonly machine: string; readonly atMs: number }): boolean =>
    reports.some(
      ({ event, ...at }) => event.kind === 'resync:done' && at.machine === machine && Math.abs(at.atMs - atMs) < 100,
    )
  return new Set(taken.filter(isResync).map(({ replica }) => replica))
}
