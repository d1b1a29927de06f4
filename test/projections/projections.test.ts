import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type ProjectedOperation, type Projection } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import type { WarpError } from '../../crdt/warp-error.ts'
import { set } from '../../crdt/set.ts'
import { closeAll } from '../support/close-all.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'r:*': register<number>(),
  'c:*': counter(),
  's:*': set<number>(),
  'm:*': map(set<number>()),
  'n:*': custom<string>((old, next) => old + next),
  'short:*': { strategy: counter(), retain: { versions: 2 } },
} as const

const open = () => openWarp({ keys, env: virtualEnv() })

/** Everything that a projection can see, in order. */
function journal(name: string, pattern?: string): Projection<string[]> {
  return {
    name,
    ...(pattern === undefined ? {} : { keys: pattern }),
    initial: () => [],
    apply: (lines, { key, value, operation, position }) => {
      const { dot, kind, version, payload } = operation
      lines.push(
        JSON.stringify([position, key, plain(value), dot.replica, dot.sequence, kind, version, plain(payload)]),
      )
      return lines
    },
  }
}

function plain(value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value ?? null
  return Object.entries(value).map(([name, entry]) => [name, plain(entry)])
}

test('what is written in the turn in which a projection begins is seen, once', async () => {
  for (let ticks = 0; ticks < 12; ticks++) {
    const warp = await open()
    await warp.set('r:a', 1)
    const starting = warp.project(journal('journal'))
    for (let i = 0; i < ticks; i++) await Promise.resolve()
    await warp.set('r:b', 2)
    const { state } = await starting
    expect(
      state.map((line) => (JSON.parse(line) as unknown[])[1]),
      `${ticks} ticks`,
    ).toEqual(['r:a', 'r:b'])
    await warp.close()
  }
})

test('what a projection sees live is what it sees when it is rebuilt, also of operations that arrive late', async () => {
  const random = seededRandom('live = rebuilt')
  const env = virtualEnv()
  const network = memoryNetwork({ seed: 3, env, loss: 0.2, reorder: 0.3, delayMs: 20 })
  const warps = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      openWarp({ keys, transports: [network.transport(name)], env: env.fork({ label: name }) }),
    ),
  )
  const live = await Promise.all(warps.map((warp) => warp.project(journal('journal'))))
  for (let i = 0; i < 120; i++) {
    const warp = random.pick(warps)
    const key = random.below(2)
    const writes = [
      () => warp.set(`r:${key}`, i),
      () => warp.key(`c:${key}`).increment(i),
      () => warp.key(`s:${key}`).add(i % 5),
      () => warp.key(`s:${key}`).remove(i % 5),
      () => warp.key(`m:${key}`).update('x', 'add', i, i + 1),
      () => warp.key(`m:${key}`).remove('x'),
      () => warp.set(`n:${key}`, `${i},`),
      () => warp.delete(`r:${key}`),
      () => warp.delete(`s:${key}`),
    ]
    await random.pick(writes)()
    if (random.chance(0.3)) await env.advance(random.below(60))
  }
  await env.advance(30_000)
  for (const [i, projection] of live.entries()) {
    const seen = [...projection.state]
    expect(seen.length).toBeGreaterThan(100)
    await projection.rebuild()
    expect(projection.state).toEqual(seen)
    const warp = warps[i]
    const second = await warp?.project(journal('second'))
    expect(second?.state).toEqual(seen)
  }
  await closeAll(env, warps)
})

test('a long log is rebuilt in steps, each operation once, and says how far it is', async () => {
  const warp = await open()
  for (let i = 0; i < 7000; i++) void warp.key('c:1').increment()
  const fractions: number[] = []
  const total: Projection<{ count: number; last: unknown }> = {
    name: 'total',
    initial: () => ({ count: 0, last: 0 }),
    apply: ({ count }, { value }) => ({ count: count + 1, last: value }),
  }
  const { state } = await warp.project(total, { progress: (fraction) => fractions.push(fraction) })
  expect(state).toEqual({ count: 7000, last: 7000 })
  expect(fractions.length).toBeGreaterThan(2)
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
  expect(fractions.at(-1)).toBe(1)
  await warp.close()
})

test('a rebuild of a few large values is done in steps too', async () => {
  const warp = await openWarp({ keys: { 'large:*': register<string>() }, env: virtualEnv() })
  for (let i = 0; i < 100; i++) void warp.set('large:1', 'x'.repeat(32_768))
  let steps = 0
  const count: Projection<number> = { name: 'count', initial: () => 0, apply: (seen) => seen + 1 }
  const { state } = await warp.project(count, { progress: () => steps++ })
  expect(state).toBe(100)
  expect(steps).toBeGreaterThan(10)
  await warp.close()
})

