/**
 * W32: when the ordered log has lost what a replica had been handed, or what it needs next, the replica
 * says so at the next word of the log and never again succeeds with a strong key; whoever has lost nothing
 * says nothing, and what is not strong goes on.
 */
import { partitionOf } from '../../../src/strong/strong-keys.ts'
import type { Breakage } from '../../simulation/order/break-log.ts'
import { ACCOUNTS, isStrong, LISTS } from '../../simulation/order/order-keys.ts'
import type { CallRecord, Intent, RunHistory } from '../../simulation/report/run-history.ts'
import { textOfIntent } from '../../simulation/report/shown.ts'
import type { Violation } from '../checker.ts'
import { needsLog } from './needs-log.ts'

const NAME = 'W32'
const BROKEN = 'WARP_E_ORDER_BROKEN'

export function brokenLogViolations(history: RunHistory, breakage: Breakage): Violation[] {
  return breakage.names.flatMap((machine) => judge(machine, history, breakage))
}

function judge(machine: string, history: RunHistory, breakage: Breakage): Violation[] {
  const { losers, unsure, atMs, kind } = breakage
  const toldMs = history.reports.find((one) => one.machine === machine && one.event.kind === 'order:broken')?.atMs
  const own = history.calls.filter((call) => call.machine === machine)
  const found = own.filter(({ startedMs }) => startedMs >= atMs).flatMap((call) => stopped(call))
  const sinceMs = losers.get(machine) ?? (unsure.has(machine) && toldMs !== undefined ? atMs : undefined)
  if (sinceMs === undefined && toldMs !== undefined)
    found.push(violation(machine, `${kind}: it has lost nothing, and says that it has`))
  if (sinceMs === undefined) return found
  if (toldMs === undefined) found.push(violation(machine, `${kind}: it has lost something, and has not noticed`))
  const later = own.filter(({ startedMs }) => startedMs >= sinceMs)
  return [...found, ...later.flatMap((call) => succeeded(call, breakage, toldMs ?? Infinity))]
}

/** By a log that it has nothing to do with. */
function stopped({ intent, error, machine, id }: CallRecord): Violation[] {
  const isOther = 'key' in intent && !isStrong(intent.key)
  if (!isOther || error !== BROKEN) return []
  return [violation(machine, `${textOfIntent(intent)} (call ${id}) is refused, though its key is not strong`)]
}

function succeeded(call: CallRecord, breakage: Breakage, toldMs: number): Violation[] {
  const { outcome, machine, intent, id, startedMs } = call
  if (outcome !== 'ok' || !needsLog(call)) return []
  // Of other partitions it has heard nothing wrong.
  if (!isAbout(intent, breakage) && startedMs <= toldMs) return []
  return [violation(machine, `${textOfIntent(intent)} (call ${id}) has succeeded, with a log that has lost something`)]
}

function isAbout(intent: Intent, { partition, partitionsCount }: Breakage): boolean {
  return partitionOf(nameIn(intent), partitionsCount) === partition
}

/** What says which partition it is about. */
function nameIn(intent: Intent): string {
  if ('key' in intent) return intent.key
  if ('name' in intent) return intent.name
  return (intent.kind === 'lists' ? LISTS : ACCOUNTS)[0] ?? ''
}

function violation(machine: string, message: string): Violation {
  return { invariant: NAME, message: `${machine}: ${message}`, machine }
}
