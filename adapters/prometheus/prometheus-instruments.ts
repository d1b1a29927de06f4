/**
 * Instruments that are metrics of prom-client. A span is a histogram of how long it took; gauges
 * are read off the engine when the registry is asked.
 */
import { register as globalRegistry, type Registry } from 'prom-client'
import { checkOptions, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { INSTRUMENTS, WarpError, type Instrument, type Instruments, type Labels, type Span } from '../../src/index.ts'
import { EVENT_LEVELS } from '../../src/observability/event-levels.ts'
import { RegisteredMetrics, TAKEN_LABELS, WITH_BUCKETS, type Source } from './registered-metrics.ts'

export interface PrometheusOptions {
  /** Default: the global registry of prom-client. */
  readonly registry?: Registry
  /**
   * Added to every series. Engines that share a registry need labels of the same names with
   * different values. Default: none.
   */
  readonly labels?: Readonly<Record<string, string>>
  /**
   * Upper bounds of the buckets of a histogram or span, in seconds, bytes or items, by the name of
   * its instrument: `{ 'warp.write.settle': [0.001, 0.01] }`. The first engine of a registry says.
   */
  readonly buckets?: Readonly<Record<string, readonly number[]>>
}

const OPTIONS = optionNames<PrometheusOptions>({ registry: true, labels: true, buckets: true })

/** What Prometheus allows, but for names that it uses itself. */
const LABEL_NAME = /^(?!__)(?!le$|quantile$)[a-zA-Z_][a-zA-Z0-9_]*$/

/** The metrics that are in a registry, so that a second engine finds them. */
const registered = new WeakMap<object, RegisteredMetrics>()

/**
 * For `openWarp({ instruments })`: registers every metric of docs/observability.md and keeps it up
 * to date. Throws `WARP_E_CONFIG`.
 *
 *     const registry = new Registry()
 *     const warp = await openWarp({ keys, instruments: prometheusInstruments({ registry }) })
 *     console.log(await registry.metrics())
 */
export function prometheusInstruments(options: PrometheusOptions = {}): Instruments {
  checkOptions('prometheusInstruments', options, OPTIONS)
  const { registry = globalRegistry, labels = {}, buckets = {} } = options
  if (typeof (registry as Partial<Registry> | null)?.registerMetric !== 'function')
    throw refusedOption('prometheusInstruments', 'registry', registry, 'give a Registry of prom-client')
  checkLabels(labels)
  checkBuckets(buckets)
  const metrics = metricsIn(registry, Object.keys(labels).sort(), buckets)
  return new PrometheusInstruments(metrics, { ...labels })
}

class PrometheusInstruments implements Instruments {
  readonly #metrics: RegisteredMetrics
  readonly #labels: Labels
  readonly #hasLabels: boolean
  #source: Source | undefined

  constructor(metrics: RegisteredMetrics, labels: Labels) {
    this.#metrics = metrics
    this.#labels = labels
    this.#hasLabels = Object.keys(labels).length > 0
    // A counter that first appears with 1 has not grown, as far as `increase` can see.
    for (const kind of Object.keys(EVENT_LEVELS)) this.add(INSTRUMENTS.events, 0, { kind })
  }

  add(instrument: Instrument, amount: number, labels: Labels): void {
    this.#metrics.add(instrument, amount, this.#all(labels))
  }

  record(instrument: Instrument, value: number, labels: Labels): void {
    this.#metrics.record(instrument, value, this.#all(labels))
  }

  begin(instrument: Instrument, labels: Labels): Span {
    const startMs = performance.now()
    return {
      end: (more) => this.record(instrument, performance.now() - startMs, { ...labels, ...more }),
    }
  }

  opened(observe: Source['observe']): void {
    const source = { observe, labels: this.#labels }
    this.#metrics.opened(source)
    this.#source = source
  }

  closed(): void {
    if (this.#source !== undefined) this.#metrics.closed(this.#source)
    this.#source = undefined
  }

  #all(labels: Labels): Labels {
    return this.#hasLabels ? { ...labels, ...this.#labels } : labels
  }
}

function metricsIn(
  registry: Registry,
  labelNames: readonly string[],
  buckets: NonNullable<PrometheusOptions['buckets']>,
): RegisteredMetrics {
  const known = registered.get(registry)
  if (known?.isRegistered === true) {
    if (known.labelNames.join() === labelNames.join()) return known
    throw new WarpError(
      'WARP_E_CONFIG',
      `prometheusInstruments: the labels are ${shownNames(labelNames)}, and another engine on this registry has ` +
        `${shownNames(known.labelNames)}; give both the same names, or a registry of their own`,
    )
  }
  try {
    const metrics = new RegisteredMetrics(registry, { labelNames, buckets })
    registered.set(registry, metrics)
    return metrics
  } catch (cause) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `prometheusInstruments: ${(cause as Error).message} Give a registry of its own to one of the two.`,
      { cause },
    )
  }
}

function checkLabels(labels: unknown): void {
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels))
    throw refusedOption('prometheusInstruments', 'labels', labels, "give names with texts, such as { engine: 'cache' }")
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value !== 'string') throw refusedOption('prometheusInstruments', `labels.${name}`, value, 'give a text')
    if (!LABEL_NAME.test(name) || TAKEN_LABELS.has(name)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `prometheusInstruments: '${name}' cannot be a label: it takes letters, digits and _, and none of ` +
          [...TAKEN_LABELS].join(', '),
        { details: { option: 'labels', name } },
      )
    }
  }
}

function checkBuckets(buckets: unknown): void {
  checkOptions('prometheusInstruments: buckets', buckets, WITH_BUCKETS)
  for (const [name, bounds] of Object.entries(buckets as object) as [string, unknown][]) {
    const isRising =
      Array.isArray(bounds) &&
      bounds.length > 0 &&
      bounds.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > bounds[i - 1]))
    if (!isRising)
      throw refusedOption('prometheusInstruments', `buckets['${name}']`, bounds, 'give a list of rising numbers')
  }
}

function shownNames(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ')
}
