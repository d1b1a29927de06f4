/**
 * The metrics of one registry. Several engines of a process may share them, told apart by labels of
 * their own. What is read off the engines is read once for each scrape.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { INSTRUMENTS, OBSERVED, WarpError, type Instrument, type Labels, type Observe } from '../../src/index.ts'
import { inBaseUnit, prometheusName } from './prometheus-name.ts'

/** An engine that is open. */
export interface Source {
  readonly observe: Observe
  readonly labels: Labels
}

type AnyMetric = Counter | Gauge | Histogram

/** From a tenth of a millisecond to a minute, in seconds. */
const SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]
const BYTES = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216]
const COUNTS = [0, 1, 4, 16, 64, 256, 1024, 4096]

const ALL_OBSERVED = Object.values(OBSERVED)
const ALL = [...Object.values(INSTRUMENTS), ...ALL_OBSERVED]

/** Names of the instruments that have buckets, in the terms of `Instrument.name`. */
export const WITH_BUCKETS: readonly string[] = ALL.filter(({ kind }) => kind === 'histogram' || kind === 'span').map(
  ({ name }) => name,
)

/** Labels that instruments have of their own. */
export const TAKEN_LABELS: ReadonlySet<string> = new Set(ALL.flatMap(({ labels }) => labels))

export interface MetricsSettings {
  /** Beside the labels of the instrument. */
  readonly labelNames: readonly string[]
  readonly buckets: Readonly<Record<string, readonly number[]>>
}

export class RegisteredMetrics {
  readonly labelNames: readonly string[]
  readonly #registry: Registry
  readonly #metrics = new Map<Instrument, AnyMetric>()
  readonly #sources = new Set<Source>()
  /** Read during the scrape that is under way. */
  #isFresh = false

  /** Throws what prom-client throws for a name that is taken. */
  constructor(registry: Registry, { labelNames, buckets }: MetricsSettings) {
    this.#registry = registry
    this.labelNames = labelNames
    try {
      for (const instrument of ALL) this.#register(instrument, buckets[instrument.name])
    } catch (error) {
      for (const instrument of this.#metrics.keys()) registry.removeSingleMetric(prometheusName(instrument))
      throw error
    }
  }

  /** Whether the registry still has them: it may have been cleared. */
  get isRegistered(): boolean {
    const [first] = this.#metrics
    return first !== undefined && this.#registry.getSingleMetric(prometheusName(first[0])) === first[1]
  }

  add(instrument: Instrument, amount: number, labels: Labels): void {
    const metric = this.#metrics.get(instrument)
    if (metric instanceof Counter) metric.inc(labels, inBaseUnit(amount, instrument.unit))
  }

  record(instrument: Instrument, value: number, labels: Labels): void {
    const metric = this.#metrics.get(instrument)
    if (metric instanceof Histogram) metric.observe(labels, inBaseUnit(value, instrument.unit))
  }

  /** Throws `WARP_E_CONFIG` if an engine with the same labels is open. */
  opened(source: Source): void {
    const own = JSON.stringify(Object.entries(source.labels).sort())
    for (const { labels } of this.#sources)
      if (JSON.stringify(Object.entries(labels).sort()) === own) throw sameLabels(own)
    this.#sources.add(source)
  }

  closed(source: Source): void {
    this.#sources.delete(source)
  }

  #register(instrument: Instrument, buckets: readonly number[] | undefined): void {
    const { help, kind, labels } = instrument
    const configuration = {
      ...{ name: prometheusName(instrument), help, registers: [this.#registry] },
      labelNames: [...labels, ...this.labelNames],
    }
    const collected = ALL_OBSERVED.includes(instrument) ? { collect: () => this.#refresh() } : {}
    if (kind === 'counter') this.#metrics.set(instrument, new Counter({ ...configuration, ...collected }))
    else if (kind === 'gauge') this.#metrics.set(instrument, new Gauge({ ...configuration, ...collected }))
    else {
      const chosen = [...(buckets ?? bucketsOf(instrument))]
      this.#metrics.set(instrument, new Histogram({ ...configuration, buckets: chosen }))
    }
  }

  /** No value is left, not even 0: what is not told does not apply, or is of an engine that has closed. */
  #forget(instrument: Instrument): void {
    const metric = this.#metrics.get(instrument)
    metric?.reset()
    if (instrument.labels.length + this.labelNames.length === 0) metric?.remove()
  }

  /** A scrape asks each metric in one go: the first one reads all of them. */
  #refresh(): void {
    if (this.#isFresh) return
    this.#isFresh = true
    queueMicrotask(() => (this.#isFresh = false))
    for (const instrument of ALL_OBSERVED) this.#forget(instrument)
    for (const source of this.#sources) {
      source.observe((instrument, value, labels) => {
        const metric = this.#metrics.get(instrument)
        const inUnit = inBaseUnit(value, instrument.unit)
        const all = { ...labels, ...source.labels }
        if (metric instanceof Gauge) metric.set(all, inUnit)
        else if (metric instanceof Counter) metric.inc(all, inUnit)
      })
    }
  }
}

function bucketsOf({ unit }: Instrument): readonly number[] {
  return unit === 'ms' ? SECONDS : unit === 'By' ? BYTES : COUNTS
}

function sameLabels(labels: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `prometheusInstruments: another engine with the labels ${labels} is open on this registry; ` +
      'give each engine a registry, or labels, of its own',
  )
}
