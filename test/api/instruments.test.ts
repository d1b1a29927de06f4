/** What is measured, and that nothing is where nobody measures. */
import { expect, test } from 'vitest'
import { memoryNetwork, memoryStore } from '../../adapters/memory/index.ts'
import {
  relay,
  INSTRUMENTS,
  OBSERVED,
  memoryFiles,
  openWarp,
  type Instrument,
  type Instruments,
  type Observe,
} from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { ALL_PARTS, openWarpOn } from '../../src/index.ts'
import { memoryOrderedLogOn } from '../../src/ports/ordered-memory/memory-ordered-log.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = {
  'l:*': { strategy: register<string>(), load: 'caller' },
  'n:*': { strategy: counter(), retain: 'latest' },
  'r:*': { strategy: register<string>(), retain: 'latest' },
} as const

/** Keys whose truth is elsewhere. */
const LOADED = {
  'l:*': { strategy: register<string>(), load: (key: string) => `${key}, loaded` },
  's:*': { strategy: register<string>(), store: memoryStore() },
} as const

interface Call {
  readonly kind: Instrument['kind']
  readonly value: number
  readonly labels: Readonly<Record<string, string>>
}

/** Keeps what it is told, by name. */
class Kept implements Instruments {
  readonly calls = new Map<string, Call[]>()
  #observe: Observe | undefined
  isClosed = false

  add(instrument: Instrument, value: number, labels: Call['labels']): void {
    this.#keep(instrument.name, { kind: 'counter', value, labels })
  }

  record(instrument: Instrument, value: number, labels: Call['labels']): void {
    this.#keep(instrument.name, { kind: 'histogram', value, labels })
  }

  begin(instrument: Instrument): { end: (labels: Call['labels']) => void } {
    return { end: (labels) => this.#keep(instrument.name, { kind: 'span', value: 0, labels }) }
  }

  opened(observe: Observe): void {
    this.#observe = observe
  }

  closed(): void {
    this.isClosed = true
  }

  /** What the engine tells now, if it is asked. */
  observed(): [instrument: Instrument, value: number, labels: Call['labels']][] {
    const told: [Instrument, number, Call['labels']][] = []
    this.#observe?.((...one) => told.push(one))
    return told
  }

  get count(): number {
    return [...this.calls.values()].reduce((sum, calls) => sum + calls.length, 0)
  }

  of({ name }: Instrument): readonly Call[] {
    return this.calls.get(name) ?? []
  }

  sum(instrument: Instrument): number {
    return this.of(instrument).reduce((sum, { value }) => sum + value, 0)
  }

  #keep(name: string, call: Call): void {
    this.calls.set(name, [...(this.calls.get(name) ?? []), call])
  }
}

const OVERWRITTEN = 80

const inMemory = () => {
  const files = memoryFiles({ persistent: true })
  return { name: 'memory', open: () => Promise.resolve(files) }
}

/** One replica writes, reads and compacts; another one comes, takes over what has been folded, and gets what follows. */
async function scenario() {
  const env = virtualEnv()
  const network = memoryNetwork({ env })
  const kept = { first: new Kept(), second: new Kept() }
  // Small segments, so that there is one to be rewritten.
  const open = (name: 'first' | 'second') =>
    openWarpOn(
      { env, parts: ALL_PARTS, segmentBytes: 65_536 },
      {
        ...{ keys, name, instruments: kept[name], log: inMemory(), env: env.fork({ label: name }) },
        transports: [network.transport(name)],
      },
    )
  await using first = await open('first')
  for (let i = 0; i < 5; i++) await first.set('r:1', `${i}`, { ack: 'durable' })
  for (let i = 0; i < OVERWRITTEN; i++) await first.set('r:2', `${i}`.padEnd(2000), { ack: 'memory' })
  first.write('r:3', 'y')
  await first.getOrSet('l:1', () => 'loaded')
  await first.setMany([
    ['r:4', 'a'],
    ['r:5', 'b'],
  ])
  await env.advance(1000)
  expect(first.peek('r:1')).toBe('4')
  await first.compact()
  await using second = await open('second')
  await env.advance(10_000)
  for (let i = 0; i < 3; i++) await first.key('n:1').increment()
  await env.advance(10_000)
  expect(await second.get('n:1')).toBe(3)
  const counts = { sent: first.stats().replication?.sent, received: second.stats().replication?.received }
  const measured = {
    sent: [kept.first.sum(INSTRUMENTS.sentFrames), kept.first.sum(INSTRUMENTS.sentBytes)],
    received: [kept.second.sum(INSTRUMENTS.receivedFrames), kept.second.sum(INSTRUMENTS.receivedBytes)],
  }
  return { ...kept, counts, measured }
}

