/**
 * W21, W22: what was acknowledged is there as far as its level promises, once; what failed is
 * nowhere. Judged by elements that only one write ever added, in sets and lists that are never
 * deleted, and which nobody removed.
 */
import type { CallRecord, RunHistory } from '../simulation/report/run-history.ts'
import { shortly } from '../simulation/report/shown.ts'
import { isSplit, SPLIT } from '../simulation/splits.ts'
import type { Checker, MachineView, Moment, Violation } from './checker.ts'
import { type Adds, GrownKeys, identityOf } from './grown-keys.ts'
import { Promises } from './promises.ts'

export function acknowledgementChecker(): Checker {
  return {
    name: 'W21',
    verify(moment) {
      if (moment.phase === 'replayed' || moment.phase === 'compacted') return []
      if (isSplit(moment.history)) {
        moment.history.exempt(SPLIT)
        return []
      }
      const promises = new Promises(moment.history)
      const judged = judgedKeys(moment)
      return moment.machines.flatMap((view) =>
        [...judged].flatMap(([key, adds]) => judge({ view, key, adds, promises, history: moment.history })),
      )
    },
  }
}

/** Keys that only ever grew, with the writes that made them, each by its only element. */
function judgedKeys({ history, keys }: Moment): ReadonlyMap<string, Adds> {
  const grown = new GrownKeys(keys)
  for (const call of history.calls) grown.note(call)
  return grown.adds
}

interface Judged {
  readonly view: MachineView
  readonly key: string
  readonly adds: Adds
  readonly promises: Promises
  readonly history: RunHistory
}

function judge(judged: Judged): Violation[] {
  const shown = judged.view.values.get(judged.key)
  if (shown?.kind === 'error') return []
  const counts = new Map<unknown, number>()
  for (const element of shown?.kind === 'value' ? (shown.value as Iterable<unknown>) : []) {
    const identity = identityOf(element)
    counts.set(identity, (counts.get(identity) ?? 0) + 1)
  }
  const violations: Violation[] = []
  const violate: Violate = (invariant, message) => {
    const { key, view } = judged
    violations.push({ invariant, message: `${view.name}: ${message}`, key, machine: view.name })
  }
  for (const [element, call] of judged.adds) {
    const count = counts.get(element) ?? 0
    if (count > 0) judgePresent({ call, count }, violate)
    else judgeAbsent(judged, call, violate)
  }
  for (const element of counts.keys()) {
    if (!judged.adds.has(element)) violate('W22', 'holds an element that nobody has added')
  }
  return violations
}

type Violate = (invariant: string, message: string) => void

function judgePresent({ call, count }: { readonly call: CallRecord; readonly count: number }, violate: Violate): void {
  if (call.outcome === 'failed') violate('W22', `${nameOf(call)} has failed and is there`)
  if (count > 1) violate('W22', `${nameOf(call)} is there ${count} times`)
}

function judgeAbsent({ promises, history }: Judged, call: CallRecord, violate: Violate): void {
  const level = call.receipt?.ack ?? ''
  if (promises.isOwed(call)) violate('W21', `${nameOf(call)} was acknowledged as ${level} and is gone`)
  else if (call.outcome === 'ok') history.exempt(`lost to what ${level} does not cover`)
}

function nameOf({ intent, machine, id }: CallRecord): string {
  return `${shortly(intent)} at ${machine} (call ${id})`
}
