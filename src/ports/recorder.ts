/**
 * The engine's side of the instruments. Parts hold a recorder or `undefined`, and ask for nothing,
 * not even the time, where there is none. Instruments that throw are not called again: a fault in
 * them must not reach a write or the log.
 */
import { asError } from '../../crdt/warp-error.ts'
import type { Env } from './env.ts'
import type { Instrument, Instruments, Labels } from './instruments.ts'

const NO_LABELS: Labels = Object.freeze({})

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
    const begun = this.#tell((instruments) => instruments.begin(span, NO_LABELS))
    return (labels) => void this.#tell(() => begun?.end(labels))
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
