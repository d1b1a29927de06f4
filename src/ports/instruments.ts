/**
 * The port for whoever measures: counters, histograms and spans, in terms of no vendor's library.
 * An engine that is opened without `instruments` measures nothing and calls nothing.
 * `instrument-catalogue.ts` lists all that is recorded.
 *
 *     const totals = new Map<string, number>()
 *     const instruments: Instruments = {
 *       add: ({ name }, amount) => totals.set(name, (totals.get(name) ?? 0) + amount),
 *       record: () => undefined,
 *       begin: () => ({ end: () => undefined }),
 *     }
 *     await openWarp({ keys, instruments })
 */
export interface Instrument {
  /**
   * As in OpenTelemetry: words from general to special, parted by dots. Stays as it is from version
   * to version.
   */
  readonly name: string
  readonly kind: 'counter' | 'histogram' | 'span'
  /**
   * UCUM: `ms`, `By` (bytes), or a thing that is counted, `{frame}`. A span lasts, in milliseconds.
   */
  readonly unit: string
  /** What is measured, in one sentence. */
  readonly help: string
  /** The names of its labels. */
  readonly labels: readonly string[]
}

/**
 * Values by the names that the instrument lists. Few different values each: levels, transports,
 * outcomes. Never keys.
 */
export type Labels = Readonly<Record<string, string>>

/**
 * Called synchronously, in the middle of the engine's work: return at once. One that throws is not
 * called any more, and the observer is told (`instruments:failed`).
 */
export interface Instruments {
  /** A counter has grown by `amount`, which is more than 0. */
  add(counter: Instrument, amount: number, labels: Labels): void
  /** A histogram has one more value, of at least 0. */
  record(histogram: Instrument, value: number, labels: Labels): void
  /** Work begins that takes more than a moment. */
  begin(span: Instrument, labels: Labels): Span
}

export interface Span {
  /** The work is over, in one way or another. Called once. */
  end(labels: Labels): void
}
