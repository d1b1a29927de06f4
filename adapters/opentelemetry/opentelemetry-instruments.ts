/**
 * Instruments that are metrics and spans of @opentelemetry/api. A span is a part of what is active
 * where it begins (the request that waits for a write, say), and a histogram of how long it took.
 * Gauges are read off the engine when the meter collects.
 */
import {
  context,
  metrics,
  SpanStatusCode,
  trace,
  type Attributes,
  type BatchObservableCallback,
  type Counter,
  type Histogram,
  type Meter,
  type Observable,
  type Tracer,
} from '@opentelemetry/api'
import { checkOptions, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import {
  INSTRUMENTS,
  OBSERVED,
  WarpError,
  type Instrument,
  type Instruments,
  type Labels,
  type Observe,
  type Span,
} from '../../src/index.ts'

export interface OpenTelemetryOptions {
  /** Default: the global provider's meter `warp-engine`. */
  readonly meter?: Meter
  /** Default: the global provider's tracer `warp-engine`. */
  readonly tracer?: Tracer
  /** Added to every measurement and span. Engines that share a meter need different ones. */
  readonly attributes?: Attributes
}

const OPTIONS = optionNames<OpenTelemetryOptions>({ meter: true, tracer: true, attributes: true })
const SCOPE = 'warp-engine'

/**
 * For `openWarp({ instruments })`: the metrics and spans of docs/observability.md, under the names
 * that stand there. Throws `WARP_E_CONFIG`.
 *
 *     const warp = await openWarp({ keys, instruments: openTelemetryInstruments() })
 */
export function openTelemetryInstruments(options: OpenTelemetryOptions = {}): Instruments {
  checkOptions('openTelemetryInstruments', options, OPTIONS)
  const { meter = metrics.getMeter(SCOPE), tracer = trace.getTracer(SCOPE), attributes = {} } = options
  if (typeof (meter as Partial<Meter> | null)?.createCounter !== 'function')
    throw refusedOption('openTelemetryInstruments', 'meter', meter, 'give a Meter of @opentelemetry/api')
  if (typeof (tracer as Partial<Tracer> | null)?.startSpan !== 'function')
    throw refusedOption('openTelemetryInstruments', 'tracer', tracer, 'give a Tracer of @opentelemetry/api')
  if (typeof attributes !== 'object' || attributes === null)
    throw refusedOption('openTelemetryInstruments', 'attributes', attributes, 'give an object')
  return new OpenTelemetryInstruments(meter, tracer, { ...attributes })
}

class OpenTelemetryInstruments implements Instruments {
  readonly #meter: Meter
  readonly #tracer: Tracer
  readonly #attributes: Attributes
  readonly #counters = new Map<Instrument, Counter>()
  readonly #histograms = new Map<Instrument, Histogram>()
  readonly #observables = new Map<Instrument, Observable>()
  #stopObserving: (() => void) | undefined

  constructor(meter: Meter, tracer: Tracer, attributes: Attributes) {
    this.#meter = meter
    this.#tracer = tracer
    this.#attributes = attributes
    for (const instrument of Object.values(INSTRUMENTS)) this.#create(instrument)
    for (const instrument of Object.values(OBSERVED)) this.#createObservable(instrument)
  }

  add(instrument: Instrument, amount: number, labels: Labels): void {
    this.#counters.get(instrument)?.add(amount, this.#all(labels))
  }

  record(instrument: Instrument, value: number, labels: Labels): void {
    this.#histograms.get(instrument)?.record(value, this.#all(labels))
  }

  begin(instrument: Instrument, labels: Labels): Span {
    const span = this.#tracer.startSpan(instrument.name, { attributes: this.#all(labels) })
    const startMs = performance.now()
    return {
      run: (work) => context.with(trace.setSpan(context.active(), span), work),
      end: (more) => {
        const all = this.#all({ ...labels, ...more })
        this.#histograms.get(instrument)?.record(performance.now() - startMs, all)
        span.setAttributes(all)
        if (more['outcome'] === 'failed') span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      },
    }
  }

  opened(observe: Observe): void {
    if (this.#stopObserving !== undefined) throw alreadyOpen()
    const observables = [...this.#observables.values()]
    const collect: BatchObservableCallback = (result) =>
      observe((instrument, value, labels) => {
        const observable = this.#observables.get(instrument)
        if (observable !== undefined) result.observe(observable, value, this.#all(labels))
      })
    this.#meter.addBatchObservableCallback(collect, observables)
    this.#stopObserving = () => this.#meter.removeBatchObservableCallback(collect, observables)
  }

  closed(): void {
    this.#stopObserving?.()
    this.#stopObserving = undefined
  }

  #create(instrument: Instrument): void {
    const { name, kind, unit, help } = instrument
    const described = { unit, description: help }
    if (kind === 'counter') this.#counters.set(instrument, this.#meter.createCounter(name, described))
    else {
      const recorded = kind === 'span' ? `${name}.duration` : name
      this.#histograms.set(instrument, this.#meter.createHistogram(recorded, described))
    }
  }

  #createObservable(instrument: Instrument): void {
    const { name, kind, unit, help } = instrument
    const described = { unit, description: help }
    const observable =
      kind === 'counter'
        ? this.#meter.createObservableCounter(name, described)
        : this.#meter.createObservableGauge(name, described)
    this.#observables.set(instrument, observable)
  }

  #all(labels: Labels): Attributes {
    return { ...this.#attributes, ...labels }
  }
}

function alreadyOpen(): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    'openTelemetryInstruments: these instruments belong to an engine that is open; make others for another engine',
  )
}
