/**
 * W35: whoever looks at the accounts, in whatever way, sees all of a transfer or nothing of it: the sum is
 * always the same. A transfer that counts has left its number in both places, one that failed in none,
 * and one that is unknown in both or none, on every replica.
 */
import { DONE, ACCOUNTS, TOTAL } from '../../simulation/order/order-keys.ts'
import type { BalancesAnswer } from '../../simulation/order/order-intent.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import type { Checker, MachineView, Moment, Violation } from '../checker.ts'
import { Resolutions } from './resolved.ts'

const NAME = 'W35'
/** Of one kind, in one run: the others say the same. */
const TOLD_MAX = 5

export function sumChecker(): Checker {
  return {
    name: NAME,
    verify(moment) {
      if (moment.phase === 'replayed' || moment.phase === 'compacted') return []
      return [...wrongSums(moment).slice(0, TOLD_MAX), ...moment.machines.flatMap((view) => wrongMarks(moment, view))]
    },
  }
}

function wrongSums({ history }: Moment): Violation[] {
  const asked = history.calls.flatMap(({ intent, outcome, value, machine, endedMs }) =>
    intent.kind === 'balances' && outcome === 'ok'
      ? [{ machine, atMs: endedMs, by: `a ${intent.how} read`, ...(value as BalancesAnswer) }]
      : [],
  )
  return [...history.sums, ...asked].filter(isWrong).map(({ machine, atMs, by, sum, count }) => ({
    ...{ invariant: NAME, machine },
    message: `${by} at ${machine} saw ${sum} in ${count} accounts at ${atMs.toFixed(0)} ms; it is ${TOTAL} in ${ACCOUNTS.length}`,
  }))
}

/** Nobody had made the accounts, as far as was known there. */
function isWrong({ sum, count }: BalancesAnswer): boolean {
  return count !== 0 && (count !== ACCOUNTS.length || sum !== TOTAL)
}

function wrongMarks({ history }: Moment, view: MachineView): Violation[] {
  const marks = DONE.map((key) => marksOf(view, key))
  if (marks.some((one) => one === undefined)) return []
  const resolutions = new Resolutions(history)
  const numbers = new Set<number>()
  const found = history.calls.flatMap((call): Violation[] => {
    if (call.intent.kind !== 'move') return []
    numbers.add(call.intent.number)
    const { number } = call.intent
    const count = marks.filter((one) => one?.has(number) === true).length
    const said = resolutions.outcome(call)
    const isRight = said === undefined ? count !== 1 : count === (said === 'ok' ? DONE.length : 0)
    return isRight ? [] : [violation(view, `${nameOf(call, said)} is there in ${count} of ${DONE.length} places`)]
  })
  const strangers = [...(marks[0] ?? [])].filter((number) => !numbers.has(number))
  return [
    ...found,
    ...strangers.map((number) => violation(view, `nobody has made a transfer ${number}, which is there`)),
  ]
}

function marksOf({ values }: MachineView, key: string): ReadonlySet<number> | undefined {
  const shown = values.get(key)
  if (shown?.kind === 'error') return undefined
  return shown?.kind === 'value' ? (shown.value as ReadonlySet<number>) : new Set()
}

function nameOf({ intent, machine, id }: CallRecord, said: string | undefined): string {
  const number = intent.kind === 'move' ? intent.number : 0
  return `transfer ${number} of ${machine} (call ${id}), which is ${said ?? 'unknown'},`
}

function violation({ name }: MachineView, message: string): Violation {
  return { invariant: NAME, message: `${name}: ${message}`, machine: name }
}
