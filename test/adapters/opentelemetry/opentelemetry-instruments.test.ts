/** What an engine measures, with the SDK of OpenTelemetry behind it. */
import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp, type WarpEvent } from '../../../adapters/node/index.ts'
import { openTelemetryInstruments } from '../../../adapters/opentelemetry/index.ts'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import type { PrimaryStore } from '../../../src/ports/primary-store.ts'
import { faultyFiles } from '../../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

const keys = { 'r:*': register<string>(), 'n:*': counter() }

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
afterAll(() => context.disable())

function sdk() {
  const spans = new InMemorySpanExporter()
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const meters = new MeterProvider({ readers: [reader] })
  const measured = async (): Promise<Map<string, { value: unknown; attributes: object }[]>> => {
    await reader.forceFlush()
    const newest = exporter.getMetrics().at(-1)
    const metrics = newest?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
    return new Map(metrics.map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints]))
  }
  const options = { meter: meters.getMeter('t'), tracer: tracers.getTracer('t'), attributes: { engine: 'a' } }
  return { spans, measured, tracer: options.tracer, options }
}

async function open(options: Parameters<typeof openTelemetryInstruments>[0], observe?: (event: WarpEvent) => void) {
  const files = faultyFiles()
  const warp = await openWarp({
    ...{ keys, env: virtualEnv(), log: files.store(), instruments: openTelemetryInstruments(options) },
    ...(observe === undefined ? {} : { observe }),
  })
  return { warp, files }
}

test('counters, histograms and gauges are what has happened and what is', async () => {
  const { options, measured } = sdk()
  const { warp } = await open(options)
  for (let i = 0; i < 3; i++) await warp.set(`r:${i}`, 'x', { ack: 'durable' })
  const metrics = await measured()
  expect(metrics.get('warp.writes')).toMatchObject([{ value: 3, attributes: { engine: 'a', ack: 'durable' } }])
  expect(metrics.get('warp.keys')).toMatchObject([{ value: 3, attributes: { engine: 'a' } }])
  expect(metrics.get('warp.log.size')).toMatchObject([{ value: warp.stats().log.bytes }])
  expect(metrics.get('warp.write.settle.duration')).toMatchObject([{ value: { count: 3 } }])
  expect(metrics.get('warp.log.flush.bytes')?.[0]?.value).toMatchObject({ min: expect.any(Number) })
  await warp.close()
})

