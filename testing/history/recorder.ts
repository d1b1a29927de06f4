/**
 * Writes a history down while it happens. A recorder belongs to one test: it numbers nothing, asks
 * no clock of its own, and keeps what it is given, so events are in the order in which its methods
 * were called.
 */
import { isWarpError } from '../../crdt/warp-error.ts'
import type { EventType, History, HistoryEvent, HistoryHeader, Process } from './history.ts'
import type { Json } from './json.ts'

export interface RecordedCall {
  readonly f: string
  readonly key?: string
  readonly value?: Json
}

/** A call that has begun. Exactly one of these ends it; without any it stays indeterminate. */
export interface OpenCall {
  ok(value?: Json): void
  failed(): void
  indeterminate(): void
}

export class HistoryRecorder {
  readonly #events: HistoryEvent[] = []
  readonly #now: (() => number) | undefined

  /** `now` gives the events their times, for readers; virtual time under a simulator. */
  constructor(now?: () => number) {
    this.#now = now
  }

  invoke(caller: Process, call: RecordedCall): OpenCall {
    this.#add('invoke', caller, call)
    const { f, key } = call
    const named = key === undefined ? { f } : { f, key }
    return {
      ok: (value) => this.#add('ok', caller, value === undefined ? named : { ...named, value }),
      failed: () => this.#add('fail', caller, named),
      indeterminate: () => this.#add('info', caller, named),
    }
  }

  /**
   * Records a call around the code that makes it. What it resolves to is the returned value; a
   * `WarpError` whose outcome is `'failed'` says that it was not applied, and anything else that is
   * thrown leaves it indeterminate. What is thrown is passed on.
   */
  async run<Value extends Json>(caller: Process, call: RecordedCall, body: () => Promise<Value>): Promise<Value> {
    const open = this.invoke(caller, call)
    try {
      const value = await body()
      open.ok(value)
      return value
    } catch (error) {
      if (isWarpError(error) && error.outcome === 'failed') open.failed()
      else open.indeterminate()
      throw error
    }
  }

  history(header?: HistoryHeader): History {
    const events = [...this.#events]
    return header === undefined ? { events } : { header, events }
  }

  #add(type: EventType, caller: Process, call: RecordedCall): void {
    const time = this.#now?.()
    this.#events.push({ type, process: caller, ...call, ...(time === undefined ? {} : { time }) })
  }
}
