import { expect, test } from 'vitest'
import { openWarp, type Projection, type WarpEvent } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { Holds } from '../../src/log/holds.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import type { Log } from '../../src/log/log.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import { ProjectionRunner } from '../../src/projections/runner.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { openEngine, type OpenEngine } from '../support/open-engine.ts'

const keys = {
  'hits:*': counter(),
  'temporary:*': { strategy: register<number>(), retain: 'latest' },
} as const

/** Every operation that was seen, by dot and payload, in order: one that is missing or twice shows. */
interface Seen {
  readonly dots: string[]
}

function journal(options: Partial<Projection<Seen>> & { every?: number } = {}): Projection<Seen> {
  const { every = 100, ...rest } = options
  return {
    name: 'journal',
    initial: () => ({ dots: [] }),
    apply: (seen, { operation }) => {
      seen.dots.push(`${operation.dot.sequence}:${operation.key} v${operation.version}`)
      return seen
    },
    checkpoint: {
      every,
      encode: ({ dots }) => dots,
      decode: (dots) => ({ dots: [...(dots as string[])] }),
    },
    ...rest,
  }
}

async function run(opened: OpenEngine, projection: Projection<Seen>): Promise<ProjectionRunner<Seen>> {
  const runner = runnerOf(opened, projection)
  await runner.start()
  return runner
}

function runnerOf(opened: OpenEngine, projection: Projection<Seen>): ProjectionRunner<Seen> {
  const { store, holds, feeds } = opened.engine
  const observe = (event: WarpEvent): void => void (opened.events as WarpEvent[]).push(event)
  return new ProjectionRunner({ store, holds, feeds, observe }, projection, () => undefined)
}

/** The state of `from` takes the place of that of `to`. */
function takeOver(from: OpenEngine, to: OpenEngine): void {
  const source = from.engine.exportSnapshot(1000)
  const target = to.engine.beginSnapshot(source.vector)
  for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) target.chunk(chunk)
  target.finish()
}

/** Counts the records that are read from now on. */
function countReads(log: Log): () => number {
  let count = 0
  const [record, scan] = [log.record.bind(log), log.scan.bind(log)]
  log.record = (position) => {
    count++
    return record(position)
  }
  log.scan = (from, visit) =>
    scan(from, (view) => {
      count++
      return visit(view)
    })
  return () => count
}

const rebuilds = (events: readonly WarpEvent[]): unknown[] =>
  events.flatMap((event) => (event.kind === 'projection:rebuilt' ? [event.reason] : []))

const logOf = (files: LogFiles) => ({ name: 'memory', open: () => Promise.resolve(files) })

test('a projection with a checkpoint starts in time proportional to what is new', async () => {
  const files = memoryFiles({ persistent: true })
  const first = await openEngine(keys, { files })
  const count: Projection<number> = {
    name: 'count',
    initial: () => 0,
    apply: (state) => state + 1,
    checkpoint: { every: 100_000, encode: (state) => state, decode: (state) => state as number },
  }
  const running = await run(first, count as never)
  for (let i = 0; i < 100_000; i++) void first.write(`hits:${i % 10}`, 'increment')
  await first.env.advance(0)
  for (let i = 0; i < 10; i++) void first.write('hits:1', 'increment')
  expect(running.state).toBe(100_010)
  await first.engine.log.settled('durable')
  const second = await openEngine(keys, { files: files.copy() })
  const reads = countReads(second.engine.log)
  const resumed = await run(second, count as never)
  expect(resumed.state).toBe(100_010)
  expect(reads()).toBeLessThan(40)
  await second.write('hits:1', 'increment')
  expect(resumed.state).toBe(100_011)
  expect(rebuilds(second.events)).toEqual([])
})

test('a checkpoint holds the state of the moment at which it says how far it has come', async () => {
  const files = memoryFiles({ persistent: true })
  const opened = await openEngine(keys, { files })
  const running = await run(opened, journal({ every: 5 }))
  for (let i = 0; i < 8; i++) void opened.write('hits:1', 'increment')
  await opened.env.advance(1)
  await opened.engine.log.settled('durable')
  const second = await openEngine(keys, { files: files.copy() })
  expect((await run(second, journal())).state.dots).toEqual(running.state.dots)
  expect(running.state.dots).toHaveLength(8)
})

