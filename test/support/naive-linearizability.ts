/**
 * The definition of linearizability, word for word: try every order of the calls. No memory, no cleverness, nothing shared with the checker
 * but the model; hence the judge of small histories, and the rival in the bench.
 */
import { pairCalls } from '../../testing/history/calls.ts'
import type { Call, History } from '../../testing/history/history.ts'
import type { SequentialModel } from '../../testing/linearizability/model.ts'

export interface NaiveOptions {
  /** Judge each key by itself. Default: all keys at once, with a state for each. */
  readonly isPartitioned?: boolean
  readonly stepsMax?: number
}

export function naiveVerdict<State>(
  history: History,
  model: SequentialModel<State>,
  options: NaiveOptions = {},
): 'linearizable' | 'violation' | 'undecided' {
  const calls = pairCalls(history.events).filter(({ outcome }) => outcome !== 'failed')
  const budget = { left: options.stepsMax ?? Number.POSITIVE_INFINITY }
  const keyOf = (call: Call): string => model.key?.(call) ?? call.key ?? ''
  const keys = [...new Set(calls.map(keyOf))]
  const parts = options.isPartitioned === true ? keys.map((key) => calls.filter((c) => keyOf(c) === key)) : [calls]
  const search = (states: ReadonlyMap<string, State>, rest: readonly Call[]): boolean => {
    if (rest.every(({ outcome }) => outcome === 'indeterminate')) return true
    const deadline = Math.min(...rest.map(({ returnedAt }) => returnedAt))
    return rest.some((call) => {
      if (call.invokedAt > deadline || budget.left-- <= 0) return false
      const key = keyOf(call)
      const step = model.apply(states.get(key) ?? model.initial, call)
      if (!step.accepts) return false
      const others = rest.filter((other) => other !== call)
      return search(new Map([...states, [key, step.state]]), others)
    })
  }
  const isLinearizable = parts.every((part) => search(new Map(), part))
  if (isLinearizable) return 'linearizable'
  return budget.left < 0 ? 'undecided' : 'violation'
}
