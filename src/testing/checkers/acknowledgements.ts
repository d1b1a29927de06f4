/**
 * W21, W22: what was acknowledged is there as far as its level promises, once; what failed is nowhere. Judged by elements that only one write ever
 * added, in sets and lists that are never deleted, and which nobody removed.
 */
import { Keyspaces, type Keyspace } from '../../keyspace.ts'
import type { CallRecord, RunHistory } from '../simulation/run-history.ts'
import { shortly, textOfValue } from '../simulation/shown.ts'
import { isSplit, SPLIT } from '../simulation/splits.ts'
import type { Checker, MachineView, Moment, Violation } from './checker.ts'
import { Promises } from './promises.ts'

export function acknowledgementChecker(): Checker {
  return {
    name: 'W21',
    verify(moment) {
      if (moment.phase === 'replayed') return []
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

const ADDING: Readonly<Record<string, readonly string[]>> = { set: ['add'], list: ['push', 'insert'] }

/** Keys that only ever grew, with the writes that made them, each by its only element. */
function judgedKeys({ history, keys }: Moment): Map<string, Map<string, CallRecord>> {
  const keyspaces = new Keyspaces(keys)
  const judged = new Map<string, Map<string, CallRecord>>()
  const excluded = new Set<string>()
  for (const call of history.calls) {
    const { intent } = call
    if (intent.kind !== 'write' && intent.kind !== 'delete') continue
    const element = addedElement(call, keyspaces.find(intent.key))
    const adds = judged.get(intent.key) ?? new Map<string, CallRecord>()
    judged.set(intent.key, adds)
    if (element === undefined || adds.has(element)) excluded.add(intent.key)
    else adds.set(element, call)
  }
  for (const key of excluded) judged.delete(key)
  return judged
}

/** `undefined` of whatever else a call may do, and where what was added may rightly be gone or not have come. */
function addedElement({ intent }: CallRecord, keyspace: Keyspace | undefined): string | undefined {
  if (intent.kind !== 'write' || keyspace === undefined || keyspace.ttlMs !== 0 || keyspace.mode === 'local') return
  const isAdding = ADDING[keyspace.strategy.kind]?.includes(intent.verb) === true
  const element = isAdding ? intent.parameters.at(-1) : undefined
  return element === undefined ? undefined : textOfValue(element)
}

interface Judged {
  readonly view: MachineView
  readonly key: string
  readonly adds: ReadonlyMap<string, CallRecord>
  readonly promises: Promises
  readonly history: RunHistory
}

function judge(judged: Judged): Violation[] {
  const shown = judged.view.values.get(judged.key)
  if (shown?.kind === 'error') return []
  const counts = new Map<string, number>()
  for (const element of shown?.kind === 'value' ? (shown.value as Iterable<unknown>) : []) {
    const text = textOfValue(element)
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  const violations: Violation[] = []
  const violate: Violate = (invariant, message) => {
    const { key, view } = judged
    violations.push({ invariant, message: `${view.name}: ${message}`, key, machine: view.name })
  }
  for (const [text, call] of judged.adds) {
    const count = counts.get(text) ?? 0
    if (count > 0) judgePresent({ call, count }, violate)
    else judgeAbsent(judged, call, violate)
  }
  for (const text of counts.keys()) {
    if (!judged.adds.has(text)) violate('W22', 'holds an element that nobody has added')
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