test('whatever a crash leaves of the log, nothing is seen twice and nothing is missed', async () => {
  const random = seededRandom('checkpoints and crashes')
  let files = memoryFiles({ persistent: true })
  let resumedCount = 0
  for (let life = 0; life < 40; life++) {
    const opened = await openEngine(keys, { files })
    const { engine, env, events } = opened
    const runner = await run(opened, journal({ every: 7 }))
    const fresh = await run(opened, journal({ name: 'fresh', checkpoint: undefined as never }))
    expect(runner.state.dots.filter((line) => !line.includes('temporary'))).toEqual(
      fresh.state.dots.filter((line) => !line.includes('temporary')),
    )
    expect(new Set(runner.state.dots).size).toBe(runner.state.dots.length)
    if (life > 0 && rebuilds(events).length === 0) resumedCount++
    for (let i = random.below(60); i > 0; i--) {
      await opened.write(`hits:${random.below(3)}`, 'increment')
      if (random.chance(0.3)) await opened.write(`temporary:${random.below(3)}`, 'set', i)
      if (random.chance(0.2)) await env.advance(1)
      if (random.chance(0.1)) await engine.log.settled('durable')
      if (random.chance(0.03)) await engine.compact()
      if (random.chance(0.03)) await engine.checkpoint()
    }
    await engine.log.settled(random.chance(0.5) ? 'logged' : 'durable')
    files = files.copy()
  }
  expect(resumedCount).toBe(39)
})

test('a checkpoint of another version, or that cannot be decoded, is not used, and that is said', async () => {
  const opened = await openEngine(keys)
  const first = await run(opened, journal({ every: 2 }))
  for (let i = 0; i < 5; i++) await opened.write('hits:1', 'increment')
  await first.close()
  const { dots } = first.state
  const broken = journal({ checkpoint: { every: 2, encode: ({ dots }) => dots, decode: () => refuse() } })
  const renewed = await run(opened, journal({ version: 2 }))
  expect(renewed.state.dots).toEqual(dots)
  await renewed.close()
  const undecodable = await run(opened, { ...broken, version: 2 })
  expect(undecodable.state.dots).toEqual(dots)
  expect(opened.events).toMatchObject([
    { kind: 'projection:rebuilt', name: 'journal', reason: 'version' },
    { kind: 'projection:rebuilt', name: 'journal', reason: 'undecodable', error: { message: 'not mine' } },
  ])
})

function refuse(): never {
  throw new Error('not mine')
}

test('compaction takes nothing that the newest checkpoint has not seen; what it took meanwhile is said', async () => {
  const files = memoryFiles({ persistent: true })
  const opened = await openEngine(keys, { files })
  const running = await run(opened, journal({ every: 1000 }))
  for (let i = 0; i < 20; i++) await opened.write('temporary:1', 'set', i)
  expect(await opened.engine.compact()).toMatchObject({ droppedOperationsCount: 20 })
  await opened.engine.log.settled('durable')
  const second = await openEngine(keys, { files: files.copy() })
  const resumed = await run(second, journal())
  expect(resumed.state.dots).toEqual(running.state.dots)
  expect(rebuilds(second.events)).toEqual([])
  await resumed.close()
  for (let i = 0; i < 20; i++) await second.write('temporary:1', 'set', i)
  await second.engine.compact()
  await run(second, journal())
  expect(rebuilds(second.events)).toEqual(['compacted'])
})

test('what the fast way of opening knows is enough to see that compaction has taken something', async () => {
  const files = memoryFiles({ persistent: true })
  const opened = await openEngine(keys, { files })
  const running = await run(opened, journal())
  await opened.write('temporary:1', 'set', 1)
  await running.close()
  for (let i = 0; i < 5; i++) await opened.write('temporary:2', 'set', i)
  await opened.engine.compact()
  await opened.engine.close()
  const second = await openEngine(keys, { files: files.copy() })
  expect(second.engine.log.recovery.checkpointUsed).toBe(true)
  await run(second, journal())
  expect(rebuilds(second.events)).toEqual(['compacted'])
})

test('compaction keeps the newest checkpoint of each name and drops the older ones', async () => {
  const opened = await openEngine(keys, { segmentBytes: 4096 })
  const { engine, env } = opened
  const runners = await Promise.all(['a', 'b'].map((name) => run(opened, journal({ name, keys: 'hits:*', every: 5 }))))
  for (let i = 0; i < 400; i++) {
    await opened.write('temporary:1', 'set', i)
    if (i < 100) await opened.write('hits:1', 'increment')
    await env.advance(1)
  }
  await engine.compact()
  const kept: number[] = []
  engine.log.scan(0, ({ kind, position }) => {
    if (kind === RECORD_KIND.checkpoint) kept.push(position)
    return true
  })
  expect(kept).toEqual(expect.arrayContaining(engine.feeds.list().map(({ position }) => position)))
  expect(kept.length).toBeLessThan(2 * 20)
  for (const runner of runners) await runner.close()
  for (const name of ['a', 'b']) {
    expect((await run(opened, journal({ name, keys: 'hits:*' }))).state.dots).toHaveLength(100)
  }
  expect(rebuilds(opened.events)).toEqual([])
})