/** A long history is read after a restart, and a projection reads the log. */
async function longHistory(): Promise<Kept> {
  const files = faultyFiles()
  const env = virtualEnv()
  const first = await openWarp({ keys, env, log: files.store() })
  const handle = first.key('n:1')
  for (let i = 0; i < 20_000; i++) void handle.increment()
  await handle.increment()
  const kept = new Kept()
  const again = await openWarp({ keys, env, log: files.kill().store(), instruments: kept })
  expect(await again.get('n:1')).toBe(20_001)
  await again.project({ name: 'all', initial: () => 0, apply: (state: number) => state + 1 })
  await again.close()
  await using loading = await openWarp({ keys: LOADED, env, instruments: kept })
  expect(await loading.get('l:1')).toBe('l:1, loaded')
  const read = loading.get('s:1')
  await env.runUntilIdle()
  expect(await read).toBeUndefined()
  return kept
}

test('everything in the catalogue is recorded, as the kind and with the labels that it says', async () => {
  const { first, second } = await scenario()
  const third = await longHistory()
  for (const instrument of Object.values(INSTRUMENTS)) {
    const calls = [first, second, third].flatMap((kept) => kept.of(instrument))
    expect([instrument.name, calls.length > 0]).toEqual([instrument.name, true])
    for (const { kind, value, labels } of calls) {
      expect([instrument.name, kind, Object.keys(labels)]).toEqual([
        instrument.name,
        instrument.kind,
        instrument.labels,
      ])
      expect(value).toBeGreaterThanOrEqual(0)
    }
  }
  const names = Object.values(INSTRUMENTS).map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { calls } of [first, second, third]) for (const name of calls.keys()) expect(names).toContain(name)
})

test('what is recorded is what happened', async () => {
  const { first, second, counts, measured } = await scenario()
  const writes = first.of(INSTRUMENTS.writes)
  expect(writes.map(({ labels, value }) => `${labels['ack']} ${value}`)).toEqual([
    ...Array.from({ length: 5 }, () => 'durable 1'),
    ...Array.from({ length: OVERWRITTEN }, () => 'memory 1'),
    ...['none 1', 'logged 2'],
    ...Array.from({ length: 3 }, () => 'logged 1'),
  ])
  expect(second.of(INSTRUMENTS.writes)).toEqual([])
  expect(first.sum(INSTRUMENTS.flushBytes)).toBeGreaterThan(OVERWRITTEN * 2000)
  expect(first.sum(INSTRUMENTS.compactedOperations)).toBeGreaterThanOrEqual(4 + OVERWRITTEN - 1)
  expect(first.of(INSTRUMENTS.compaction)).toEqual([{ kind: 'span', value: 0, labels: { outcome: 'done' } }])
  expect(second.of(INSTRUMENTS.snapshotFetch)).toEqual([{ kind: 'span', value: 0, labels: { outcome: 'done' } }])
  expect(second.sum(INSTRUMENTS.appliedOperations)).toBe(3)
  expect(measured.sent).toEqual([counts.sent?.framesCount, counts.sent?.bytes])
  expect(measured.received).toEqual([counts.received?.framesCount, counts.received?.bytes])
})

