/**
 * W35: what was written in one transaction on eventual keys is seen as a whole, on every replica: the sum of
 * counters among which amounts go round is 0, whoever looks and when.
 */
import { keysOfTransfer } from '../simulation/transfers.ts'
import type { CallEvent, Checker, MachineView, Violation } from './checker.ts'

const NAME = 'W35'

export function transferChecker(): Checker {
  const keys = new Set<string>()
  /** Something of a transfer could not be carried over, which was told. */
  let isLost = false
  return {
    name: NAME,
    observe(event) {
      if (event.kind === 'report')
        isLost ||= event.report.event.kind === 'rejoin:lost' && keys.has(event.report.event.key)
      if (event.kind !== 'call' || isLost) return undefined
      const { call, peek } = event
      if (call.intent.kind === 'transfer') {
        for (const key of keysOfTransfer(call.intent)) keys.add(key)
        return call.outcome === 'pending' ? glance(call, keys, peek) : undefined
      }
      if (call.intent.kind !== 'sum' || call.outcome !== 'ok' || call.value === 0) return undefined
      return [wrong(call.machine, `a read by ${call.intent.how}`, call.value)]
    },
    verify({ history, machines }) {
      if (isLost) history.exempt('of a transaction something was lost, and told')
      return isLost ? [] : machines.flatMap((view) => judge(view, keys))
    },
  }
}

/** What is in memory at this moment, if all of it is. */
function glance({ machine }: CallEvent['call'], keys: Iterable<string>, peek: CallEvent['peek']): Violation[] {
  const values = [...keys].map(peek)
  if (values.some((value) => typeof value !== 'number')) return []
  const sum = (values as number[]).reduce((all, value) => all + value, 0)
  return sum === 0 ? [] : [wrong(machine, 'a glance', sum)]
}

function judge({ name, values }: MachineView, keys: Iterable<string>): Violation[] {
  let sum = 0
  for (const key of keys) {
    const shown = values.get(key)
    if (shown?.kind === 'error') return []
    sum += shown?.kind === 'value' ? Number(shown.value) : 0
  }
  return sum === 0 ? [] : [wrong(name, 'the replica', sum)]
}

function wrong(machine: string, who: string, sum: unknown): Violation {
  return {
    invariant: NAME,
    machine,
    message: `${who} at ${machine} shows ${String(sum)} where all transfers come to 0`,
  }
}
