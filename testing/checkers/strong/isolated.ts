/** W36: all transactions on lists have one order that explains what each has read, and keeps to real time. */
import { HistoryRecorder, type OpenCall } from '../../history/recorder.ts'
import type { Json } from '../../history/json.ts'
import { checkIsolation } from '../../isolation/check-isolation.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import type { Checker, Moment, RunEvent, Violation } from '../checker.ts'

const NAME = 'W36'

export function isolationChecker(): Checker {
  return new Isolation()
}

class Isolation implements Checker {
  readonly name = NAME
  readonly #recorder = new HistoryRecorder()
  readonly #open = new Map<number, OpenCall>()

  observe(event: RunEvent): undefined {
    if (event.kind !== 'call' || event.call.intent.kind !== 'lists') return
    const { call } = event
    if (call.outcome === 'pending') {
      // Whoever does not know what became of a call is not heard again: each has a name of its own.
      const recorded = { f: 'txn', value: event.call.intent.steps as Json }
      this.#open.set(call.id, this.#recorder.invoke(`call ${call.id}`, recorded))
    } else this.#end(call)
  }

  verify({ phase }: Moment): readonly Violation[] {
    if (phase !== 'quiesced') return []
    const { isValid, text } = checkIsolation(this.#recorder.history(), { kind: 'list-append' })
    return isValid ? [] : [{ invariant: NAME, message: text }]
  }

  #end({ id, outcome, value }: CallRecord): void {
    const open = this.#open.get(id)
    this.#open.delete(id)
    if (outcome === 'ok') open?.ok(value as Json)
    else if (outcome === 'failed') open?.failed()
    else open?.indeterminate()
  }
}