test('a write that waits is a span of the request that makes it, and says how it ended', async () => {
  const { options, spans, tracer } = sdk()
  const { warp, files } = await open(options)
  await tracer.startActiveSpan('request', async (request) => {
    await warp.set('r:1', 'x', { ack: 'durable' })
    files.failNext('sync', 'EIO')
    await expect(warp.set('r:1', 'y', { ack: 'durable' })).rejects.toThrow()
    request.end()
  })
  const all = spans.getFinishedSpans()
  const request = all.find(({ name }) => name === 'request')
  const settles = all.filter(({ name }) => name === 'warp.write.settle')
  expect(settles.map(({ attributes, status }) => [attributes, status.code])).toEqual([
    [{ engine: 'a', ack: 'durable', outcome: 'done' }, SpanStatusCode.UNSET],
    [{ engine: 'a', ack: 'durable', outcome: 'failed' }, SpanStatusCode.ERROR],
  ])
  for (const span of settles) expect(span.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
  expect(all.map(({ name }) => name)).toContain('warp.open')
  await warp.close().catch(() => undefined)
})

test('a read that waits is a span, and what begins within it is a part of it', async () => {
  const { options, spans, tracer } = sdk()
  const { warp: first, files } = await open({})
  const handle = first.key('n:1')
  for (let i = 0; i < 20_000; i++) void handle.increment()
  await handle.increment()
  const instrumented = openTelemetryInstruments(options)
  const warp = await openWarp({ keys, env: virtualEnv(), log: files.kill().store(), instruments: instrumented })
  await tracer.startActiveSpan('request', async (request) => {
    await warp.get('n:1')
    request.end()
  })
  const read = spans.getFinishedSpans().find(({ name }) => name === 'warp.read.long')
  const request = spans.getFinishedSpans().find(({ name }) => name === 'request')
  expect(read?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
  const instruments = openTelemetryInstruments(options)
  const [outer, inner] = [{ name: 'warp.outer' }, { name: 'warp.inner' }].map(({ name }) => {
    return { name, kind: 'span', unit: 'ms', help: '', labels: [] } as const
  })
  if (outer === undefined || inner === undefined) throw new Error('two instruments')
  const span = instruments.begin(outer, {})
  await span.run?.(async () => {
    await Promise.resolve()
    instruments.begin(inner, {}).end({})
  })
  span.end({})
  const all = spans.getFinishedSpans()
  const [outside, inside] = [outer, inner].map(({ name }) => all.find((one) => one.name === name))
  expect(inside?.parentSpanContext?.spanId).toBe(outside?.spanContext().spanId)
  await warp.close()
})

describe('one cold read of a key with a store is one trace', () => {
  type Reading = (warp: Awaited<ReturnType<typeof openBefore>>) => Promise<unknown>
  const reading: Reading = (warp) => warp.get('k:row')
  const making: Reading = (warp) => warp.getOrSet('k:new', () => 'made')
  const openBefore = (options: Parameters<typeof openTelemetryInstruments>[0], store: PrimaryStore) =>
    openWarp({
      keys: { 'k:*': { strategy: register<string>(), store } },
      instruments: openTelemetryInstruments(options),
    })

  test.each([
    ['get', reading, 'row'],
    ['getOrSet', making, 'made'],
  ] as const)('%s: the load, in it the request to the store, and what was brought', async (_, ask, value) => {
    const { options, spans, tracer } = sdk()
    const store = memoryStore()
    store.put('k:row', new TextEncoder().encode('"row"'))
    const warp = await openBefore(options, store)
    spans.reset()
    await tracer.startActiveSpan('request', async (request) => {
      expect(await ask(warp)).toBe(value)
      request.end()
    })
    const all = spans.getFinishedSpans()
    const nameOf = (id: string | undefined): string | undefined =>
      all.find((span) => span.spanContext().spanId === id)?.name
    expect(all.map(({ name, parentSpanContext }) => `${nameOf(parentSpanContext?.spanId) ?? ''} > ${name}`)).toEqual([
      'warp.load > warp.store.request',
      'warp.load > warp.store.fill',
      'request > warp.load',
      ' > request',
    ])
    expect(new Set(all.map((span) => span.spanContext().traceId)).size).toBe(1)
    await warp.close()
  })
})

test('without a provider it does nothing, and harms nothing', async () => {
  const { warp } = await open({})
  await warp.set('r:1', 'x', { ack: 'durable' })
  expect(trace.getActiveSpan()).toBe(undefined)
  await warp.close()
})

test('one set of instruments belongs to one engine at a time', async () => {
  const { options } = sdk()
  const instruments = openTelemetryInstruments(options)
  const events: string[] = []
  const observe = (event: WarpEvent) => events.push(event.kind)
  const first = await openWarp({ keys, env: virtualEnv(), instruments })
  const second = await openWarp({ keys, env: virtualEnv(), instruments, observe })
  expect(events).toEqual(['instruments:failed'])
  await Promise.all([first.close(), second.close()])
})

describe('what is wrong is refused', () => {
  const any = (value: unknown): never => value as never
  test.each<readonly [string, object, string]>([
    ['an option', { metre: 1 }, "did you mean 'meter'?"],
    ['a meter', { meter: {} }, 'give a Meter'],
    ['a tracer', { tracer: null }, 'give a Tracer'],
    ['attributes', { attributes: 'a' }, 'attributes is the string'],
  ])('%s', (_, options, problem) => {
    expect(() => openTelemetryInstruments(any(options))).toThrow(
      expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining(problem) }),
    )
  })
})