test('after the state has been taken over from a peer a checkpoint of before does not count', async () => {
  const [a, b] = await Promise.all([openEngine(keys), openEngine(keys)])
  const running = await run(b, journal())
  await b.write('hits:1', 'increment')
  await running.close()
  await a.write('hits:2', 'increment')
  takeOver(a, b)
  const [resumed, fresh] = [await run(b, journal()), await run(b, journal({ name: 'fresh' }))]
  expect(resumed.state.dots).toEqual(fresh.state.dots)
})

test('a projection that is reading the log when the state is taken over begins again, and shows nothing of before', async () => {
  const [a, b] = await Promise.all([openEngine(keys), openEngine(keys)])
  const running = await run(b, journal({ name: 'running' }))
  for (let i = 0; i < 3000; i++) await b.write('hits:1', 'increment')
  await a.write('hits:2', 'increment')
  const [starting, rebuilt] = [runnerOf(b, journal({ name: 'starting' })), runnerOf(b, journal({ name: 'rebuilt' }))]
  await rebuilt.start()
  for (const runner of [running, starting, rebuilt]) b.engine.onReset(() => runner.reset())
  const reading = [starting.start(), rebuilt.rebuild()]
  await b.env.yield()
  expect(starting.lag.state).toBe('reading')
  const former = running.state
  takeOver(a, b)
  await b.write('hits:2', 'increment')
  // Of one moment, until it is made anew.
  expect([running.state.dots.length, running.lag.state]).toEqual([3000, 'reading'])
  await b.env.advance(1000)
  await Promise.all(reading)
  const { dots } = (await run(b, journal({ name: 'fresh' }))).state
  expect(dots.length).toBeGreaterThan(1)
  for (const runner of [running, starting, rebuilt])
    expect([runner.lag.state, runner.state.dots]).toEqual(['live', dots])
  expect(running.state).not.toBe(former)
})

test('a checkpoint that cannot be written is said, and the projection works on', async () => {
  const opened = await openEngine(keys)
  const runner = await run(
    opened,
    journal({ checkpoint: { every: 5, encode: () => refuse(), decode: () => ({ dots: [] }) } }),
  )
  for (let i = 0; i < 12; i++) await opened.write('hits:1', 'increment')
  await opened.env.advance(1)
  expect(runner.state.dots).toHaveLength(12)
  expect(opened.events.map(({ kind }) => kind)).toContain('projection:checkpoint-failed')
  expect(opened.events.length).toBeLessThan(5)
})

test('through the public face: closed and opened again, it goes on', async () => {
  const files = memoryFiles({ persistent: true })
  const events: WarpEvent[] = []
  const open = (given: LogFiles) =>
    openWarp({ keys, env: virtualEnv(), log: logOf(given), observe: (event) => events.push(event) })
  const warp = await open(files)
  const first = await warp.project(journal())
  for (let i = 0; i < 30; i++) await warp.key('hits:1').increment()
  const { dots } = first.state
  await warp.close()
  const again = await open(files.copy())
  await again.key('hits:2').increment()
  const second = await again.project(journal())
  expect(second.state.dots).toEqual([...dots, '31:hits:2 v1'])
  expect(rebuilds(events)).toEqual([])
  await expect(again.project(journal({ name: 'x', every: 0 }))).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await again.close()
})

test('while the whole state is held nothing is kept of a projection', async () => {
  const opened = await openEngine(keys)
  const runner = await run(opened, journal({ every: 1 }))
  const hold = opened.engine.holds.take('a test')
  expect(opened.engine.holds).toBeInstanceOf(Holds)
  const before = opened.engine.feeds.list()
  await opened.write('hits:1', 'increment')
  await opened.env.advance(1)
  expect(opened.engine.feeds.list()).toEqual(before)
  hold.release()
  await runner.close()
  expect(opened.engine.feeds.list()).not.toEqual(before)
})

test('a projection sees each operation of a group with the version and the value that it made, live and rebuilt', async () => {
  const opened = await openEngine(keys)
  const { store } = opened.engine
  const running = await run(opened, {
    name: 'group',
    initial: () => ({ dots: [] }),
    apply: (seen, { value, operation }) => {
      seen.dots.push(`v${operation.version} = ${String(value)}`)
      return seen
    },
  })
  const keyspace = store.keyspaceOf('hits:1')
  const draft = (payload: number) => ({
    ...{ key: 'hits:1', keyspace, slot: store.keys.find('hits:1'), payload },
    kind: OPERATION_KIND.update,
  })
  store.appendAll([draft(1), draft(2)])
  store.append(draft(3))
  const live = [...running.state.dots]
  expect(live).toEqual(['v1 = 1', 'v2 = 3', 'v3 = 6'])
  await running.rebuild()
  expect(running.state.dots).toEqual(live)
})
