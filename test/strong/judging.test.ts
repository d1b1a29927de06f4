/** A command is judged at its place and by the time of the log, on every replica alike, whatever each replica's clock and memory are like. */
import { describe, expect, it } from 'vitest'
import { counter, custom, register, set } from '../../crdt/index.ts'
import { codeOfError, type Opened, StrongWorld } from '../support/strong-world.ts'

const KEYS = {
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'brief:*': { strategy: register<number>(), mode: 'strong', ttlMs: 1000 },
  'hits:*': { strategy: counter(), mode: 'strong' },
  'tags:*': { strategy: set<string>(), mode: 'strong', retain: 'latest' },
  'notes:*': { strategy: custom<number[]>((old, next) => [...old, ...next]), mode: 'strong' },
} as const

type Strong = Opened<typeof KEYS>['warp']

/** What replicas show of a key. */
async function shown(
  world: StrongWorld,
  key: 'brief:1' | 'stock:1' | 'tags:1',
  warps: readonly Strong[],
): Promise<unknown[]> {
  return Promise.all(warps.map((warp) => world.drive(warp.getVersioned(key))))
}

describe('a condition', () => {
  it('is judged where the record lies, not where it was sent', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS)
    await world.drive(a.set('stock:1', 1))
    // It is on its way for a second; the other one is faster.
    world.order.troubles({ delayMs: 1000 }, 'a')
    const slow = a.tryCompareAndSet('stock:1', { version: 1 }, 2)
    await world.drive(b.set('stock:1', 3))
    expect(await world.drive(slow)).toEqual({ kind: 'conflict', version: 2 })
    // And what does not hold where it is sent may hold where it lies.
    const early = a.tryCompareAndSet('stock:1', { value: 9 }, 4)
    await world.drive(b.set('stock:1', 9))
    expect(await world.drive(early)).toMatchObject({ kind: 'ok' })
  })

  it.each([
    ['version', { version: 1 }],
    ['value', { value: 1 }],
  ] as const)('on a %s lets one of many through', async (_, expected) => {
    const world = new StrongWorld({ jitterMs: 30 })
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS)
    await world.drive(a.set('stock:1', 1))
    const all = Promise.all([a, b, a, b, a, b].map((warp, i) => warp.tryCompareAndSet('stock:1', expected, i + 10)))
    const outcomes = await world.drive(all)
    expect(outcomes.filter(({ kind }) => kind === 'ok')).toHaveLength(1)
  })
})

describe('the end of a life', () => {
  it('is by the time of the log, not by the clock of who judges it', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    // For this one all lives are over at once.
    const { warp: b } = await world.open('b', KEYS, { aheadMs: 3_600_000 })
    await world.drive(a.set('brief:1', 1))
    await world.drive(a.compareAndSet('brief:1', { version: 1 }, 2))
    await world.drive(a.compareAndSet('brief:1', { value: 2 }, 3))
    await world.drive(a.set('stock:1', 1))
    // Numbers are the same where the same has counted.
    expect(await shown(world, 'stock:1', [a, b])).toEqual(Array(2).fill({ value: 1, version: 4 }))
    expect(await world.drive(b.tryCompareAndSet('brief:1', 'absent', 4))).toEqual({ kind: 'conflict', version: 3 })
    await world.env.advance(1001)
    expect(await world.drive(b.tryCompareAndSet('brief:1', 'absent', 4))).toMatchObject({ kind: 'ok' })
    expect(await shown(world, 'brief:1', [a])).toEqual([{ value: 4, version: 5 }])
  })

  it('is by the time of the log also where compaction finds the key over by its own clock', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS, { aheadMs: 3_600_000 })
    await world.drive(a.set('brief:1', 1))
    await world.drive(b.get('stock:1'))
    await world.drive(b.compact())
    await world.drive(a.compareAndSet('brief:1', { version: 1 }, 2))
    await world.drive(a.set('stock:1', 1))
    expect(await shown(world, 'stock:1', [a, b])).toEqual(Array(2).fill({ value: 1, version: 3 }))
  })

  it('forgets a key by compaction, once the log has come there', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    await world.drive(a.set('brief:1', 1))
    await world.env.advance(2000)
    await world.drive(a.set('stock:1', 1))
    await world.drive(a.compact())
    expect(await allOf(a.keys('brief:*', { dead: true }))).toEqual([])
  })

  it('is seen with the version that goes with it', async () => {
    const world = new StrongWorld()
    // The log's clock is an hour ahead of this one's.
    const { warp: a } = await world.open('a', KEYS, { aheadMs: -3_600_000 })
    await world.drive(a.set('brief:1', 1))
    await world.env.advance(2000)
    await world.drive(a.set('stock:1', 1))
    expect(await shown(world, 'brief:1', [a])).toEqual([{ value: undefined, version: 0 }])
    await world.drive(a.update('brief:1', (value = 10) => value + 1))
    expect(await world.drive(a.get('brief:1'))).toBe(11)
  })

  it('does not keep an update from coming about that sees it early', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS, { aheadMs: 3_600_000 })
    await world.drive(a.set('brief:1', 1))
    await world.drive(b.update('brief:1', (value = 10) => value + 1))
    expect(await world.drive(a.get('brief:1'))).toBe(2)
  })
})

