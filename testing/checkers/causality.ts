/**
 * W16, and with it W20: what somebody sees, he sees together with what its writer had seen when he
 * wrote it, his own earlier writes among it, on any key. Told by elements of keys that only grow.
 *
 * What a session has seen of a key is a list that only grows, so what it had seen at a moment is
 * how long the list was then; and what of another session's list has once been found in one's own
 * need not be looked for again. So all this costs is a few steps for each element that comes to be
 * seen.
 */
import type { CallRecord } from '../simulation/report/run-history.ts'
import { textOfIntent } from '../simulation/report/shown.ts'
import type { CallEvent, Checker, Moment, RunEvent, RunSubject, Violation } from './checker.ts'
import { elementsOf } from './grown-keys.ts'
import { type Look, Looks } from './looks.ts'
import { HALF_DONE } from './reissued.ts'
import { Remembered } from './remembered.ts'

class Seen {
  readonly order: unknown[] = []
  readonly elements: Set<unknown> = new Set()
  /** Of another session's list, by the list: so many have been found here. */
  readonly found: Map<Seen, number> = new Map()
  last: unknown

  add(element: unknown): boolean {
    if (this.elements.has(element)) return false
    this.elements.add(element)
    this.order.push(element)
    return true
  }
}

/** What the writer of an element had seen: so many of each key's list. */
type Before = readonly (readonly [key: string, seen: Seen, count: number])[]

export function causalityChecker(subject: RunSubject): Checker {
  return new Causality(subject)
}

class Causality implements Checker {
  readonly name = 'W16'
  readonly #looks: Looks
  #found: Violation[] = []
  #exemptCount = 0
  #halfDoneCount = 0
  readonly #seen = new Remembered(() => new Seen())
  readonly #before = new Map<CallRecord, Before>()

  constructor(subject: RunSubject) {
    this.#looks = new Looks(subject)
  }

  observe(event: RunEvent): readonly Violation[] {
    const taken = this.#looks.of(event)
    this.#found = []
    if (event.kind !== 'call') return this.#found
    this.#judge(event, taken)
    this.#remember(event)
    return this.#found
  }

  verify({ history }: Moment): readonly Violation[] {
    if (this.#exemptCount > 0)
      history.exempt('seen without its causes, issued again by who has taken over a state', this.#exemptCount)
    if (this.#halfDoneCount > 0) history.exempt(HALF_DONE, this.#halfDoneCount)
    this.#exemptCount = this.#halfDoneCount = 0
    return []
  }

  #judge(event: CallEvent, taken: readonly Look[]): void {
    const calls = taken.flatMap((look) => this.#newcomers(look))
    if (calls.length === 0) return
    // What has been seen is still there, and with it all that belongs to it; what is not in memory
    // cannot be told.
    const now = this.#looks.glance(event)
    calls.push(...now.flatMap((look) => this.#newcomers(look)))
    const session = this.#looks.sessionOf(event.call)
    for (const call of calls) for (const { key } of now) this.#compare(call, session, key)
  }

  /** The calls whose elements have not been seen here before. */
  #newcomers({ session, key, value }: Look): CallRecord[] {
    const here = this.#seen.of(session, key)
    const adds = this.#looks.grown.adds.get(key)
    if (adds === undefined || here.last === value) return []
    here.last = value
    return [...elementsOf(value)].flatMap((element) => {
      const call = here.add(element) ? adds.get(element) : undefined
      return call === undefined ? [] : [call]
    })
  }

  #compare(call: CallRecord, session: string, key: string): void {
    const [, theirs, count] = this.#before.get(call)?.find(([name]) => name === key) ?? []
    if (theirs === undefined || count === undefined) return
    const here = this.#seen.of(session, key)
    let found = here.found.get(theirs) ?? 0
    for (; found < count; found++) {
      const element = theirs.order[found]
      if (!here.elements.has(element)) this.#suspect(call, { session, key, element })
    }
    here.found.set(theirs, found)
  }

  #suspect(
    call: CallRecord,
    missing: { readonly session: string; readonly key: string; readonly element: unknown },
  ): void {
    const { session, key, element } = missing
    const cause = this.#looks.grown.adds.get(key)?.get(element)
    if (cause === undefined) return
    const [machine] = session.split('/') as [string]
    if (this.#looks.reissued.isHalfDone(machine)) {
      this.#halfDoneCount++
      return
    }
    if (this.#looks.reissued.has(call) || this.#looks.reissued.has(cause)) {
      this.#exemptCount++
      return
    }
    const how = cause.machine === call.machine && cause.life === call.life ? 'written' : 'seen'
    const message = `${machine} sees ${nameOf(call)} without ${nameOf(cause)}, which its writer had ${how} before`
    this.#found.push({ invariant: 'W16', message, key, machine })
  }

  /** What the writer of a new element has seen, its own writes among it. */
  #remember({ call }: CallEvent): void {
    const { grown } = this.#looks
    if (call.outcome !== 'pending' || call.intent.kind !== 'write' || !grown.adds.has(call.intent.key)) return
    const session = this.#looks.sessionOf(call)
    const before = [...grown.adds.keys()].map((key): Before[number] => {
      const mine = this.#seen.of(session, key)
      return [key, mine, mine.order.length]
    })
    this.#before.set(call, before)
  }
}

function nameOf({ intent, machine, id }: CallRecord): string {
  return `${textOfIntent(intent)} at ${machine} (call ${id})`
}
