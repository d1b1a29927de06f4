/**
 * Registers of which each value was set by one call: a value then says which write it comes from.
 */
import type { CallRecord } from '../simulation/report/run-history.ts'
import type { RunEvent } from './checker.ts'
import type { Looks } from './looks.ts'

export class SetOnce {
  readonly #looks: Looks
  readonly #values = new Map<string, Map<unknown, CallRecord>>()
  readonly #excluded = new Set<string>()

  constructor(looks: Looks) {
    this.#looks = looks
  }

  note(event: RunEvent): void {
    if (event.kind !== 'call' || event.call.outcome !== 'pending') return
    const { call } = event
    const { intent } = call
    if (intent.kind !== 'write' || !this.#looks.isLast(intent.key)) return
    const values = this.#values.get(intent.key) ?? new Map<unknown, CallRecord>()
    this.#values.set(intent.key, values)
    const [value] = intent.parameters
    // Values are told apart as they are: objects come anew with every read.
    if (values.has(value) || typeof value === 'object') this.#excluded.add(intent.key)
    values.set(value, call)
  }

  isJudged(key: string): boolean {
    return this.#values.has(key) && !this.#excluded.has(key)
  }

  /** Whether the value may have come back with a later stamp. */
  isReissued(key: string, value: unknown): boolean {
    const call = this.#values.get(key)?.get(value)
    return call !== undefined && this.#looks.reissued.has(call)
  }
}
