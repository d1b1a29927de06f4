/** Operations as cells of tables. */
import type { DotRangeJson, OperationJson } from '../../../src/control/questions/history.ts'
import type { ReplicaNames } from './replica-names.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { showCell } from '../values.ts'

/** As many as can be taken in at a glance; `--json` has them all. */
const RANGES_SHOWN_MAX = 4

/** `web-1:7`, or `web-1:7-12` where it is more than one operation. */
export function rangesCell(ranges: readonly DotRangeJson[], names: ReplicaNames): string {
  if (ranges.length === 0) return '-'
  const shown = ranges.slice(0, RANGES_SHOWN_MAX).map(({ replica, from, through }) => {
    const first = names.dot({ replica, sequence: from })
    return from === through ? first : `${first}-${through}`
  })
  return [...shown, ...(ranges.length > RANGES_SHOWN_MAX ? [`+${ranges.length - RANGES_SHOWN_MAX}`] : [])].join(' ')
}

export function timeCell(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('T', ' ')
}

export function wroteCell({ kind, payload, unreadable }: OperationJson): string {
  if (unreadable !== undefined) return `unreadable: ${unreadable}`
  return payload === undefined ? kind : showCell(fromJson(payload))
}
