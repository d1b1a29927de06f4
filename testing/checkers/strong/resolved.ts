/** What has become of calls, with what `resolve` has said of those whose answers were lost. */
import type { CallRecord, RunHistory } from '../../simulation/report/run-history.ts'

/** `'forgotten'` and what was never answered says nothing. */
export type Said = 'ok' | 'failed'

export interface Resolved {
  readonly said: Said
  readonly by: CallRecord
}

export class Resolutions {
  /** By the number of the call that they are of. */
  readonly #all = new Map<number, Resolved[]>()

  constructor({ calls }: Pick<RunHistory, 'calls'>) {
    for (const call of calls) {
      const { intent, outcome, value } = call
      if (intent.kind !== 'resolve' || intent.of === undefined || outcome !== 'ok') continue
      if (value !== 'ok' && value !== 'failed') continue
      const known = this.#all.get(intent.of) ?? []
      this.#all.set(intent.of, known)
      known.push({ said: value, by: call })
    }
  }

  of(call: CallRecord): readonly Resolved[] {
    return this.#all.get(call.id) ?? []
  }

  /** `undefined`: nobody knows. */
  outcome(call: CallRecord): Said | undefined {
    if (call.outcome === 'ok' || call.outcome === 'failed') return call.outcome
    return this.of(call)[0]?.said
  }
}
