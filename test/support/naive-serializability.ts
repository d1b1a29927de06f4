/**
 * The definition of serializability, word for word: is there an order of the transactions, one after the other, in which each reads what it
 * read? Those of unknown outcome may be left out. Nothing is shared with the checker but the pairing of events.
 */
import { pairCalls } from '../../testing/history/calls.ts'
import type { Call, History } from '../../testing/history/history.ts'
import type { Json } from '../../testing/history/json.ts'

export interface NaiveOrder {
  /** What the order has to keep to besides. */
  readonly within: 'nothing' | 'processes' | 'real time'
}

export function isSerializable(history: History, { within }: NaiveOrder): boolean {
  const calls = pairCalls(history.events).filter(({ outcome }) => outcome !== 'failed')
  const mayBeNext = (call: Call, rest: readonly Call[]): boolean =>
    rest.every((other) => {
      if (within === 'nothing' || (within === 'processes' && other.process !== call.process)) return true
      return other.returnedAt >= call.invokedAt
    })
  const search = (store: ReadonlyMap<string, Json>, rest: readonly Call[]): boolean => {
    if (rest.every(({ outcome }) => outcome === 'indeterminate')) return true
    return rest.some((call) => {
      if (!mayBeNext(call, rest)) return false
      const next = executed(store, call)
      if (next === undefined) return false
      const others = rest.filter((other) => other !== call)
      return search(next, others)
    })
  }
  return search(new Map(), calls)
}

function executed(before: ReadonlyMap<string, Json>, call: Call): ReadonlyMap<string, Json> | undefined {
  const store = new Map(before)
  const isKnown = call.outcome === 'ok'
  for (const [name, key, value] of (isKnown ? call.output : call.input) as [string, string, Json][]) {
    const current = store.get(key) ?? null
    if (name === 'w') store.set(key, value)
    else if (name === 'append') store.set(key, [...((current ?? []) as Json[]), value])
    else if (isKnown && text(value) !== text(current)) return undefined
  }
  return store
}

/** A list of nothing may be read as `null`. */
function text(value: Json): string {
  return JSON.stringify(Array.isArray(value) && value.length === 0 ? null : value)
}
