/** The past of one key: its operations, its value then, and why it has the value that it has. */
import { EXPLAINED_DEFAULT, type At, type Effect } from '../../history/explanation.ts'
import type { OperationRecord } from '../../store/kept-operation.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { number, optional, text } from '../parameters.ts'
import type { Question } from '../question.ts'
import { toJson, type Json } from '../tagged-json.ts'
import { foundValue, type FoundValue, type KeyParameters } from './reading.ts'

export interface DotJson {
  readonly replica: string
  readonly sequence: number
}

/**
 * `OperationRecord` as JSON. `payload` is tagged; `unreadable` says why there is none where there
 * should be.
 */
export interface OperationJson {
  readonly dot: DotJson
  readonly timeMs: number
  readonly version: number
  readonly kind: OperationRecord['kind']
  readonly strategy: string
  readonly payload?: Json
  readonly unreadable?: string
  readonly context: readonly (readonly [replica: string, sequence: number])[]
}

/** Operations of the key by one replica, from one number through another. */
export interface DotRangeJson {
  readonly replica: string
  readonly from: number
  readonly through: number
}

/**
 * With the operations before it in the log that its writer had not seen: a range for each replica.
 */
export interface LoggedOperation extends OperationJson {
  readonly concurrentWith: readonly DotRangeJson[]
}

export interface LogParameters extends KeyParameters {
  /** Leaves out what is before it. */
  readonly fromVersion: number
}

/**
 * Reads the whole log of the key, since what is concurrent may lie before `fromVersion`. Remembers
 * the dots: O(operations).
 */
export const LOG: Question<LogParameters, LoggedOperation> = {
  name: 'log',
  about: 'the operations of a key, in the order in which this replica took them in',
  changes: false,
  gives: 'items',
  parameters: { key: text('which key'), fromVersion: number('leaves out what is before this version', 1) },
  async *answer(warp, { key, fromVersion }, { signal }) {
    const seen = new SeenOperations()
    for await (const operation of warp.log(key, { signal })) {
      const concurrentWith = operation.version < fromVersion ? [] : seen.concurrentWith(operation)
      seen.add(operation)
      if (operation.version >= fromVersion) yield { ...operationJson(operation), concurrentWith }
    }
  },
}

export interface AtParameters extends KeyParameters {
  readonly timeMs?: number
  readonly version?: number
}

export const AT: Question<AtParameters, FoundValue> = {
  name: 'at',
  about: 'the value of a key at a moment of the past',
  changes: false,
  gives: 'item',
  parameters: {
    key: text('which key'),
    timeMs: optional(number('the moment, in milliseconds since 1970')),
    version: optional(number('the moment, as a version of the key; timeMs goes first')),
  },
  async *answer(warp, { key, timeMs, version = 0 }, { signal }) {
    const at: At = timeMs === undefined ? { version } : { timeMs }
    yield foundValue(await warp.getAt(key, at, { signal }))
  },
}

export interface ExplainedHead extends FoundValue {
  readonly key: string
  readonly strategy: string
  readonly compacted?: { readonly operationsCount: number; readonly version: number; readonly timeMs: number }
  /** How many operations there are before those that are listed, if there are any. */
  readonly earlierCount?: number
}

export interface ExplainedItem extends OperationJson {
  readonly effect: Effect
  readonly concurrentWith: readonly DotRangeJson[]
}

export interface ExplainParameters extends KeyParameters {
  /** How many operations are listed, the newest. */
  readonly limit: number
}

/** The head first, then the operations in canonical order. */
export const EXPLAIN: Question<ExplainParameters, ExplainedHead | ExplainedItem> = {
  name: 'explain',
  about: 'which operations made the value of a key, and what became of each: the head first',
  changes: false,
  gives: 'items',
  parameters: {
    key: text('which key'),
    limit: number('how many operations are listed, the newest in canonical order', EXPLAINED_DEFAULT),
  },
  async *answer(warp, { key, limit }, { signal }) {
    const { value, strategy, operations, compacted, earlier } = await warp.explain(key, { limit, signal })
    const rest = earlier === undefined ? {} : { earlierCount: earlier.operationsCount }
    yield { key, strategy, ...foundValue(value), ...(compacted === undefined ? {} : { compacted }), ...rest }
    for (const { operation, effect, concurrentWith } of operations) {
      yield { ...operationJson(operation), effect, concurrentWith }
    }
  },
}

export function operationJson(operation: OperationRecord): OperationJson {
  const { dot, timeMs, version, kind, strategy, context } = operation
  return { dot: dotJson(dot), timeMs, version, kind, strategy, ...payloadJson(operation), context }
}

/** A payload that cannot be decoded must not hide the rest of the log. */
function payloadJson(operation: OperationRecord): Pick<OperationJson, 'payload' | 'unreadable'> {
  try {
    const { payload } = operation
    return payload === undefined ? {} : { payload: toJson(payload) }
  } catch (error) {
    if (!isWarpError(error)) throw error
    return { unreadable: error.message }
  }
}

function dotJson({ replica, sequence }: DotJson): DotJson {
  return { replica, sequence }
}

/**
 * The operations of one key so far, in the order in which they were taken in: causes before
 * effects.
 */
class SeenOperations {
  /** Ascending, as a replica's operations are taken in. */
  readonly #sequences = new Map<string, number[]>()

  add({ dot }: OperationRecord): void {
    const sequences = this.#sequences.get(dot.replica)
    if (sequences === undefined) this.#sequences.set(dot.replica, [dot.sequence])
    else sequences.push(dot.sequence)
  }

  /** What the writer had not seen. */
  concurrentWith({ dot, context }: OperationRecord): DotRangeJson[] {
    const observed = new Map<string, number>(context)
    const found: DotRangeJson[] = []
    for (const [replica, sequences] of this.#sequences) {
      const through = sequences.at(-1) ?? 0
      const from = sequences[firstBeyond(sequences, observed.get(replica) ?? 0)]
      if (replica !== dot.replica && from !== undefined) found.push({ replica, from, through })
    }
    return found
  }
}

/** The index of the first number that is greater than `limit`. */
function firstBeyond(ascending: readonly number[], limit: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) > limit) high = middle
    else low = middle + 1
  }
  return low
}