describe('a key that is dead', () => {
  it('has version 0 for everybody, whether compaction has forgotten it or not', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS)
    await world.drive(a.key('tags:1').add('x'))
    await world.drive(a.delete('tags:1'))
    await world.drive(b.get('tags:1'))
    await world.drive(b.compact())
    expect(await allOf(b.keys('tags:*', { dead: true }))).toEqual([])
    expect(await allOf(a.keys('tags:*', { dead: true }))).toEqual(['tags:1'])
    expect(await shown(world, 'tags:1', [a, b])).toEqual(Array(2).fill({ value: undefined, version: 0 }))
    // Once more: no replica makes an operation of it.
    await world.drive(a.delete('tags:1'))
    await world.drive(a.key('tags:1').remove('x'))
    await world.drive(a.key('tags:1').add('y'))
    await world.drive(a.set('stock:1', 1))
    const [one, other] = await shown(world, 'tags:1', [a, b])
    expect(one).toEqual({ value: new Set(['y']), version: 3 })
    expect(other).toEqual(one)
    expect(await shown(world, 'stock:1', [a, b])).toEqual(Array(2).fill({ value: 1, version: 4 }))
  })
})

describe('a replica that cannot judge', () => {
  it('takes nothing further of the partition, and goes on where it was when the pattern is there', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { 'stock:*': stock, 'hits:*': hits } = KEYS
    const { warp: b, events } = await world.open('b', { 'stock:*': stock }, { strong: { timeoutMs: 500 } })
    await world.drive(a.set('stock:1', 1))
    expect(await world.drive(b.get('stock:1'))).toBe(1)
    await world.drive(a.key('hits:1').increment())
    await world.drive(a.set('stock:1', 2))
    expect(await codeOfError(world.drive(b.get('stock:1')))).toBe('WARP_E_UNREGISTERED_KEY')
    expect(b.peek('stock:1')).toBe(1)
    expect(b.health().parts.order).toMatchObject({ state: 'degraded' })
    await world.env.advance(10_000)
    expect(events.filter(({ kind }) => kind === 'order:stopped')).toHaveLength(1)
    const wider = await world.drive(b.register('hits:*', hits))
    expect(await world.drive(wider.get('stock:1'))).toBe(2)
    expect(await world.drive(wider.key('hits:1').get())).toBe(1)
    expect(events.map(({ kind }) => kind).filter((kind) => kind.startsWith('order:'))).toEqual([
      'order:stopped',
      'order:resumed',
    ])
    expect(b.health().parts.order).toMatchObject({ state: 'ok' })
  })
})

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}
