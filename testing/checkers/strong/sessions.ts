/**
 * W18 and W19 of sessions: a call that is answered shows all that the session has written and has been shown
 * in calls that were answered before it began, on whatever machine each of them was made.
 */
import type { OrderIntent } from '../../simulation/order/order-intent.ts'
import type { CallRecord, RunHistory } from '../../simulation/report/run-history.ts'
import type { Checker, Violation } from '../checker.ts'

const NAME = 'W19'
const TOLD_MAX = 5

type SessionCall = CallRecord & { readonly intent: Extract<OrderIntent, { readonly kind: 'session' }> }

export function sessionChecker(): Checker {
  return {
    name: NAME,
    verify({ history, phase }) {
      if (phase === 'replayed' || phase === 'compacted') return []
      return wrongReads(history).slice(0, TOLD_MAX)
    },
  }
}

function wrongReads({ calls }: RunHistory): Violation[] {
  const answered = calls.filter((call): call is SessionCall => call.intent.kind === 'session' && call.outcome === 'ok')
  return answered.flatMap((read): Violation[] => {
    if (read.intent.value !== undefined) return []
    const shown = elementsOf(read)
    const missing = [...known(answered, read)].find((element) => !shown.has(element))
    return missing === undefined ? [] : [violation(read, missing)]
  })
}

/** What the session knew of the key when the read began. */
function known(answered: readonly SessionCall[], { intent: { user, key }, startedMs }: SessionCall): Set<number> {
  const elements = new Set<number>()
  for (const call of answered) {
    if (call.intent.user !== user || call.intent.key !== key || call.endedMs >= startedMs) continue
    for (const element of elementsOf(call)) elements.add(element)
  }
  return elements
}

function elementsOf({ intent, value }: SessionCall): ReadonlySet<number> {
  if (intent.value !== undefined) return new Set([intent.value])
  return (value ?? new Set()) as ReadonlySet<number>
}

function violation({ id, machine, intent: { user, key } }: SessionCall, element: number): Violation {
  return {
    ...{ invariant: NAME, machine, key },
    message: `user ${user} had seen ${element} in ${key}, and call ${id} at ${machine} does not show it`,
  }
}
