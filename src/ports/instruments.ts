/**
 * The port for whoever measures: counters, histograms, gauges and spans, in terms of no vendor's
 * library. An engine that is opened without `instruments` measures nothing and calls nothing.
 * `instrument-catalogue.ts` lists all that is recorded; what is read off the engine when somebody
 * asks stands in `src/observability/observed-catalogue.ts`.
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
  readonly kind: 'counter' | 'gauge' | 'histogram' | 'span'
  /**
   * UCUM: `ms`, `By` (bytes), `1` (yes or no), or a thing that is counted, `{frame}`. A span lasts,
   * in milliseconds.
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
  /**
   * The engine is open. Whoever wants to know how it is calls `observe`, now or at any time until
   * `closed`: the instruments of `OBSERVED` are read then, and only then.
   */
  opened?(observe: Observe): void
  /** The engine has closed: `observe` tells nothing any more. */
  closed?(): void
}

/**
 * Tells the values of this moment, of gauges and of counters that the engine keeps anyway: those
 * tell what they have come to, not by how much they have grown. What does not apply is not told.
 */
export type Observe = (tell: Tell) => void
export type Tell = (instrument: Instrument, value: number, labels: Labels) => void

export interface Span {
  /** The work is over, in one way or another. Called once. */
  end(labels: Labels): void
  /**
   * Calls `work` at once and returns what it returns. Spans that begin meanwhile, also in what it
   * leaves to later, are parts of this one, if the library can tell. Default: calls it.
   */
  run?<Result>(work: () => Result): Result
}
