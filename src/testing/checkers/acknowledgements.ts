/**
 * W21, W22: what was acknowledged is there as far as its level promises, once; what failed is nowhere. Judged by elements that only one write ever
 * added, in sets and lists that are never deleted, and which nobody removed.
 */
import { Keyspaces } from '../../keyspace.ts'
import type { CallRecord, RunHistory } from '../simulation/run-history.ts'
import { shortly, textOfValue } from '../simulation/shown.ts'
import type { Checker, MachineView, Moment, Violation } from './checker.ts'
import { Promises } from './promises.ts'

export function acknowledgementChecker(): Checker {
  return {
    name: 'W21',
    verify(moment) {
      if (moment.phase === 'replayed') return []
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
    const keyspace = keyspaces.find(intent.key)
    const adding = ADDING[keyspace?.strategy.kind ?? ''] ?? []
    const element = intent.kind === 'write' && adding.includes(intent.verb) ? intent.parameters.at(-1) : undefined
    const adds = judged.get(intent.key) ?? new Map<string, CallRecord>()
    judged.set(intent.key, adds)
    const text = element === undefined ? '' : textOfValue(element)
    if (element === undefined || adds.has(text) || keyspace?.ttlMs !== 0 || keyspace.mode === 'local')
      excluded.add(intent.key)
    adds.set(text, call)
  }
  for (const key of excluded) judged.delete(key)
  return judged
}

interface Judged {
  readonly view: MachineView
  readonly key: string
  readonly adds: ReadonlyMap<string, CallRecord>
  readonly promises: Promises
  readonly history: RunHistory
}

function judge({ view, key, adds, promises, history }: Judged): Violation[] {
  const shown = view.values.get(key)
  if (shown?.kind === 'error') return []
  const counts = new Map<string, number>()
  for (const element of shown?.kind === 'value' ? (shown.value as Iterable<unknown>) : []) {
    const text = textOfValue(element)
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  const violations: Violation[] = []
  const violate = (invariant: string, message: string): void => {
    violations.push({ invariant, message: `${view.name}: ${message}`, key, machine: view.name })
  }
  for (const [text, call] of adds) {
    const count = counts.get(text) ?? 0
    const name = `${shortly(call.intent)} at ${call.machine} (call ${call.id})`
    if (count > 1 && promises.mayBeTwice(call)) history.exempt('issued again though somebody had seen it')
    else if (count > 1) violate('W22', `${name} is there ${count} times`)
    if (count > 0 && call.outcome === 'failed') violate('W22', `${name} has failed and is there`)
    if (count > 0) continue
    if (promises.isOwed(call)) violate('W21', `${name} was acknowledged as ${call.receipt?.ack ?? ''} and is gone`)
    else if (call.outcome === 'ok') history.exempt(`lost to what ${call.receipt?.ack ?? ''} does not cover`)
  }
  for (const text of counts.keys()) if (!adds.has(text)) violate('W22', 'holds an element that nobody has added')
  return violations
}
