/**
 * What clients of a system saw: a sequence of events, two for each call, when it was invoked and
 * when it returned. A history says nothing about what the system did inside; checkers decide
 * whether some behaviour that was promised explains it.
 *
 * The shape and its four words are those of Jepsen's histories, so that Knossos, Elle and Porcupine
 * can judge the same file; see docs/histories.md for the text format.
 *
 * The order of the events is what counts. `time` is for the reader: two events of one virtual
 * millisecond still have an order, and clocks of real machines do not order anything.
 */
import type { Json } from './json.ts'

/** Whoever makes calls, one at a time. */
export type Process = number | string

/**
 * - `'invoke'`: a call begins.
 * - `'ok'`: it returned, and `value` is what it returned.
 * - `'fail'`: it was certainly not applied, and never will be.
 * - `'info'`: nobody knows. It may have been applied, may be later, or never.
 */
export type EventType = 'invoke' | 'ok' | 'fail' | 'info'

export interface HistoryEvent {
  readonly type: EventType
  readonly process: Process
  /** The name of the call: `'read'`, `'write'`, `'txn'`. */
  readonly f: string
  /** Which object it is about, if it is about one. */
  readonly key?: string
  /** Of an invocation, what is passed; of `'ok'`, what is returned. Absent is `null`. */
  readonly value?: Json
  /** For readers only; any unit. */
  readonly time?: number
}

/**
 * What a history says about itself: its title, the model to judge it by, the verdict that is
 * expected. Nothing is required.
 */
export type HistoryHeader = Readonly<Record<string, Json>>

export interface History {
  readonly header?: HistoryHeader
  readonly events: readonly HistoryEvent[]
}

export type CallOutcome = 'ok' | 'failed' | 'indeterminate'

/** An invocation and what became of it. */
export interface Call {
  /** The place among the calls of the history by invocation, from 0. */
  readonly index: number
  readonly process: Process
  readonly f: string
  readonly key: string | undefined
  readonly input: Json
  readonly outcome: CallOutcome
  /** `null` unless the outcome is `'ok'`. */
  readonly output: Json
  /** The index of the event. */
  readonly invokedAt: number
  /**
   * The index of the event; infinite if the outcome is `'indeterminate'`, since the call may take
   * effect at any later time.
   */
  readonly returnedAt: number
}
