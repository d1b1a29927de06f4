/**
 * What of a history that is not linearizable is to blame, for a person to look at: few calls, and
 * still no order.
 *
 * Leaving calls out at will would prove nothing: without the write, any read is wrong. So calls are
 * first *relaxed*: to say that nobody knows what became of a call permits everything that was
 * permitted before, so if there is still no order, the others are to blame by themselves. Calls are
 * relaxed one by one as long as there is none. What remains are the *culprits*: relax one more, and
 * the history is fine.
 *
 * Of the relaxed calls, those are kept that a reader needs: without them, relaxing a culprit would
 * not mend it any more (the write, say, of a value that is read too late). The rest is left out,
 * and the violation stands, since all that is left out was only ever a may-be.
 */
import type { Call } from '../history/history.ts'
import type { SequentialModel } from './model.ts'
import { searchOrder } from './search.ts'

export interface Minimised {
  /** In the order of their invocations. */
  readonly calls: readonly Call[]
  /** Those of them whose outcome does not matter, by index in the history. */
  readonly relaxed: ReadonlySet<number>
}

/**
 * `calls` of one object, without failed ones and not linearizable. Gives up on what would take more
 * than `stepsMax` steps in all.
 */
export function minimise<State>(model: SequentialModel<State>, calls: readonly Call[], stepsMax: number): Minimised {
  return new Minimiser(model, calls, stepsMax).run()
}

class Minimiser<State> {
  readonly #model: SequentialModel<State>
  readonly #calls: readonly Call[]
  readonly #stepsEach: number
  #stepsLeft: number

  constructor(model: SequentialModel<State>, calls: readonly Call[], stepsMax: number) {
    this.#model = model
    this.#calls = calls
    this.#stepsLeft = stepsMax
    // One question that is too hard must not use up what the others need.
    this.#stepsEach = Math.ceil(stepsMax / 64)
  }

  run(): Minimised {
    const culprits = this.#culprits()
    const relaxed = this.#needed(culprits)
    const kept = new Set([...culprits, ...relaxed])
    return { calls: this.#calls.filter((call) => kept.has(call)), relaxed: new Set(relaxed.map(({ index }) => index)) }
  }

  /**
   * Calls that cannot be relaxed any more, found from the last to return, so that the story ends
   * early.
   */
  #culprits(): readonly Call[] {
    const returned = this.#calls.filter((call) => call.outcome === 'ok')
    let culprits: readonly Call[] = [...returned].sort((a, b) => b.returnedAt - a.returnedAt)
    for (let size = Math.ceil(culprits.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < culprits.length;) {
        const fewer = [...culprits.slice(0, at), ...culprits.slice(at + size)]
        if (this.#verdict(this.#relaxAllBut(fewer, this.#calls)) === 'violation') culprits = fewer
        else at += size
      }
    return culprits
  }

  /** The may-bes without which it could not be seen that each culprit is one. */
  #needed(culprits: readonly Call[]): readonly Call[] {
    const isCulprit = new Set(culprits)
    let needed = this.#calls.filter((call) => !isCulprit.has(call))
    for (let size = needed.length; size > 0; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < needed.length;) {
        const fewer = [...needed.slice(0, at), ...needed.slice(at + size)]
        if (this.#isTelling(culprits, fewer)) needed = fewer
        else at += size
      }
    return needed
  }

  #isTelling(culprits: readonly Call[], others: readonly Call[]): boolean {
    const kept = new Set([...culprits, ...others])
    const calls = this.#calls.filter((call) => kept.has(call))
    return culprits.every((culprit) => {
      const rest = culprits.filter((call) => call !== culprit)
      return this.#verdict(this.#relaxAllBut(rest, calls)) === 'linearizable'
    })
  }

  #relaxAllBut(kept: readonly Call[], calls: readonly Call[]): Call[] {
    const isKept = new Set(kept)
    return calls.map((call) => (isKept.has(call) ? call : relaxed(call)))
  }

  #verdict(calls: readonly Call[]): string {
    const stepsMax = Math.min(this.#stepsEach, this.#stepsLeft)
    if (stepsMax <= 0) return 'undecided'
    const { kind, stepsCount } = searchOrder(this.#model, calls, stepsMax)
    this.#stepsLeft -= stepsCount
    return kind
  }
}

function relaxed(call: Call): Call {
  return { ...call, outcome: 'indeterminate', output: null, returnedAt: Number.POSITIVE_INFINITY }
}
