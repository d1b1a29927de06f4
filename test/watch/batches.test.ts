/** A watch in batches: each of one moment, with nothing in it by half. */
import { expect, test } from 'vitest'
import { openWarp, type Watch, type WatchBatch, type WatchOptions } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { seededRandom } from '../../testing/world/random.ts'

const keys = { 'account:*': register<number>(), 'hits:*': counter(), 'other:*': register<number>() } as const

function open(cache = {}) {
  return openWarp({ keys, env: virtualEnv(), cache })
}

function shown({ changes }: WatchBatch): unknown[] {
  return changes.map((change) => (change.kind === 'value' ? [change.key, change.value] : change.kind))
}

/** The next batch; fails if none comes. */
async function next<Value>(batches: AsyncIterator<WatchBatch<Value>>): Promise<WatchBatch<Value>> {
  const result = await Promise.race([batches.next(), nothing()])
  if (result.done === true) throw new Error('the watch has ended')
  return result.value
}

async function nothing(): Promise<never> {
  for (let i = 0; i < 1000; i++) await new Promise((resolve) => setImmediate(resolve))
  throw new Error('no batch came')
}

function batchesOf<Value>(watch: Watch<Value>): AsyncIterator<WatchBatch<Value>> {
  return watch.batches()[Symbol.asyncIterator]()
}

test('what is written as one is in one batch, and each key once, as it is at that moment', async () => {
  await using warp = await open()
  const batches = batchesOf(warp.watch('account:*'))
  await warp.setMany([
    ['account:a', 1],
    ['account:b', 2],
  ])
  await warp.set('other:1', 1)
  await warp.set('account:a', 3)
  expect(shown(await next(batches))).toEqual([
    ['account:b', 2],
    ['account:a', 3],
  ])
  await warp.set('account:b', 4)
  const batch = await next(batches)
  await warp.set('account:b', 5)
  expect(shown(batch)).toEqual([['account:b', 4]])
  expect(shown(await next(batches))).toEqual([['account:b', 5]])
})

test.each(['at once', 'late'])(
  'whoever keeps the sum of many accounts is never wrong, though it looks %s',
  async (when) => {
    const random = seededRandom(`sum ${when}`)
    await using warp = await open({ entriesMax: 8 })
    const names = Array.from({ length: 20 }, (_, i) => `account:${i}` as const)
    const balances = new Map(names.map((name) => [name as string, 100]))
    const sums: number[] = []
    await warp.setMany(names.map((name) => [name, 100]))
    const watch = warp.watch('account:*')
    const looking = (async () => {
      for await (const { changes } of watch.batches()) {
        if (when === 'late' && random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve))
        for (const change of changes) if (change.kind === 'value') balances.set(change.key, change.value ?? 0)
        sums.push([...balances.values()].reduce((sum, balance) => sum + balance, 0))
      }
    })()
    for (let i = 0; i < 500; i++) {
      const [from, to] = random.shuffled(names).slice(0, 2) as [`account:${number}`, `account:${number}`]
      const amount = random.below(10)
      await warp.setMany([
        [from, (warp.peek(from) ?? 0) - amount],
        [to, (warp.peek(to) ?? 0) + amount],
      ])
      if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    watch.close()
    await looking
    expect(new Set(sums)).toEqual(new Set([2000]))
    expect(sums.length).toBeGreaterThan(50)
    expect(balances.get('account:7')).toBe(await warp.get('account:7'))
  },
)

test('a watch that resumes is given what it missed in one batch, and goes on', async () => {
  await using warp = await open()
  const first = warp.watch('account:*')
  await warp.set('account:a', 1)
  const { cursor } = await next(batchesOf(first))
  expect(first.cursor).toBe(cursor)
  first.close()
  for (let i = 0; i < 3000; i++) await warp.set(`account:${i % 50}`, i)
  const batches = batchesOf(warp.watch('account:*', { from: cursor }))
  const { changes, cursor: behind } = await next(batches)
  expect(changes.length).toBe(50)
  expect(changes.map((change) => change.kind === 'value' && change.value)).toEqual(
    Array.from({ length: 50 }, (_, i) => 2950 + i),
  )
  await warp.set('account:a', 2)
  expect(shown(await next(batches))).toEqual([['account:a', 2]])
  const again = batchesOf(warp.watch('account:*', { from: behind }))
  expect(shown(await next(again))).toEqual([['account:a', 2]])
})

test.each([
  ['live', undefined],
  ['from a cursor', 'cursor'],
])('of more keys than are held it is told by a gap, and goes on from there: %s', async (_, from) => {
  await using warp = await open()
  const { cursor } = warp.watch('account:*')
  const options: WatchOptions = { pendingCountMax: 10, ...(from === undefined ? {} : { from: cursor }) }
  const begin = (): AsyncIterator<WatchBatch<number>> => batchesOf(warp.watch('account:*', options))
  const early = from === undefined ? begin() : undefined
  await warp.setMany(Array.from({ length: 11 }, (_, i) => [`account:${i}`, i]))
  const batches = early ?? begin()
  expect(shown(await next(batches))).toEqual(['gap'])
  await warp.setMany(Array.from({ length: 10 }, (_, i) => [`account:${i}`, i + 1]))
  expect((await next(batches)).changes.length).toBe(10)
})

test('a cursor is not ahead of what has been shown while a batch is gathered', async () => {
  await using warp = await open()
  const { cursor: began } = warp.watch('hits:*')
  for (let i = 0; i < 3000; i++) await warp.key('hits:1').increment()
  const watch = warp.watch('hits:*', { from: began })
  const batches = batchesOf(watch)
  const coming = next(batches)
  for (let i = 0; i < 20; i++) {
    expect(watch.cursor).toBe(began)
    await Promise.resolve()
  }
  const { cursor, changes } = await coming
  expect(changes).toMatchObject([{ value: 3000 }])
  expect(watch.cursor).toBe(cursor)
})

test('it ends with the watch, and the watch with it', async () => {
  await using warp = await open()
  const controller = new AbortController()
  const batches = batchesOf(warp.watch('account:*', { signal: controller.signal }))
  const ended = batches.next()
  controller.abort()
  expect(await ended).toEqual({ done: true, value: undefined })
  const watch = warp.watch('account:*')
  await warp.set('account:a', 1)
  for await (const { changes } of watch.batches()) {
    expect(changes.length).toBe(1)
    break
  }
  expect(warp.stats().watchesCount).toBe(0)
})
