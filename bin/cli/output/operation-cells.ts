/** Operations as cells of tables. */
import type { DotJson, OperationJson } from '../../../src/control/questions/history.ts'
import type { ReplicaNames } from './replica-names.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { showCell } from '../values.ts'

/** As many as can be taken in at a glance; `--json` has them all. */
const DOTS_SHOWN_MAX = 4

export function dotsCell(dots: readonly DotJson[], names: ReplicaNames): string {
  if (dots.length === 0) return '-'
  const shown = dots.slice(0, DOTS_SHOWN_MAX).map((dot) => names.dot(dot))
  return [...shown, ...(dots.length > DOTS_SHOWN_MAX ? [`+${dots.length - DOTS_SHOWN_MAX}`] : [])].join(' ')
}

export function timeCell(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('T', ' ')
}

export function wroteCell({ kind, payload, unreadable }: OperationJson): string {
  if (unreadable !== undefined) return `unreadable: ${unreadable}`
  return payload === undefined ? kind : showCell(fromJson(payload))
}
