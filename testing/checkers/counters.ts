/**
 * W05: a counter is the sum of what was acknowledged and still owed, and of some of what may have
 * happened: nothing is lost, nothing counts twice. Judged where nothing is ever deleted and nothing
 * expires.
 */
import { Keyspaces, type Keyspace } from '../../src/keys/keyspace.ts'
import type { CallRecord } from '../simulation/report/run-history.ts'
import { isSplit } from '../simulation/splits.ts'
import type { Checker, MachineView, Moment, Violation } from './checker.ts'
import { Promises } from './promises.ts'

interface Bounds {
  least: number
  most: number
}

export function counterChecker(): Checker {
  return {
    name: 'W05',
    verify(moment) {
      if (moment.phase === 'replayed' || moment.phase === 'compacted' || isSplit(moment.history)) return []
      const bounds = boundsOf(moment)
      return moment.machines.flatMap((view) => [...bounds].flatMap(([key, allowed]) => judge(view, key, allowed)))
    },
  }
}

function boundsOf({ history, keys }: Moment): Map<string, Bounds> {
  const keyspaces = new Keyspaces(keys, true)
  const promises = new Promises(history)
  const all = new Map<string, Bounds>()
  const excluded = new Set<string>()
  for (const call of history.calls) {
    const { intent } = call
    if (intent.kind !== 'write' && intent.kind !== 'delete') continue
    const keyspace = keyspaces.find(intent.key)
    if (!isCounter(keyspace)) continue
    if (intent.kind === 'delete' || keyspace.ttlMs !== 0 || !keyspace.domain.isSent) excluded.add(intent.key)
    const bounds = all.get(intent.key) ?? { least: 0, most: 0 }
    all.set(intent.key, bounds)
    widen(bounds, call, promises)
  }
  for (const key of excluded) all.delete(key)
  return all
}

function isCounter(keyspace: Keyspace | undefined): keyspace is Keyspace {
  return keyspace?.strategy.kind === 'counter' || keyspace?.strategy.kind === 'bounded-counter'
}

function widen(bounds: Bounds, call: CallRecord, promises: Promises): void {
  const amount = amountOf(call)
  const owed = promises.isOwed(call) ? amount : 0
  bounds.least += Math.min(owed, amount)
  bounds.most += Math.max(owed, amount)
}

/** 0 of what has certainly not been written. */
function amountOf({ intent, outcome, receipt }: CallRecord): number {
  if (intent.kind !== 'write' || outcome === 'failed' || (outcome === 'ok' && receipt?.dot === undefined)) return 0
  const by = Number(intent.parameters[0] ?? 1)
  if (intent.verb === 'increment') return by
  return intent.verb === 'decrement' ? -by : 0
}

function judge(view: MachineView, key: string, { least, most }: Bounds): Violation[] {
  const shown = view.values.get(key)
  if (shown?.kind === 'error') return []
  const value = shown?.kind === 'value' ? Number(shown.value) : 0
  if (value >= least && value <= most) return []
  const message = `${view.name} counts ${value} at ${key}; it is at least ${least} and at most ${most}`
  return [{ invariant: 'W05', message, key, machine: view.name }]
}
