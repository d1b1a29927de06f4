import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type Explanation, type OperationRecord } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'r:*': register<string>(),
  'c:*': counter(),
  's:*': set<string>(),
  'm:*': map(counter()),
  'n:*': custom<string[]>((old, next) => {
    if (old.includes(next[0] as string)) throw new Error('again')
    return [...old, ...next]
  }),
  'short:*': { strategy: counter(), retain: { versions: 2 } },
} as const

function alone() {
  const env = virtualEnv()
  return openWarp({ keys, env }).then((warp) => ({ warp, env }))
}

/** Two replicas that do not hear each other until `heal`. */
async function apart() {
  const env = virtualEnv()
  const network = memoryNetwork({ seed: 1, env })
  const open = (name: string) =>
    openWarp({ keys, transports: [network.transport(name)], env: env.fork({ label: name }) })
  const [a, b] = await Promise.all([open('a'), open('b')])
  await env.advance(1000)
  network.partition([['a'], ['b']])
  return {
    a,
    b,
    env,
    async heal() {
      network.heal()
      await env.advance(10_000)
    },
    async close() {
      await a.close()
      await b.close()
    },
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

function short(operations: readonly OperationRecord[]): string[] {
  return operations.map(({ version, kind, payload }) => `${version} ${kind} ${JSON.stringify(payload)}`)
}

/** Effect and payload of each operation, and how many it is concurrent with. */
function effects({ operations }: Explanation): string[] {
  return operations.map(
    ({ operation, effect, concurrentWith }) =>
      `${JSON.stringify(operation.payload)} ${effect} |${concurrentWith.reduce((sum, { from, through }) => sum + through - from + 1, 0)}`,
  )
}

test('the log tells who wrote what when, oldest or newest first, from any version on', async () => {
  const { warp, env } = await alone()
  const startMs = env.now()
  await warp.set('r:1', 'x')
  await env.advance(10)
  await warp.set('r:2', 'other')
  await warp.delete('r:1')
  await warp.set('r:1', 'y')
  const operations = await all(warp.log('r:1'))
  expect(short(operations)).toEqual(['1 update "x"', '2 delete undefined', '3 update "y"'])
  expect(operations.map(({ key, dot, strategy, context }) => ({ key, dot, strategy, context }))).toEqual(
    [1, 3, 4].map((sequence) => ({
      key: 'r:1',
      dot: { replica: warp.replica, sequence },
      strategy: 'register',
      context: [],
    })),
  )
  expect(operations.map(({ timeMs }) => timeMs - startMs)).toEqual([0, 10, 10])
  expect(short(await all(warp.log('r:1', { newestFirst: true, fromVersion: 2 })))).toEqual([
    '3 update "y"',
    '2 delete undefined',
  ])
  expect(await all(warp.log('r:1', { fromVersion: 4 }))).toEqual([])
  expect(await all(warp.log('r:9'))).toEqual([])
  await warp.close()
})

test('reading the log ends where the signal says', async () => {
  const { warp } = await alone()
  for (let i = 0; i < 3; i++) await warp.set('r:1', `${i}`)
  const controller = new AbortController()
  const seen: OperationRecord[] = []
  const reading = async (): Promise<void> => {
    for await (const operation of warp.log('r:1', { signal: controller.signal })) {
      seen.push(operation)
      controller.abort()
    }
  }
  await expect(reading()).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  expect(seen).toHaveLength(1)
  await warp.close()
})

test('getAt by version is the fold of the first so many operations', async () => {
  const { warp } = await alone()
  for (let i = 1; i <= 5; i++) await warp.key('c:1').increment(i)
  await warp.delete('c:1')
  expect(await Promise.all([0, 1, 2, 3, 4, 5, 6].map((version) => warp.getAt('c:1', { version })))).toEqual([
    undefined,
    1,
    3,
    6,
    10,
    15,
    undefined,
  ])
  expect(await warp.get('c:1')).toBeUndefined()
  await warp.close()
})

test('getAt by time takes in a whole millisecond', async () => {
  const { warp, env } = await alone()
  const startMs = env.now()
  await warp.key('c:1').increment(1)
  await warp.key('c:1').increment(1)
  await env.advance(1)
  await warp.key('c:1').increment(1)
  expect(await warp.getAt('c:1', { timeMs: startMs - 1 })).toBeUndefined()
  expect(await warp.getAt('c:1', { timeMs: startMs })).toBe(2)
  expect(await warp.getAt('c:1', { timeMs: startMs + 1 })).toBe(3)
  expect(await warp.getAt('c:1', { timeMs: startMs + 1e12 })).toBe(3)
  await warp.close()
})

test('getAt by time gives the same on every replica that has the operations, whatever order they came in', async () => {
  const { a, b, env, heal, close } = await apart()
  const times: number[] = []
  for (let i = 0; i < 6; i++) {
    await (i % 2 === 0 ? a : b).set('n:1', [`${i}`])
    times.push(env.now())
    await env.advance(3)
  }
  await heal()
  for (const [i, timeMs] of times.entries()) {
    const expected = Array.from({ length: i + 1 }, (_, n) => `${n}`)
    expect(await a.getAt('n:1', { timeMs })).toEqual(expected)
    expect(await b.getAt('n:1', { timeMs })).toEqual(expected)
  }
  await close()
})

test.each([[{ version: 3 }], [{ version: -1 }], [{ version: 0.5 }], [{ version: Number.NaN }]])(
  'there is no version like %o',
  async (at) => {
    const { warp } = await alone()
    await warp.set('r:1', 'x')
    await warp.set('r:1', 'y')
    await expect(warp.getAt('r:1', at)).rejects.toMatchObject({ code: 'WARP_E_HISTORY' })
    await expect(warp.getAt('r:9', { version: 1 })).rejects.toMatchObject({ code: 'WARP_E_HISTORY' })
    expect(await warp.getAt('r:9', { version: 0 })).toBeUndefined()
    await expect(warp.getAt('r:1', { timeMs: Number.NaN })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await warp.close()
  },
)

test('what retention did not keep is refused, and explained as compacted', async () => {
  const { warp, env } = await alone()
  const startMs = env.now()
  for (let i = 1; i <= 6; i++) {
    await warp.key('short:1').increment(i)
    await env.advance(10)
  }
  await warp.compact()
  expect(await warp.get('short:1')).toBe(21)
  await expect(warp.getAt('short:1', { version: 3 })).rejects.toMatchObject({ code: 'WARP_E_HISTORY' })
  await expect(warp.getAt('short:1', { timeMs: startMs + 20 })).rejects.toMatchObject({ code: 'WARP_E_HISTORY' })
  expect(await warp.getAt('short:1', { version: 4 })).toBe(10)
  expect(await warp.getAt('short:1', { version: 5 })).toBe(15)
  expect(await warp.getAt('short:1', { timeMs: startMs + 40 })).toBe(15)
  expect(short(await all(warp.log('short:1')))).toEqual(['5 update 5', '6 update 6'])
  const explanation = await warp.explain('short:1')
  expect(effects(explanation)).toEqual(['5 merged |0', '6 merged |0'])
  expect(explanation.compacted).toEqual({ operationsCount: 4, version: 4, timeMs: startMs + 30 })
  await warp.close()
})

// left (a)
// right (b) ── right again (b)
test('concurrent writes of a register: one won, the others are superseded, and each knows its rivals', async () => {
  const { a, b, env, heal, close } = await apart()
  await a.set('r:1', 'left')
  await env.advance(5)
  await b.set('r:1', 'right')
  await env.advance(5)
  await b.set('r:1', 'right again')
  await heal()
  for (const warp of [a, b]) {
    const explanation = await warp.explain('r:1')
    expect(explanation).toMatchObject({ key: 'r:1', value: 'right again', strategy: 'register' })
    expect(effects(explanation)).toEqual(['"left" superseded |2', '"right" superseded |1', '"right again" won |1'])
    expect(explanation.operations[0]?.concurrentWith).toEqual([{ replica: b.replica, from: 1, through: 2 }])
  }
  await a.set('r:1', 'both seen')
  expect(effects(await a.explain('r:1'))).toEqual([
    '"left" superseded |2',
    '"right" superseded |1',
    '"right again" superseded |1',
    '"both seen" won |0',
  ])
  await close()
})

test('many concurrent operations are one range, and are explained page by page', async () => {
  const { a, b, heal, close } = await apart()
  const count = 1500
  for (let i = 0; i < count; i++) for (const warp of [a, b]) void warp.key('c:1').increment(1)
  await heal()
  const newest = await a.explain('c:1')
  expect(newest.operations).toHaveLength(1000)
  for (const { concurrentWith } of newest.operations) {
    expect(concurrentWith).toEqual([{ replica: expect.any(String), from: 1, through: count }])
  }
  let pages = 1
  const dots = new Set(newest.operations.map(({ operation: { dot } }) => `${dot.replica} ${dot.sequence}`))
  for (let { earlier } = newest; earlier !== undefined; pages++) {
    const page = await a.explain('c:1', { before: earlier.before, limit: 1200 })
    for (const { operation } of page.operations) dots.add(`${operation.dot.replica} ${operation.dot.sequence}`)
    expect(page.earlier?.operationsCount ?? 0).toBe(earlier.operationsCount - page.operations.length)
    ;({ earlier } = page)
  }
  expect([pages, dots.size]).toEqual([3, 2 * count])
  for (const limit of [0, 1.5, Number.NaN])
    await expect(a.explain('c:1', { limit })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  const before = { replica: a.replica, sequence: 99_999 }
  await expect(a.explain('c:1', { before })).rejects.toMatchObject({ code: 'WARP_E_HISTORY' })
  await close()
})

test('a concurrent add survives the delete of a set, which cancels what it had seen', async () => {
  const { a, b, env, heal, close } = await apart()
  await a.key('s:1').add('x')
  await env.advance(5)
  await b.key('s:1').add('y')
  await env.advance(5)
  await a.delete('s:1')
  await heal()
  for (const warp of [a, b]) {
    const explanation = await warp.explain('s:1')
    expect(explanation.value).toEqual(new Set(['y']))
    expect(effects(explanation)).toEqual(['[1,"x"] cancelled |1', '[1,"y"] merged |2', 'undefined merged |1'])
  }
  await close()
})

test('concurrent increments are all merged', async () => {
  const { a, b, heal, close } = await apart()
  await a.key('c:1').increment(1)
  await b.key('c:1').increment(2)
  await heal()
  for (const warp of [a, b]) {
    expect((await warp.explain('c:1')).value).toBe(3)
    expect(effects(await warp.explain('c:1')).map((effect) => effect.slice(2))).toEqual(['merged |1', 'merged |1'])
  }
  await close()
})

test('explain says which write a merge function refused, and a removal what it took away', async () => {
  const { a, b, env, heal, close } = await apart()
  await a.set('n:1', ['x'])
  await env.advance(5)
  await b.set('n:1', ['x'])
  await env.advance(5)
  await b.set('n:1', ['y'])
  await a.key('m:1').update('left', 'increment', 1)
  await b.key('m:1').update('right', 'increment', 1)
  await a.key('m:1').remove('left')
  await heal()
  for (const warp of [a, b]) {
    expect((await warp.explain('n:1')).value).toEqual(['x', 'y'])
    expect(effects(await warp.explain('n:1'))).toEqual(['["x"] merged |2', '["x"] rejected |1', '["y"] merged |1'])
    expect((await warp.explain('m:1')).value).toEqual({ right: 1 })
    const effect = Object.fromEntries(
      effects(await warp.explain('m:1')).map((text) => text.split(' ').slice(0, 2) as [string, string]),
    )
    expect(effect).toEqual({ '["left",1]': 'cancelled', '["left"]': 'merged', '["right",1]': 'merged' })
  }
  await close()
})

test('an ordered delete cancels what lies before it in canonical order', async () => {
  const { warp } = await alone()
  await warp.set('n:1', ['x'])
  await warp.delete('n:1')
  await warp.set('n:1', ['x'])
  expect(effects(await warp.explain('n:1'))).toEqual(['["x"] cancelled |0', 'undefined merged |0', '["x"] merged |0'])
  await warp.close()
})

test('a key that was never written has no reasons', async () => {
  const { warp } = await alone()
  expect(await warp.explain('r:9')).toEqual({ key: 'r:9', value: undefined, strategy: 'register', operations: [] })
  await warp.close()
})

test('past values are frozen as present ones are', async () => {
  const { warp } = await alone()
  await warp.key('m:1').update('x', 'increment', 1)
  const past = await warp.getAt('m:1', { version: 1 })
  expect(() => ((past as Record<string, number>)['x'] = 2)).toThrow(TypeError)
  await warp.close()
})

test('of a key whose life is over nothing is in the value any more: its operations have expired', async () => {
  const env = virtualEnv()
  const mortal = { 'r:*': { strategy: register<string>(), ttlMs: 1000 }, 'c:*': { strategy: counter(), ttlMs: 1000 } }
  const warp = await openWarp({ keys: mortal, env })
  await warp.set('r:1', 'a')
  await warp.key('c:1').increment()
  expect(effects(await warp.explain('r:1'))).toEqual(['"a" won |0'])
  await env.advance(2000)
  expect(effects(await warp.explain('r:1'))).toEqual(['"a" expired |0'])
  expect(effects(await warp.explain('c:1'))).toEqual(['1 expired |0'])
  await warp.close()
})
