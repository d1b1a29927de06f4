/**
 * Whether a history is linearizable: whether each call could have taken effect at one moment
 * between its invocation and its return, so that the moments, in order, are what the model allows
 * (Herlihy and Wing 1990).
 *
 * The history is taken apart by key, each object is searched by itself (`search.ts`), and the first
 * one without an order is explained.
 *
 * 1. Maurice Herlihy, Jeannette Wing, "Linearizability: a correctness condition for concurrent
 *    objects", TOPLAS 12(3), 1990.
 */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import { pairCalls } from '../history/calls.ts'
import type { Call, History } from '../history/history.ts'
import { type Minimised, minimise } from './minimise.ts'
import type { SequentialModel } from './model.ts'
import { searchOrder } from './search.ts'
import { describeViolation } from './violation-text.ts'

/**
 * Questions to the model per object before the checker says that it does not know: some seconds,
 * some hundred megabytes.
 */
export const STEPS_MAX_DEFAULT = 2_000_000

export interface LinearizabilityOptions {
  /** Per object. Default 2,000,000. */
  readonly stepsMax?: number
}

const OPTIONS = optionNames<LinearizabilityOptions>({ stepsMax: true })

export type LinearizabilityVerdict =
  | {
      readonly kind: 'linearizable'
      /**
       * Per object, its calls in an order that explains the history. Indeterminate calls that it
       * does without are not in it.
       */
      readonly orders: ReadonlyMap<string, readonly Call[]>
      readonly stepsCount: number
    }
  | LinearizabilityViolation
  | {
      /** No object is known to be wrong, but these have not been decided within the bound. */
      readonly kind: 'undecided'
      readonly keys: readonly string[]
      readonly stepsCount: number
    }

export interface LinearizabilityViolation {
  readonly kind: 'violation'
  /** The object that has no order. */
  readonly key: string
  /** How far the search got: the longest order of its calls after which nothing fitted. */
  readonly longest: readonly Call[]
  /** The few calls that are to blame; see `minimise.ts`. */
  readonly culprits: Minimised
  /** All of this for a person. */
  readonly text: string
  readonly stepsCount: number
}

/**
 * Judges a history by a model. The same history has the same verdict everywhere: nothing depends on
 * time.
 */
export function checkLinearizability<State>(
  history: History,
  model: SequentialModel<State>,
  options: LinearizabilityOptions = {},
): LinearizabilityVerdict {
  checkOptions('checkLinearizability', options, OPTIONS)
  const stepsMax = options.stepsMax ?? STEPS_MAX_DEFAULT
  const orders = new Map<string, readonly Call[]>()
  const undecided: string[] = []
  let stepsCount = 0
  for (const [key, calls] of callsByKey(history, model)) {
    const result = searchOrder(model, calls, stepsMax)
    stepsCount += result.stepsCount
    if (result.kind === 'violation')
      return explain(model, { key, calls, longest: result.longest, stepsMax, stepsCount })
    if (result.kind === 'linearizable') orders.set(key, result.order)
    else undecided.push(key)
  }
  if (undecided.length > 0) return { kind: 'undecided', keys: undecided, stepsCount }
  return { kind: 'linearizable', orders, stepsCount }
}

/** Failed calls certainly did nothing, so they say nothing. */
function callsByKey<State>(history: History, model: SequentialModel<State>): Map<string, Call[]> {
  const byKey = new Map<string, Call[]>()
  for (const call of pairCalls(history.events)) {
    if (call.outcome === 'failed') continue
    const key = model.key?.(call) ?? call.key ?? ''
    const calls = byKey.get(key)
    if (calls === undefined) byKey.set(key, [call])
    else calls.push(call)
  }
  return byKey
}

interface Found {
  readonly key: string
  readonly calls: readonly Call[]
  readonly longest: readonly Call[]
  readonly stepsMax: number
  readonly stepsCount: number
}

function explain<State>(model: SequentialModel<State>, found: Found): LinearizabilityViolation {
  const { key, longest, stepsCount } = found
  const culprits = minimise(model, found.calls, found.stepsMax)
  const text = describeViolation(model, { key, calls: found.calls, longest, culprits })
  return { kind: 'violation', key, longest, culprits, text, stepsCount }
}
