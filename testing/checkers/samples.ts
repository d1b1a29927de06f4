/**
 * Some keys of a run, with a moment of their past: for checks that would cost too much for all keys
 * of every run. Over many runs all have their turn.
 */
import type { CallRecord } from '../simulation/report/run-history.ts'
import type { MachineView, Moment } from './checker.ts'

export interface Sample {
  readonly key: string
  /** When somebody wrote the key, in the middle of all that was written. */
  readonly at: { readonly timeMs: number }
  /** Whom to ask where asking everybody would cost too much. */
  readonly asked: MachineView
}

/** One key in so many. */
const SHARE = 2

export function sampled({ history, machines }: Moment): Sample[] {
  const writes = new Map<string, CallRecord[]>()
  for (const call of history.calls) {
    const { intent } = call
    if (intent.kind === 'write') writes.set(intent.key, [...(writes.get(intent.key) ?? []), call])
  }
  return [...writes].flatMap(([key, calls], i) => {
    const turn = i + history.calls.length
    const asked = machines[turn % machines.length]
    const middle = calls[Math.floor(calls.length / 2)]
    if (turn % SHARE !== 0 || asked === undefined || middle === undefined) return []
    return [{ key, at: { timeMs: middle.wallMs }, asked }]
  })
}
