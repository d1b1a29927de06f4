/** What anybody has wanted to have in the rows of a database: each number by the call that wrote it. */
import { COUNTERS, LOADED, numbersOf, spaceOf, THROUGH } from '../../simulation/data/data-keys.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import type { Promises } from '../promises.ts'

export class StoredWrites {
  /** By key, then by number. Of counters numbers are amounts, so the name of the call stands for it. */
  readonly byKey: Map<string, Map<number, CallRecord>> = new Map()

  /** Takes notice of a call that begins. */
  note(call: CallRecord): void {
    const { intent } = call
    if (intent.kind !== 'write' && intent.kind !== 'change') return
    const { key } = intent
    if (LOADED.includes(spaceOf(key))) return
    const written = intent.kind === 'write' ? numbersOf(intent.parameters.flat()) : [intent.added]
    const of = this.byKey.get(key) ?? new Map<number, CallRecord>()
    this.byKey.set(key, of)
    for (const number of written) of.set(isCounter(key) ? call.id : number, call)
  }

  find(key: string, number: number): CallRecord | undefined {
    return this.byKey.get(key)?.get(number)
  }
}

export function isCounter(key: string): boolean {
  return COUNTERS.includes(spaceOf(key))
}

/** What an outsider writes is in the row at once. */
export function isOutsiders({ intent }: CallRecord): boolean {
  return intent.kind === 'change'
}

/** Whether the row must hold it once everybody is at rest. */
export function isOwedToRow(call: CallRecord, promises: Promises): boolean {
  if (isOutsiders(call)) return true
  const { intent, outcome } = call
  // The store had it before anybody was told.
  if ('key' in intent && THROUGH.includes(spaceOf(intent.key))) return outcome === 'ok'
  return promises.isOwed(call)
}

/** Whether it is certain that nobody has written it. */
export function isRefused(call: CallRecord): boolean {
  return !isOutsiders(call) && call.outcome === 'failed'
}
