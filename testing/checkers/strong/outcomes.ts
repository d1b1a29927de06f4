/**
 * W38: what is said of a strong write is so for good. `resolve` says the same to everybody and at any time,
 * and the log bears it out; what was acknowledged stands in the log; nobody succeeds at a machine that is
 * cut off from it; and every error says what it is.
 */
import type { CallRecord, RunHistory } from '../../simulation/report/run-history.ts'
import { textOfIntent } from '../../simulation/report/shown.ts'
import type { Checker, OrderView, Violation } from '../checker.ts'
import { needsLog } from './needs-log.ts'
import { Resolutions } from './resolved.ts'

const NAME = 'W38'
const LOOKERS = 'lookers ended with '

export function outcomeChecker(): Checker {
  return {
    name: NAME,
    verify(moment) {
      const { phase, history, order } = moment
      if ((phase !== 'quiesced' && phase !== 'restarted') || order === undefined) return []
      const resolutions = new Resolutions(history)
      const fenced = history.fenced.filter(({ dot }) => dot !== undefined && !order.holds(dot))
      const lost = fenced.map(({ key, token, number }): Violation => ({
        ...{ invariant: NAME, key },
        message: `${token}:${number} was acknowledged at ${key}, and the log has never had it`,
      }))
      const found = history.calls.flatMap((call) => [
        ...contradicted(call, resolutions),
        ...notInLog(call, resolutions, order),
        ...whileCutOff(call),
        ...unnamed(call),
      ])
      return [...lost, ...found, ...endedStrangely(history)]
    },
  }
}

/** Those who look at a replica for as long as it lives. */
function endedStrangely({ occurred }: RunHistory): Violation[] {
  return [...occurred.keys()]
    .filter((what) => what.startsWith(LOOKERS) && !what.startsWith(`${LOOKERS}WARP_E_`))
    .map((message) => ({ invariant: NAME, message }))
}

function contradicted(call: CallRecord, resolutions: Resolutions): Violation[] {
  const [first, ...others] = resolutions.of(call)
  const other = others.find(({ said }) => said !== first?.said)
  if (first === undefined || other === undefined) return []
  const message = `has ${first.said} to call ${first.by.id} at ${first.by.machine}, and ${other.said} to call ${other.by.id} at ${other.by.machine}`
  return [violation(call, message)]
}

function notInLog(call: CallRecord, resolutions: Resolutions, order: OrderView): Violation[] {
  const dot = call.dot ?? (isOrdered(call) ? call.receipt?.dot : undefined)
  if (dot === undefined || resolutions.outcome(call) !== 'ok') return []
  return order.holds(dot) ? [] : [violation(call, 'counts, and the log has never had it')]
}

/** A receipt of the log. Others are of keys that are not strong. */
function isOrdered({ receipt }: CallRecord): boolean {
  return receipt?.ack === 'broker'
}

function whileCutOff(call: CallRecord): Violation[] {
  const { outcome, isCutOff = false } = call
  if (!isCutOff || outcome !== 'ok' || !needsLog(call)) return []
  return [violation(call, 'was done while the machine was cut off from the log')]
}

/** Of a call that a user may make anything may come that has a code; who changes his mind says so himself. */
function unnamed(call: CallRecord): Violation[] {
  const { error, intent, outcome } = call
  if (error === undefined || error.startsWith('WARP_E_') || outcome === 'ok') return []
  const isOwn = error === 'GivenUp' && intent.kind === 'move'
  // Of a disk, and of a process that has died.
  if (isOwn || error === 'Error' || /^E[A-Z]+$/.test(error)) return []
  return [violation(call, `has ended with ${error}`)]
}

function violation(call: CallRecord, message: string): Violation {
  const { id, machine, intent } = call
  return { invariant: NAME, message: `${textOfIntent(intent)} (call ${id} at ${machine}) ${message}`, machine }
}