test('what is asked for is told as the catalogue says it, each series once, and nothing when the engine has closed', async () => {
  const { first, second } = await scenario()
  expect([first.isClosed, second.isClosed, first.observed(), second.observed()]).toEqual([true, true, [], []])
  const env = virtualEnv()
  const network = memoryNetwork({ env })
  const kept = new Kept()
  const bounded = { cache: { entriesMax: 100, bytesMax: 10_000 }, copies: { bytesMax: 10_000 } }
  const [a, b] = [
    await openWarp({
      ...{ keys: { ...keys, ...LOADED }, env: env.fork({ label: 'a' }), transports: [network.transport('a')] },
      ...{ instruments: kept, region: 'eu', ...bounded, order: memoryOrderedLogOn(env) },
      relays: [relay({ from: 'eu', to: { region: 'us', transports: [memoryNetwork({ env }).transport('a')] } })],
    }),
    await openWarp({ keys, env: env.fork({ label: 'b' }), region: 'eu', transports: [network.transport('b')] }),
  ]
  await a.project({ name: 'all', initial: () => 0, apply: (state: number) => state + 1 })
  await env.advance(5000)
  await a.set('r:1', 'x')
  await a.get('r:1')
  const told = kept.observed()
  for (const instrument of Object.values(OBSERVED)) {
    const ofIt = told.filter(([one]) => one === instrument)
    expect([instrument.name, ofIt.length > 0]).toEqual([instrument.name, true])
    for (const [, value, labels] of ofIt) {
      expect([instrument.name, Object.keys(labels)]).toEqual([instrument.name, instrument.labels])
      expect(value).toBeGreaterThanOrEqual(0)
    }
  }
  const series = told.map(([{ name }, , labels]) => `${name} ${JSON.stringify(labels)}`)
  expect(new Set(series).size).toBe(series.length)
  expect(told.filter(([one]) => !Object.values(OBSERVED).includes(one))).toEqual([])
  const valueOf = (instrument: Instrument) => told.find(([one]) => one === instrument)?.[1]
  const { log, cache: held, keysCount } = a.stats()
  expect([valueOf(OBSERVED.keys), valueOf(OBSERVED.logSize), valueOf(OBSERVED.cacheEntries)]).toEqual([
    ...[keysCount, log.bytes, held.entriesCount],
  ])
  expect([valueOf(OBSERVED.ready), valueOf(OBSERVED.live)]).toEqual([1, 1])
  await closeAll(env, [a, b])
})

test('without instruments a write and a read ask not even for the time', async () => {
  const env = virtualEnv()
  let asked = 0
  const counted = { ...env, monotonic: () => (asked++, env.monotonic()) }
  const use = async (instruments: { instruments?: Instruments }): Promise<number> => {
    await using warp = await openWarp({ keys, env: counted, log: inMemory(), ...instruments })
    asked = 0
    await warp.set('r:1', 'x')
    warp.peek('r:1')
    await warp.set('r:1', 'y', { ack: 'durable' })
    await warp.get('r:1')
    return asked
  }
  expect(await use({})).toBe(0)
  expect(await use({ instruments: new Kept() })).toBeGreaterThan(0)
})

test('a read that finds its value calls no instrument', async () => {
  const kept = new Kept()
  await using warp = await openWarp({ keys, env: virtualEnv(), instruments: kept })
  await warp.set('r:1', 'x')
  const handle = warp.key('r:1')
  handle.peek()
  const before = kept.count
  for (let i = 0; i < 10; i++) {
    expect([handle.peek(), warp.peek('r:1')]).toEqual(['x', 'x'])
    expect(await Promise.all([handle.get(), warp.get('r:1')])).toEqual(['x', 'x'])
  }
  expect(kept.count).toBe(before)
})

test('instruments that throw are not called again, and harm nothing', async () => {
  let calls = 0
  const fail = (): never => {
    calls++
    throw new Error('the exporter is gone')
  }
  const events: string[] = []
  await using warp = await openWarp({
    ...{ keys, env: virtualEnv(), log: inMemory() },
    instruments: { add: fail, record: fail, begin: fail },
    observe: (event) => events.push(event.kind),
  })
  expect(await warp.set('r:1', 'x', { ack: 'durable' })).toMatchObject({ ack: 'durable' })
  expect(await warp.get('r:1')).toBe('x')
  await warp.compact()
  expect([calls, events]).toEqual([1, ['instruments:failed']])
})
