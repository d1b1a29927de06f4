/**
 * What users see while the run goes on. A *session* is one life of one machine, from when the
 * engine opens to its end or until it takes over another state: nothing but the engine's own faults
 * can take from it what it has seen.
 *
 * There are two ways to see: a call that reads, and a glance at what the engine has in memory
 * (`peek`), which the checkers cast at the moment when somebody writes: what is there then is what
 * the writer has seen.
 */
import { Keyspaces } from '../../src/keys/keyspace.ts'
import type { CallRecord } from '../simulation/report/run-history.ts'
import type { CallEvent, RunEvent, RunSubject } from './checker.ts'
import { GrownKeys } from './grown-keys.ts'
import { Reissued } from './reissued.ts'

/** A glance makes the engine fold what it has not folded yet. One write in so many has one. */
const SHARE = 3

export interface Look {
  readonly session: string
  readonly machine: string
  readonly life: number
  readonly key: string
  /** What there was to see; `undefined`: nothing. */
  readonly value: unknown
  /** It was taken after this step: what was seen at a later one need not be there. */
  readonly since: number
}

export class Looks {
  readonly grown: GrownKeys
  readonly reissued: Reissued = new Reissued()
  /** Counts events: what is seen during one is seen at this step. */
  step = 0
  readonly #keyspaces: Keyspaces
  /** Reads that have begun. */
  readonly #begun = new Map<number, { readonly session: string; readonly step: number }>()

  constructor({ keys }: RunSubject) {
    this.grown = new GrownKeys(keys)
    this.#keyspaces = new Keyspaces(keys, true)
  }

  /** What an event lets one see of keys that only grow, and of registers. */
  of(event: RunEvent): Look[] {
    this.step++
    this.reissued.note(event)
    if (event.kind !== 'call') return []
    return event.call.outcome === 'pending' ? this.#begins(event) : this.#ends(event)
  }

  sessionOf({ machine, life }: CallRecord): string {
    return `${machine}/${life}/${this.reissued.resyncs(machine)}`
  }

  /**
   * Whether one write is all that there ever is to see. Looking at a key with a sliding time to
   * live would prolong it.
   */
  isLast(key: string): boolean {
    const keyspace = this.#keyspaces.find(key)
    return keyspace?.isLast === true && !keyspace.isSliding
  }

  /** All that is in memory of what only grows. */
  glance({ call, peek }: CallEvent): Look[] {
    return [...this.grown.adds.keys()].flatMap((key) => this.#peeked(call, key, peek))
  }

  #begins(event: CallEvent): Look[] {
    const { call, peek } = event
    const { intent } = call
    this.grown.note(call)
    if (intent.kind === 'read') this.#begun.set(call.id, { session: this.sessionOf(call), step: this.step })
    if (intent.kind !== 'write') return []
    if (this.grown.adds.has(intent.key)) return call.id % SHARE === 0 ? this.glance(event) : []
    return this.isLast(intent.key) ? this.#peeked(call, intent.key, peek) : []
  }

  #ends({ call }: CallEvent): Look[] {
    const { intent, outcome, value } = call
    const begun = this.#begun.get(call.id)
    this.#begun.delete(call.id)
    const session = this.sessionOf(call)
    if (intent.kind !== 'read' || outcome !== 'ok' || begun?.session !== session) return []
    return [{ session, machine: call.machine, life: call.life, key: intent.key, value, since: begun.step }]
  }

  #peeked(call: CallRecord, key: string, peek: CallEvent['peek']): Look[] {
    const value = peek(key)
    if (value === undefined) return []
    return [{ session: this.sessionOf(call), machine: call.machine, life: call.life, key, value, since: this.step }]
  }
}
