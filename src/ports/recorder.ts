/**
 * The engine's side of the instruments. Parts hold a recorder or `undefined`, and ask for nothing,
 * not even the time, where there is none. Instruments that throw are not called again: a fault in
 * them must not reach a write or the log.
 */
import { asError } from '../../crdt/warp-error.ts'
import type { Env } from './env.ts'
import type { Instrument, Instruments, Labels, Observe, Span } from './instruments.ts'

const NO_LABELS: Labels = Object.freeze({})
const DONE: Labels = Object.freeze({ outcome: 'done' })
const FAILED: Labels = Object.freeze({ outcome: 'failed' })

/** A span that goes on. */
export interface BegunSpan {
  within<Result>(work: () => Promise<Result>): Promise<Result>
  end(labels: Labels): void
}

export class Recorder {
  readonly #env: Env
  readonly #onFailed: (error: Error) => void
  #instruments: Instruments | undefined

  constructor(instruments: Instruments, env: Env, onFailed: (error: Error) => void) {
    this.#instruments = instruments
    this.#env = env
    this.#onFailed = onFailed
  }

  /** Where a duration begins; for `since`. */
  now(): number {
    return this.#env.monotonic()
  }

  /** A counter has grown; by nothing, perhaps, and then nobody is told. */
  add(counter: Instrument, amount: number, labels: Labels = NO_LABELS): void {
    if (amount > 0) this.#tell((instruments) => instruments.add(counter, amount, labels))
  }

  record(histogram: Instrument, value: number, labels: Labels = NO_LABELS): void {
    this.#tell((instruments) => instruments.record(histogram, value, labels))
  }

  /** Records how long it is since `startMs`. */
  since(histogram: Instrument, startMs: number, labels: Labels = NO_LABELS): void {
    this.record(histogram, Math.max(0, this.#env.monotonic() - startMs), labels)
  }

  /** Begins a span; returns how to end it. */
  begin(span: Instrument): (labels: Labels) => void {
    return this.beginAround(span).end
  }

  /** Begins a span that ends elsewhere than the work in it; spans that begin within the work are parts of it. */
  beginAround(span: Instrument): BegunSpan {
    const begun = this.#begin(span)
    return {
      within: (work) => within(begun, work),
      end: (labels) => void this.#tell(() => begun?.end(labels)),
    }
  }

  /**
   * Does `work` as a span whose one label is `outcome`, `done` or `failed`. Spans that begin within
   * the work are parts of it.
   */
  async span<Result>(span: Instrument, work: () => Promise<Result>): Promise<Result> {
    const begun = this.#begin(span)
    let outcome = FAILED
    try {
      const result = await within(begun, work)
      outcome = DONE
      return result
    } finally {
      this.#tell(() => begun?.end(outcome))
    }
  }

  /** The engine is open. */
  opened(observe: Observe): void {
    this.#tell((instruments) => instruments.opened?.(observe))
  }

  /** The engine has closed. */
  closed(): void {
    this.#tell((instruments) => instruments.closed?.())
  }

  #begin(span: Instrument): Span | undefined {
    return this.#tell((instruments) => instruments.begin(span, NO_LABELS))
  }

  #tell<Result>(call: (instruments: Instruments) => Result): Result | undefined {
    const instruments = this.#instruments
    if (instruments === undefined) return undefined
    try {
      return call(instruments)
    } catch (error) {
      this.#instruments = undefined
      this.#onFailed(asError(error))
      return undefined
    }
  }
}

/** Does the work, whatever the span does: where `run` throws before it has called the work, it is called here. */
function within<Result>(span: Span | undefined, work: () => Promise<Result>): Promise<Result> {
  if (span?.run === undefined) return work()
  let begun: Promise<Result> | undefined
  try {
    void span.run(() => (begun = work()))
  } catch {
    // A fault of the instruments, which is none of the work's.
  }
  return begun ?? work()
}
