/**
 * W06, W07: what somebody has seen and taken away is gone at rest, whatever was delivered,
 * compacted or restored meanwhile. Told by elements and values that were written once: what is
 * there again later is the one that was taken away.
 *
 * A call takes away what the machine shows when it begins (`peek`): a `remove` its element, a
 * `delete` all, a `set` of a register what was there before.
 */
import { type Keyspace, Keyspaces } from '../../src/keys/keyspace.ts'
import type { CallRecord, Intent } from '../simulation/report/run-history.ts'
import { shortly, textOfIntent } from '../simulation/report/shown.ts'
import type { CallEvent, Checker, MachineView, Moment, RunSubject, Violation } from './checker.ts'
import { elementsOf, identityOf } from './grown-keys.ts'
import { Promises } from './promises.ts'
import { Reissued } from './reissued.ts'
import { Remembered } from './remembered.ts'

interface Taken {
  readonly key: string
  readonly element: unknown
  readonly by: CallRecord
}

export function removalChecker({ keys }: RunSubject): Checker {
  const keyspaces = new Keyspaces(keys, true)
  /** By key and element: the calls that may have put it there. */
  const writes = new Remembered<CallRecord[]>(() => [])
  const taken: Taken[] = []
  const reissued = new Reissued()

  function begins({ call, peek }: CallEvent): void {
    const { intent } = call
    if (intent.kind !== 'write' && intent.kind !== 'delete') return
    const { key } = intent
    const keyspace = keyspaces.find(key)
    if (keyspace === undefined || !isJudged(keyspace)) return
    for (const element of takenBy(intent, shownElements(keyspace, peek(key)))) taken.push({ key, element, by: call })
    for (const element of written(intent)) writes.of(key, element).push(call)
  }

  function gone({ key, element, by }: Taken, promises: Promises): boolean {
    const [write, another] = writes.of(key, element).filter(({ outcome }) => outcome !== 'failed')
    if (write === undefined || another !== undefined) return false
    return by.receipt?.dot !== undefined && promises.isOwed(by)
  }

  function judge(moment: Moment): Violation[] {
    const promises = new Promises(moment.history)
    return taken
      .filter((one) => gone(one, promises))
      .flatMap((one) => {
        const machines = moment.machines.filter((view) => shows(view, one, keyspaces.find(one.key)))
        const [write] = writes.of(one.key, one.element)
        const isExempt = machines.length > 0 && [write, one.by].some((call) => call !== undefined && reissued.has(call))
        if (isExempt) moment.history.exempt('taken away or written by who has taken over a state since')
        return isExempt ? [] : machines.map((view) => violation(view, one))
      })
  }

  return {
    name: 'W07',
    observe(event) {
      reissued.note(event)
      if (event.kind === 'call' && event.call.outcome === 'pending') begins(event)
      return undefined
    },
    verify: (moment) => (moment.phase === 'replayed' ? [] : judge(moment)),
  }
}

const ELEMENTS: readonly string[] = ['set', 'multi-value']

/**
 * Of local keys each machine has its own. Looking at a key with a sliding time to live would
 * prolong it.
 */
function isJudged({ strategy, isLast, domain, isSliding }: Keyspace): boolean {
  return (isLast || ELEMENTS.includes(strategy.kind)) && domain.isSent && !isSliding
}

function shownElements({ isLast }: Keyspace, value: unknown): ReadonlySet<unknown> {
  if (value === undefined) return new Set()
  return isLast ? new Set([identityOf(value)]) : elementsOf(value)
}

function takenBy(intent: Intent, shown: ReadonlySet<unknown>): unknown[] {
  if (intent.kind === 'delete') return [...shown]
  if (intent.kind !== 'write') return []
  const elements = intent.parameters.map(identityOf)
  switch (intent.verb) {
    case 'remove':
      return elements.filter((element) => shown.has(element))
    case 'set':
      return [...shown].filter((element) => !elements.includes(element))
    default:
      return []
  }
}

function written(intent: Intent): unknown[] {
  if (intent.kind !== 'write' || (intent.verb !== 'add' && intent.verb !== 'set')) return []
  return intent.parameters.map(identityOf)
}

function shows({ values }: MachineView, { key, element }: Taken, keyspace: Keyspace | undefined): boolean {
  const shown = values.get(key)
  return shown?.kind === 'value' && keyspace !== undefined && shownElements(keyspace, shown.value).has(element)
}

function violation({ name }: MachineView, { key, element, by }: Taken): Violation {
  const invariant = by.intent.kind === 'write' && by.intent.verb === 'remove' ? 'W06' : 'W07'
  const message = `${name} shows ${shortly(element)}, which ${textOfIntent(by.intent)} at ${by.machine} (call ${by.id}) has taken away`
  return { invariant, message, key, machine: name }
}