test('what is written while a projection is rebuilt is seen once', async () => {
  const warp = await open()
  for (let i = 0; i < 5000; i++) void warp.key('c:1').increment()
  let steps = 0
  const progress = (): void => {
    // More often than there are steps, so that the last one is followed by a write as well.
    if (steps++ < 12) void warp.key('c:2').increment()
  }
  const handle = await warp.project(journal('journal', 'c:2'), { progress })
  expect(handle.state).toHaveLength(12)
  await warp.key('c:2').increment()
  expect(handle.state).toHaveLength(13)
  steps = 0
  await handle.rebuild({ progress })
  expect(handle.state).toHaveLength(25)
  await warp.close()
})

test('only keys that match the pattern are seen, live and rebuilt', async () => {
  const warp = await open()
  const handle = await warp.project(journal('journal', 'c:*'))
  await warp.key('c:1').increment()
  await warp.set('r:1', 1)
  const seen = handle.state.map((line) => (JSON.parse(line) as unknown[])[1])
  expect(seen).toEqual(['c:1'])
  await handle.rebuild()
  expect(handle.state).toHaveLength(1)
  await expect(warp.project(journal('broken', ''))).rejects.toMatchObject({ code: 'WARP_E_PATTERN' })
  await warp.close()
})

test('a projection that throws stops and says why, until a rebuild succeeds; the writer does not notice', async () => {
  const warp = await open()
  let isBroken = true
  const sum: Projection<number> = {
    name: 'sum',
    initial: () => 0,
    apply: (state, { operation }) => {
      if (isBroken && operation.payload === 13) throw new Error('unlucky')
      return state + 1
    },
  }
  const handle = await warp.project(sum)
  await warp.key('c:1').increment(1)
  expect(handle.state).toBe(1)
  await expect(warp.key('c:1').increment(13)).resolves.toMatchObject({ version: 2 })
  await warp.key('c:1').increment(1)
  expect(() => handle.state).toThrow('unlucky')
  await expect(handle.rebuild()).rejects.toThrow('unlucky')
  expect(() => handle.state).toThrow('unlucky')
  isBroken = false
  await handle.rebuild()
  expect(handle.state).toBe(3)
  await warp.key('c:1').increment(13)
  expect(handle.state).toBe(4)
  await warp.close()
})

test('one that throws while it is started is not running, and its name is free', async () => {
  const warp = await open()
  await warp.key('c:1').increment(1)
  const broken: Projection<number> = {
    name: 'same',
    initial: () => 0,
    apply: () => {
      throw new Error('broken')
    },
  }
  const error = (await warp.project(broken).catch((caught: unknown) => caught)) as WarpError
  const dot = { replica: warp.replica, sequence: 1 }
  expect(error).toMatchObject({ code: 'WARP_E_MERGE', details: { projection: 'same', key: 'c:1', ...dot } })
  expect(error.message).toContain(`projection 'same': apply threw at operation ${warp.replica}:1 of 'c:1': broken; `)
  expect(error.cause).toMatchObject({ message: 'broken' })
  expect(warp.stats().projections).toEqual([])
  const handle = await warp.project(journal('same'))
  await expect(warp.project(journal('same'))).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await handle.close()
  await handle.close()
  const again = await warp.project(journal('same'))
  expect(again.state).toHaveLength(1)
  expect(warp.stats().projections).toMatchObject([{ name: 'same' }])
  await warp.close()
})

test('a rebuild that is given up leaves the state as it was', async () => {
  const warp = await open()
  for (let i = 0; i < 5000; i++) void warp.key('c:1').increment()
  const handle = await warp.project(journal('journal', 'c:2'))
  await warp.key('c:2').increment()
  const { state } = handle
  const controller = new AbortController()
  const rebuilding = handle.rebuild({ signal: controller.signal, progress: () => controller.abort() })
  await expect(rebuilding).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  expect(handle.state).toBe(state)
  await warp.key('c:2').increment()
  expect(handle.state).toHaveLength(2)
  await warp.close()
})

