/** Pairs the events of a history into calls. */
import { WarpError } from '../../crdt/warp-error.ts'
import type { Call, CallOutcome, HistoryEvent, Process } from './history.ts'

const OUTCOMES = { ok: 'ok', fail: 'failed', info: 'indeterminate' } as const

/**
 * The calls in the order of their invocations. A call that never returned is indeterminate. Throws
 * `WARP_E_PROTOCOL` if a process invokes while a call of its own is under way, or returns from a
 * call that it did not invoke; `nameOf` names an event in the message.
 */
export function pairCalls(
  events: readonly HistoryEvent[],
  nameOf: (index: number) => string = (index) => `event ${index + 1}`,
): Call[] {
  const calls: Call[] = []
  const open = new Map<Process, Call>()
  events.forEach((event, i) => {
    const begun = open.get(event.process)
    const refuse = (what: string): never => {
      const text = `${nameOf(i)}: process ${event.process} ${what}`
      throw new WarpError('WARP_E_PROTOCOL', text, { details: { event: i } })
    }
    if (event.type === 'invoke') {
      if (begun !== undefined)
        refuse(`invokes ${event.f} while its ${begun.f} is under way; one process makes one call at a time`)
      const call = invoked(event, calls.length, i)
      open.set(event.process, call)
      calls.push(call)
      return
    }
    if (begun === undefined) return refuse(`returns from ${event.f}, which it has not invoked`)
    if (begun.f !== event.f || (event.key ?? begun.key) !== begun.key)
      refuse(
        `returns from ${event.f} on ${event.key ?? 'no key'}, but has invoked ${begun.f} on ${begun.key ?? 'no key'}`,
      )
    open.delete(event.process)
    calls[begun.index] = returned(begun, OUTCOMES[event.type], event, i)
  })
  return calls
}

function invoked(event: HistoryEvent, index: number, at: number): Call {
  const { process: caller, f, key, value } = event
  const unknown = { outcome: 'indeterminate' as const, output: null, returnedAt: Number.POSITIVE_INFINITY }
  return { index, process: caller, f, key, input: value ?? null, invokedAt: at, ...unknown }
}

function returned(call: Call, outcome: CallOutcome, event: HistoryEvent, at: number): Call {
  if (outcome === 'indeterminate') return call
  return { ...call, outcome, output: outcome === 'ok' ? (event.value ?? null) : null, returnedAt: at }
}
