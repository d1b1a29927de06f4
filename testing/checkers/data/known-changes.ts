/**
 * W43, W44, W45: who knows that a key has changed never reads what was before, whatever was in flight,
 * in memory or on its way; and at rest everybody knows.
 *
 * Of each key the source has versions, which only grow. Whoever changes one says so by an invalidation
 * of the key, of a pattern or a group, or by ending a lease that the key is on. A machine *knows* what
 * was said when it has taken in the operation. A read that begins then gives that version or a later
 * one.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { LeaseId } from '../../../src/operation/leases/lease-note.ts'
import type { Said } from '../../simulation/data/data-intent.ts'
import { LISTS, LOADED, spaceOf } from '../../simulation/data/data-keys.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import { isSplit, SPLIT } from '../../simulation/splits.ts'
import type { CallEvent, Checker, MachineView, Moment, RunEvent, Violation } from '../checker.ts'
import { Promises } from '../promises.ts'
import { Attachments } from './attachments.ts'

interface Change {
  readonly version: number
  readonly dot: Dot
  /** It was said by the end of this lease. */
  readonly lease: LeaseId | undefined
  readonly call: CallRecord
}

type Knows = (dot: Dot) => boolean

export function knownChangesChecker(): Checker {
  return new KnownChanges()
}

class KnownChanges implements Checker {
  readonly name = 'W44'
  readonly #changes = new Map<string, Change[]>()
  readonly #attachments = new Attachments()
  /** What a read that is under way must not be older than. */
  readonly #floors = new Map<number, Change>()

  observe(event: RunEvent): readonly Violation[] | undefined {
    if (event.kind !== 'call') return undefined
    const { call } = event
    const { intent } = call
    if (intent.kind === 'read' || intent.kind === 'getOrSet') {
      if (!isJudged(intent.key)) return undefined
      return call.outcome === 'pending' ? this.#begins(event, intent.key) : this.#ends(call, intent.key)
    }
    this.#attachments.note(call)
    if (intent.kind === 'change' || intent.kind === 'revoke') this.#note(call)
    return undefined
  }

  verify(moment: Moment): readonly Violation[] {
    if (moment.phase === 'replayed') return []
    const isWhole = !isSplit(moment.history)
    if (!isWhole) moment.history.exempt(SPLIT)
    const owed = isWhole ? this.#owed(moment) : new Map<string, Change>()
    return moment.machines.flatMap((view) => this.#judge(view, owed))
  }

  #begins({ call, peek, knows }: CallEvent, key: string): Violation[] {
    const floor = this.#newest(key, knows)
    if (floor === undefined) return []
    this.#floors.set(call.id, floor)
    const value = peek(key)
    return isOlder(value, floor) ? [violation({ machine: call.machine, key, value, floor })] : []
  }

  #ends({ id, outcome, value, machine }: CallRecord, key: string): Violation[] {
    const floor = this.#floors.get(id)
    this.#floors.delete(id)
    if (outcome !== 'ok' || floor === undefined || !isOlder(value, floor)) return []
    return [violation({ machine, key, value, floor })]
  }

  #note(call: CallRecord): void {
    if (call.outcome !== 'ok' || call.value === undefined) return
    const { dot, versions, lease } = call.value as Said
    for (const [key, version] of versions) {
      if (!isJudged(key)) continue
      const of = this.#changes.get(key) ?? []
      this.#changes.set(key, of)
      of.push({ version, dot, lease, call })
    }
  }

  /** The newest change of a key that is known. */
  #newest(key: string, knows: Knows): Change | undefined {
    let newest: Change | undefined
    for (const change of this.#changes.get(key) ?? []) {
      if (change.version <= (newest?.version ?? 0) || !knows(change.dot)) continue
      if (change.lease === undefined || this.#attachments.isOn(key, change.lease, knows)) newest = change
    }
    return newest
  }

  /** Those that everybody must have heard of by now, for nothing has been lost of what was said. */
  #owed({ history }: Moment): ReadonlyMap<string, Change> {
    const promises = new Promises(history)
    const newest = new Map<string, Change>()
    for (const [key, of] of this.#changes)
      for (const change of of) {
        const receipt = { ack: (change.call.value as Said).ack }
        const isOwed = change.lease === undefined && promises.isOwed({ ...change.call, receipt })
        if (isOwed && change.version > (newest.get(key)?.version ?? 0)) newest.set(key, change)
      }
    return newest
  }

  #judge(view: MachineView, owed: ReadonlyMap<string, Change>): Violation[] {
    const { warp, name: machine, values } = view
    const known = new Map(warp.replicas().map(({ replica, operationsCount }) => [replica, operationsCount]))
    const knows: Knows = ({ replica, sequence }) => (known.get(replica) ?? 0) >= sequence
    return [...this.#changes.keys()].flatMap((key) => {
      const floor = greater(this.#newest(key, knows), owed.get(key))
      if (floor === undefined) return []
      const shown = values.get(key)
      if (shown?.kind === 'error')
        return [{ invariant: 'W45', message: `${machine} cannot read ${key} at rest: ${shown.code}`, key, machine }]
      const read = shown?.kind === 'value' ? shown.value : undefined
      return [read, warp.peek(key)]
        .filter((value) => isOlder(value, floor))
        .map((value) => violation({ machine, key, value, floor, isAtRest: true }))
    })
  }
}

/** Registers and counters of the database may rightly show what somebody has written since. */
function isJudged(key: string): boolean {
  return LOADED.includes(spaceOf(key)) || LISTS.includes(spaceOf(key))
}

/** Of a list: whether it lacks what was added. Where nothing is in memory, nothing is old. */
function isOlder(value: unknown, { version }: Change): boolean {
  if (Array.isArray(value)) return !value.includes(version)
  return typeof value === 'number' && value < version
}

function greater(a: Change | undefined, b: Change | undefined): Change | undefined {
  return (a?.version ?? 0) >= (b?.version ?? 0) ? a : b
}

interface Found {
  readonly machine: string
  readonly key: string
  readonly value: unknown
  readonly floor: Change
  readonly isAtRest?: boolean
}

function violation({ machine, key, value, floor, isAtRest = false }: Found): Violation {
  const invariant = isAtRest ? 'W45' : floor.lease === undefined ? 'W44' : 'W43'
  const who = `call ${floor.call.id} at ${floor.call.machine}`
  const shown = Array.isArray(value) ? `a row without ${floor.version}` : `version ${String(value)}`
  const message = `${machine} shows ${shown} of ${key}, though ${who} has said that there is ${floor.version}`
  return { invariant, message, key, machine }
}