test('after compaction a rebuild shows the snapshot in the place of what it stands for', async () => {
  const warp = await open()
  for (let i = 1; i <= 5; i++) await warp.key('short:1').increment(i)
  await warp.compact()
  const { state } = await warp.project(journal('journal'))
  expect(state.map((line) => (JSON.parse(line) as unknown[]).slice(1))).toEqual([
    ['short:1', 6, warp.replica, 3, 'snapshot', 3, null],
    ['short:1', 10, warp.replica, 4, 'update', 4, 4],
    ['short:1', 15, warp.replica, 5, 'update', 5, 5],
  ])
  await warp.close()
})

test('compaction in the middle of a rebuild loses nothing of the values', async () => {
  const warp = await open()
  for (let i = 0; i < 3000; i++) void warp.key(`short:${i % 3}`).increment()
  for (let i = 0; i < 3000; i++) void warp.key('c:1').increment()
  for (let i = 0; i < 3000; i++) void warp.key(`short:${i % 3}`).increment()
  let compacting: Promise<unknown> | undefined
  const latest: Projection<Map<string, unknown>> = {
    name: 'latest',
    initial: () => new Map<string, unknown>(),
    apply: (values, { key, value }) => values.set(key, value),
  }
  const { state } = await warp.project(latest, { progress: () => void (compacting ??= warp.compact()) })
  await compacting
  expect(Object.fromEntries(state)).toEqual({ 'short:0': 2000, 'short:1': 2000, 'short:2': 2000, 'c:1': 3000 })
  await warp.close()
})

test('a projected operation is worth nothing after the call, its record is', async () => {
  const warp = await open()
  const views: ProjectedOperation[] = []
  const keeping: Projection<unknown[]> = {
    name: 'keeping',
    initial: () => [],
    apply: (records, view) => {
      views.push(view)
      records.push(view.operation)
      return records
    },
  }
  const handle = await warp.project(keeping)
  await warp.key('c:1').increment(7)
  expect(() => views[0]?.value).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
  expect(() => views[0]?.operation).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
  expect(handle.state).toMatchObject([{ key: 'c:1', payload: 7, version: 1 }])
  await warp.close()
})

test('a projection that writes is stopped, and the write that it was told of is whole', async () => {
  const warp = await open()
  const seen = warp.watch('*')
  const writing: Projection<number> = {
    name: 'writing',
    initial: () => 0,
    apply: (state, { key }) => {
      if (key === 'c:1')
        warp
          .key('c:2')
          .increment()
          .catch((error: unknown) => refusals.push(error))
      return state + 1
    },
  }
  const refusals: unknown[] = []
  const handle = await warp.project(writing)
  await warp.key('c:1').increment(5)
  expect(refusals).toMatchObject([{ code: 'WARP_E_CONFIG' }])
  expect(() => handle.state).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
  expect(await warp.get('c:1')).toBe(5)
  expect(await warp.get('c:2')).toBeUndefined()
  const first = await seen[Symbol.asyncIterator]().next()
  expect(first.value).toMatchObject({ key: 'c:1', version: 1 })
  await expect(warp.project({ ...writing, name: 'again' })).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  expect(await warp.get('c:2')).toBeUndefined()
  await warp.close()
})

test('a closed projection sees no more, and the engine closes those that are left', async () => {
  const warp = await open()
  const [one, two] = [await warp.project(journal('one')), await warp.project(journal('two'))]
  await one.close()
  await warp.key('c:1').increment()
  expect([one.state.length, two.state.length]).toEqual([0, 1])
  await expect(one.rebuild()).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  await warp.close()
  await expect(two.rebuild()).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  await expect(warp.project(journal('three'))).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
})

test('a projection is rebuilt when an import replaces the state, also without transports', async () => {
  const keys = { 'h:*': { strategy: counter(), retain: 'latest' } } as const
  const env = virtualEnv()
  const [source, target] = await Promise.all(
    ['source', 'target'].map((label) => openWarp({ keys, env: env.fork({ label }) })),
  )
  if (source === undefined || target === undefined) throw new Error('both are open')
  const total: Projection<Record<string, unknown>> = {
    name: 'values',
    initial: () => ({}),
    apply: (values, { key, value }) => ({ ...values, [key]: value }),
  }
  for (let i = 0; i < 100; i++) await source.key('h:1').increment(1)
  await source.compact()
  await target.key('h:2').increment(5)
  const projection = await target.project(total)
  await target.import(source.export())
  await env.advance(1000)
  expect([target.peek('h:1'), target.peek('h:2')]).toEqual([100, 5])
  expect(projection.state).toEqual({ 'h:1': 100, 'h:2': 5 })
  await Promise.all([source.close(), target.close()])
})
