/** What an engine measures, in a registry of prom-client. */
import { Gauge, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { openWarp, type WarpEvent } from '../../../adapters/node/index.ts'
import { prometheusInstruments, type PrometheusOptions } from '../../../adapters/prometheus/index.ts'
import { register } from '../../../crdt/register.ts'
import { memoryFiles } from '../../../src/index.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

const keys = { 'r:*': register<string>() }

async function open(options: PrometheusOptions, observe?: (event: WarpEvent) => void) {
  const files = memoryFiles({ persistent: true })
  return openWarp({
    ...{ keys, env: virtualEnv(), log: { name: 'memory', open: () => Promise.resolve(files) } },
    ...(observe === undefined ? {} : { observe }),
    instruments: prometheusInstruments(options),
  })
}

/** The values of a metric, by its labels as text. */
async function seriesOf(registry: Registry, name: string): Promise<Record<string, number>> {
  const metrics = await registry.getMetricsAsJSON()
  const found = metrics.find((metric) => metric.name === name) as
    { values: { metricName?: string; value: number; labels: object }[] } | undefined
  const entries = found?.values.map(({ metricName = name, value, labels }) => {
    return [`${metricName.slice(name.length)}${JSON.stringify(labels)}`, value] as const
  })
  return Object.fromEntries(entries ?? [])
}

test('counters, histograms, spans and gauges are what has happened and what is', async () => {
  const registry = new Registry()
  const warp = await open({ registry })
  for (let i = 0; i < 3; i++) await warp.set(`r:${i}`, 'x', { ack: 'durable' })
  await warp.set('r:0', 'y', { ack: 'memory' })
  expect(await seriesOf(registry, 'warp_writes_total')).toEqual({ '{"ack":"durable"}': 3, '{"ack":"memory"}': 1 })
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{}': 3 })
  expect(await seriesOf(registry, 'warp_health_ready')).toEqual({ '{}': 1 })
  expect(await seriesOf(registry, 'warp_log_size_bytes')).toEqual({ '{}': warp.stats().log.bytes })
  const settled = await seriesOf(registry, 'warp_write_settle_duration_seconds')
  expect(settled['_count{"ack":"durable","outcome":"done"}']).toBe(3)
  expect(settled['_sum{"ack":"durable","outcome":"done"}']).toBeLessThan(60)
  // What there may be an alert for is there before it happens.
  expect((await seriesOf(registry, 'warp_events_total'))['{"kind":"poisoned"}']).toBe(0)
  await warp.set('r:9', 'z')
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{}': 4 })
  await warp.close()
  expect(await seriesOf(registry, 'warp_keys')).toEqual({})
  expect(await seriesOf(registry, 'warp_open_duration_seconds')).toMatchObject({ '_count{"outcome":"done"}': 1 })
})

test('a scrape reads the engine once, whatever it asks for', async () => {
  const registry = new Registry()
  let asked = 0
  const instruments = prometheusInstruments({ registry })
  instruments.opened?.(() => void asked++)
  await registry.metrics()
  expect(asked).toBe(1)
  await registry.getMetricsAsJSON()
  expect(asked).toBe(2)
  instruments.closed?.()
  await registry.metrics()
  expect(asked).toBe(2)
})

test('two engines share a registry by labels, and a second opening finds its metrics', async () => {
  const registry = new Registry()
  const [a, b] = [await open({ registry, labels: { engine: 'a' } }), await open({ registry, labels: { engine: 'b' } })]
  await a.set('r:1', 'x')
  await b.set('r:1', 'x')
  await b.set('r:2', 'x')
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{"engine":"a"}': 1, '{"engine":"b"}': 2 })
  expect(await seriesOf(registry, 'warp_writes_total')).toEqual({
    '{"ack":"logged","engine":"a"}': 1,
    '{"ack":"logged","engine":"b"}': 2,
  })
  await a.close()
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{"engine":"b"}': 2 })
  const again = await open({ registry, labels: { engine: 'a' } })
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{"engine":"a"}': 0, '{"engine":"b"}': 2 })
  await Promise.all([again.close(), b.close()])
})

test('a second engine that could not be told from the first is said to be measured no more, and works', async () => {
  const registry = new Registry()
  const first = await open({ registry })
  const events: WarpEvent[] = []
  const second = await open({ registry }, (event) => events.push(event))
  expect(events).toMatchObject([{ kind: 'instruments:failed', error: { code: 'WARP_E_CONFIG' } }])
  await second.set('r:1', 'x')
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{}': 0 })
  await Promise.all([first.close(), second.close()])
})

test('a registry that was cleared gets the metrics anew', async () => {
  const registry = new Registry()
  await (await open({ registry })).close()
  registry.clear()
  const warp = await open({ registry })
  expect(await seriesOf(registry, 'warp_keys')).toEqual({ '{}': 0 })
  await warp.close()
})

test('buckets are chosen by the name of the instrument', async () => {
  const registry = new Registry()
  const warp = await open({ registry, buckets: { 'warp.write.settle': [0.5, 2] } })
  await warp.set('r:1', 'x', { ack: 'durable' })
  const settled = await seriesOf(registry, 'warp_write_settle_duration_seconds')
  expect(Object.keys(settled).filter((name) => name.startsWith('_bucket'))).toHaveLength(3)
  await warp.close()
})

describe('what is wrong is refused', () => {
  const any = (value: unknown): never => value as never
  const registry = new Registry()
  const taken = new Registry()
  new Gauge({ name: 'warp_keys', help: 'Of somebody else.', registers: [taken] })
  test.each<readonly [string, () => unknown, string]>([
    ['an option', () => prometheusInstruments(any({ register: registry })), "did you mean 'registry'?"],
    ['a registry', () => prometheusInstruments(any({ registry: {} })), 'give a Registry of prom-client'],
    ['a name that is taken', () => prometheusInstruments({ registry: taken }), 'warp_keys has already been registered'],
    ['labels', () => prometheusInstruments(any({ registry, labels: ['a'] })), 'labels is an array'],
    ['a value', () => prometheusInstruments(any({ registry, labels: { a: 1 } })), 'labels.a is the number 1'],
    ['a name', () => prometheusInstruments({ registry, labels: { 'a-b': '' } }), "'a-b' cannot be a label"],
    ['an own label', () => prometheusInstruments({ registry, labels: { ack: '' } }), "'ack' cannot be a label"],
    ['le', () => prometheusInstruments({ registry, labels: { le: '' } }), "'le' cannot be a label"],
    ['a histogram', () => prometheusInstruments(any({ registry, buckets: { 'warp.writes': [1] } })), 'no option'],
    ['bounds', () => prometheusInstruments({ registry, buckets: { 'warp.open': [2, 1] } }), 'rising numbers'],
  ])('%s', (_, call, problem) => {
    expect(call).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining(problem) }))
  })

  test('a registry in which a name was taken keeps what it had and nothing else', async () => {
    expect((await taken.getMetricsAsJSON()).map(({ name }) => name)).toEqual(['warp_keys'])
  })

  test('other labels than those of the first engine', () => {
    const shared = new Registry()
    prometheusInstruments({ registry: shared, labels: { engine: 'a' } })
    expect(() => prometheusInstruments({ registry: shared })).toThrow('the labels are none, and another engine')
  })
})
