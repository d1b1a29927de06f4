/** What other replicas have in memory is here before anybody asks. */
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { FRAME_KIND } from '../../../src/replication/wire/frames.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'
import { closeAll } from '../../support/close-all.ts'
import { watchedTransport, type WatchedTransport } from '../../support/watched-transport.ts'
import { StoreWorld, add } from '../stored/world.ts'
import { SourceWorld, type AnyWarp, type Member } from '../world.ts'

let world: SourceWorld | StoreWorld

afterEach(async () => {
  await world.close()
})

const TELLS_COPIES = 64
/** Where the flags of a hello stand. */
const HELLO_FLAGS = 14

/** Advances until it has settled. */
async function settled<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
  let isOver = false
  promise.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  for (let ms = 0; !isOver && ms < limitMs; ms += 20) await world.env.advance(20)
  return promise
}

type Options = Parameters<SourceWorld['join']>[1]

interface Both {
  readonly source: SourceWorld
  readonly a: AnyWarp
  readonly b: AnyWarp
  readonly bMember: Member
  /** What b hears. */
  readonly wire: WatchedTransport
}

/** Of two replicas before a source of `count` rows, the first has read them all. */
async function holder(count: number, options: Options = {}, copies = {}): Promise<Both> {
  const source = new SourceWorld()
  world = source
  for (let i = 0; i < count; i++) source.source.set(`k:${i}`, `v${i}`)
  const { warp: a } = await source.join('a', options)
  let wire: WatchedTransport | undefined
  const through = (it: Parameters<typeof watchedTransport>[0]): WatchedTransport => (wire = watchedTransport(it))
  const bMember = await source.join('b', options, { through, ...copies })
  await source.env.advance(5000)
  await a.getMany(Array.from({ length: count }, (_, i) => `k:${i}`))
  source.loads.length = 0
  return { source, a, b: bMember.warp, bMember, wire: wire as unknown as WatchedTransport }
}

describe('copies of a keyspace that loads', () => {
  test('are brought page by page, without a load, and nothing that is there already', async () => {
    const { source, a, b } = await holder(2500)
    await settled(b.get('k:7'))
    const told: number[] = []
    const warmed = await settled(
      b.warm('k:*', { from: 'peers', progress: ({ loadedCount }) => told.push(loadedCount) }),
    )
    expect(warmed).toEqual({
      ...{ end: 'complete', listedCount: 2500, loadedCount: 2499, presentCount: 1, absentCount: 0, failedCount: 0 },
      peers: [{ replica: a.replica, outcome: 'told' }],
    })
    expect(told.length).toBeGreaterThan(24)
    expect(told.at(-1)).toBe(2499)
    expect(source.loads).toEqual(['b k:7'])
    expect([b.peek('k:0'), b.peek('k:2499')]).toEqual(['v0', 'v2499'])
    expect(await settled(b.warm('k:24?7', { from: 'peers' }))).toMatchObject({ listedCount: 10, presentCount: 10 })
    expect(source.loads).toEqual(['b k:7'])
  })

  test('are found among very many others', async () => {
    const { b } = await holder(25_000)
    expect(await settled(b.warm('k:2499?', { from: 'peers' }))).toMatchObject({ listedCount: 10, loadedCount: 10 })
    expect(b.peek('k:24990')).toBe('v24990')
  })

  test('live no longer than those that they were made of, however the pattern scatters lives', async () => {
    const { source, a, b } = await holder(20, { ttlMs: 10_000, jitterMs: 60_000 })
    source.network.link('a', 'b').set({ delayMs: 300 })
    await source.env.advance(6000)
    await settled(b.warm('k:*', { from: 'peers' }))
    const keys = Array.from({ length: 20 }, (_, i) => `k:${i}`)
    expect(keys.every((key) => b.peek(key) !== undefined)).toBe(true)
    const lives: [boolean, boolean][] = []
    for (let ms = 0; ms < 80_000; ms += 50) {
      for (const key of keys) lives.push([a.peek(key) !== undefined, b.peek(key) !== undefined])
      await source.env.advance(50)
    }
    expect(lives.filter(([isAtA, isAtB]) => isAtB && !isAtA)).toEqual([])
    expect(lives.filter(([isAtA, isAtB]) => isAtA && !isAtB).length).toBeGreaterThan(0)
    expect(b.peek('k:0')).toBeUndefined()
  })

  test('that are over, void or hidden by a lease are not told', async () => {
    const { source, a, b } = await holder(4, { ttlMs: 60_000 })
    await settled(a.getOrSet('k:short', () => 'short', { ttlMs: 1000 }))
    await source.env.advance(2000)
    // Nothing is done to a copy by that before somebody reads it.
    a.invalidateLocal('k:1*')
    const lease = await a.leases.grant({ ttlMs: 1000 })
    await a.leases.attach(lease.id, 'k:2')
    // The lease of a has run out there, and nobody has said so.
    source.network.cut('a', 'b')
    await source.env.advance(999)
    source.network.heal()
    await settled(b.warm('k:*', { from: 'peers' }))
    expect(['k:0', 'k:1', 'k:2', 'k:3', 'k:short'].map((key) => b.peek(key) ?? '-')).toEqual([
      'v0',
      '-',
      '-',
      'v3',
      '-',
    ])
  })

  test('belong to their groups here as well', async () => {
    const { a, b } = await holder(1)
    await settled(a.getOrSet('k:page', () => 'page', { tags: ['pages'] }))
    await settled(b.warm('k:*', { from: 'peers' }))
    expect(b.peek('k:page')).toBe('page')
    await settled(a.invalidateTag('pages'))
    await world.env.runUntilIdle()
    expect([b.peek('k:page'), b.peek('k:0')]).toEqual([undefined, 'v0'])
  })

  test('of many bytes are told in several answers, and one that no frame takes is left', async () => {
    const { source, a, b } = await holder(0)
    for (let i = 0; i < 30; i++) source.source.set(`k:${i}`, `${i}`.padEnd(50_000, 'x'))
    source.source.set('k:huge', 'x'.repeat(300_000))
    await a.getMany([...source.source.keys()])
    expect(await settled(b.warm('k:*', { from: 'peers' }))).toMatchObject({
      listedCount: 31,
      loadedCount: 30,
      absentCount: 1,
    })
    expect(b.peek('k:29')).toBe('29'.padEnd(50_000, 'x'))
  })

  test('end where there is no room, and push no copy out', async () => {
    const { source, b } = await holder(500, {}, { copies: { entriesMax: 150 } })
    source.source.set('k:own', 'own')
    await settled(b.get('k:own'))
    const warmed = await settled(b.warm('k:*', { from: 'peers' }))
    expect(warmed).toMatchObject({ end: 'full', loadedCount: 149, peers: [{ outcome: 'not-asked' }] })
    expect(b.stats().copies).toMatchObject({ copiesCount: 150, evictionsCount: 0 })
    expect(b.peek('k:own')).toBe('own')
  })
})

describe('a copy that began before an invalidation does not land', () => {
  test('where the one that tells has not heard of it', async () => {
    const { source, b } = await holder(3)
    const { warp: c } = await source.join('c')
    await source.env.advance(5000)
    source.network.cut('a', 'c')
    // The operation is lost on the way from b to a; the question is not.
    source.network.cut('b', 'a')
    source.source.set('k:1', 'new')
    await c.invalidate('k:1')
    await source.env.runUntilIdle()
    source.network.heal('a', 'b')
    const warming = b.warm('k:*', { from: 'peers' })
    await source.env.runUntilIdle()
    const before = source.loads.length
    await settled(warming)
    expect([b.peek('k:0'), b.peek('k:1')]).not.toContain('v1')
    expect(await settled(b.get('k:1'))).toBe('new')
    expect(source.loads.length).toBeGreaterThan(before)
  })

  test.each([
    ['a key', (b: AnyWarp) => b.invalidate('k:1')],
    ['a pattern', (b: AnyWarp) => b.invalidate('k:*')],
    [
      'this replica alone',
      async (b: AnyWarp) => {
        b.invalidateLocal('k:1')
        await world.env.runUntilIdle()
      },
    ],
    ['a write', (b: AnyWarp) => b.set('k:1', 'new')],
  ])('where it came while the copy was on its way: %s', async (_, act) => {
    const { source, b } = await holder(3)
    source.network.link('a', 'b').set({ delayMs: 100 })
    const warming = b.warm('k:*', { from: 'peers' })
    // The answer with the copies is under way.
    await source.env.advance(350)
    source.source.set('k:1', 'new')
    await act(b)
    await settled(warming)
    expect([undefined, 'new']).toContain(b.peek('k:1'))
    expect(await settled(b.get('k:1'))).toBe('new')
  })

  test('and is void by one that comes later', async () => {
    const { source, a, b } = await holder(3)
    await settled(b.warm('k:*', { from: 'peers' }))
    expect(b.peek('k:1')).toBe('v1')
    source.source.set('k:1', 'new')
    await settled(a.invalidate('k:1'))
    await source.env.advance(100)
    expect(b.peek('k:1')).toBeUndefined()
  })

  test('what a reader loads meanwhile is not replaced', async () => {
    const { source, b } = await holder(3)
    source.network.link('a', 'b').set({ delayMs: 100 })
    const warming = b.warm('k:*', { from: 'peers' })
    await source.env.advance(350)
    source.source.set('k:1', 'newer')
    expect(await settled(b.get('k:1'))).toBe('newer')
    expect(await settled(warming)).toMatchObject({ loadedCount: 2, presentCount: 1 })
    expect(b.peek('k:1')).toBe('newer')
  })
})

describe('copies of a keyspace with a store', () => {
  test('are rows, with what is here on top, and cost no read of the store', async () => {
    const stored = new StoreWorld()
    world = stored
    const { warp: a } = await stored.join('a')
    for (let i = 0; i < 150; i++) stored.put(`k:${i}`, i)
    await a.getMany(Array.from({ length: 150 }, (_, i) => `k:${i}`))
    const { warp: b } = await stored.join('b')
    await stored.env.advance(5000)
    const { reads } = stored.store.stats()
    expect(await settled(b.warm('k:*', { from: 'peers' }))).toMatchObject({ listedCount: 150, loadedCount: 150 })
    expect([b.peek('k:0'), b.peek('k:149')]).toEqual([0, 149])
    expect(stored.store.stats().reads).toBe(reads)
    await b.set('k:3', 'from b')
    await stored.env.advance(10_000)
    expect(stored.row('k:3')).toBe('from b')
    // What the row was is known from what was told: the write needs no read first.
    expect(stored.store.stats().reads).toBe(reads)
  })

  test('live no longer than those that they were made of', async () => {
    const stored = new StoreWorld()
    world = stored
    const [a, b] = (await stored.joinAll(['a', 'b'], { ttlMs: 10_000, jitterMs: 60_000 })) as [AnyWarp, AnyWarp]
    const keys = Array.from({ length: 20 }, (_, i) => `k:${i}`)
    for (const key of keys) stored.put(key, key)
    await a.getMany(keys)
    await stored.env.advance(5000)
    await settled(b.warm('k:*', { from: 'peers' }))
    expect(keys.every((key) => b.peek(key) === key)).toBe(true)
    let outlivedCount = 0
    for (let ms = 0; ms < 80_000; ms += 50) {
      outlivedCount += keys.filter((key) => a.peek(key) === undefined && b.peek(key) !== undefined).length
      await stored.env.advance(50)
    }
    expect([outlivedCount, b.peek('k:0')]).toEqual([0, undefined])
  })

  test('count each increment once, whoever has flushed it', async () => {
    const stored = new StoreWorld()
    world = stored
    const [a, b] = (await stored.joinAll(['a', 'b'], { strategy: counter() })) as [AnyWarp, AnyWarp]
    for (let i = 0; i < 10; i++) {
      stored.put(`k:${i}`, 100)
      await settled(a.get(`k:${i}`))
    }
    await add(a, 'k:1', 1)
    await stored.env.advance(500)
    stored.store.stall()
    await add(a, 'k:2', 1)
    await stored.env.advance(500)
    await settled(b.warm('k:*', { from: 'peers' }))
    const seen = ['k:0', 'k:1', 'k:2'].map((key) => b.peek(key))
    await add(b, 'k:1', 1)
    await add(b, 'k:2', 1)
    stored.store.resume()
    await stored.env.advance(30_000)
    expect(seen[0]).toBe(100)
    expect(seen[1]).toBe(101)
    // While a writes it nobody knows what the row is.
    expect([101, undefined]).toContain(seen[2])
    expect(['k:1', 'k:2'].map((key) => stored.row(key))).toEqual([102, 102])
    expect([b.peek('k:1'), await settled(b.get('k:2'))]).toEqual([102, 102])
  })
})

describe('peers that do not answer', () => {
  test('an older build is passed over, and said', async () => {
    const { b, bMember, wire, a } = await holder(3)
    // As a build says it that does not know of the question.
    wire.loses = (_, kind, bytes) => {
      if (kind === FRAME_KIND.hello) bytes[HELLO_FLAGS]! &= ~TELLS_COPIES
      return false
    }
    wire.giveUp('a')
    await world.env.advance(100)
    ;(world as SourceWorld).network.cut('a', 'b')
    ;(world as SourceWorld).network.heal()
    await world.env.advance(5000)
    expect(await settled(b.warm('k:*', { from: 'peers' }))).toMatchObject({
      ...{ end: 'complete', listedCount: 0, peers: [{ replica: a.replica, outcome: 'older-build' }] },
    })
    expect(bMember.events.filter(({ kind }) => kind === 'warm:skipped')).toMatchObject([
      { pattern: 'k:*', replica: a.replica, reason: 'older-build' },
    ])
  })

  test('one that is silent is passed over in bounds, and the next one asked', async () => {
    const { source, b, wire } = await holder(30)
    const { warp: c } = await source.join('c')
    await source.env.advance(5000)
    await settled(c.getMany(Array.from({ length: 40 }, (_, i) => `k:${i}`)))
    for (let i = 30; i < 40; i++) source.source.set(`k:${i}`, i)
    wire.loses = (from, kind) => from === 'a' && kind === FRAME_KIND.holdingsTold
    const sinceMs = source.env.monotonic()
    const warmed = await settled(b.warm('k:*', { from: 'peers' }))
    expect(source.env.monotonic() - sinceMs).toBeLessThan(3200)
    expect(warmed.peers?.map(({ outcome }) => outcome).sort()).toEqual(['silent', 'told'])
    expect(warmed).toMatchObject({ listedCount: 30, loadedCount: 30 })
  })

  test('a lost answer is asked for again', async () => {
    const { b, wire } = await holder(300)
    let seen = 0
    wire.loses = (_, kind) => kind === FRAME_KIND.holdingsTold && seen++ % 2 === 0
    expect(await settled(b.warm('k:*', { from: 'peers' }))).toMatchObject({
      loadedCount: 300,
      peers: [{ outcome: 'told' }],
    })
  })

  test('nobody there is no failure', async () => {
    const source = new SourceWorld()
    world = source
    const { warp } = await source.join('a')
    expect(await settled(warp.warm('k:*', { from: 'peers' }))).toMatchObject({
      end: 'complete',
      listedCount: 0,
      peers: [],
    })
  })
})

describe('who has just started', () => {
  test('waits until it has met the others and has what they know', async () => {
    const { source, a } = await holder(100)
    const c = await openWarp({
      keys: { 'k:*': { strategy: register(), load: 'caller' } },
      env: source.env.fork({ label: 'c' }),
      transports: [source.network.transport('c')],
    })
    onTestFinished(() => closeAll(source.env, [c]))
    const warmed = await settled(c.warm('k:*', { from: 'peers' }))
    expect(warmed.loadedCount).toBe(100)
    expect(warmed.peers).toHaveLength(2)
    source.source.set('k:5', 'new')
    await settled(a.invalidate('k:5'))
    await source.env.advance(100)
    expect([c.peek('k:4'), c.peek('k:5')]).toEqual(['v4', undefined])
  })

  test('is given up by a signal, and by close', async () => {
    const { source, b, wire } = await holder(2000)
    wire.loses = (_, kind) => kind === FRAME_KIND.holdingsTold
    const controller = new AbortController()
    const given = b.warm('k:*', { from: 'peers', signal: controller.signal }).catch((error: unknown) => error)
    await source.env.advance(25)
    controller.abort(new Error('enough'))
    await source.env.runUntilIdle()
    expect(await given).toMatchObject({ code: 'WARP_E_ABORTED', cause: { message: 'enough' } })
    const before = b.warm('k:*', { from: 'peers', signal: controller.signal }).catch((error: unknown) => error)
    expect(await settled(before)).toMatchObject({ code: 'WARP_E_ABORTED' })
    const closed = b.warm('k:*', { from: 'peers' }).catch((error: unknown) => error)
    await source.env.advance(15)
    const closing = b.close()
    await source.env.runUntilIdle()
    expect(await closed).toMatchObject({ code: 'WARP_E_CLOSED' })
    await settled(closing)
  })

  test('does it again and again, until it is told to stop', async () => {
    const { source, b } = await holder(10)
    const controller = new AbortController()
    await settled(b.warm('k:*', { from: 'peers', everyMs: 1000, signal: controller.signal }))
    b.invalidateLocal('k:*')
    await source.env.advance(1500)
    // What was said for this replica alone may be about what others hold as well.
    expect(b.peek('k:3')).toBeUndefined()
    await settled(b.get('k:3'))
    controller.abort()
  })
})

describe('refusals', () => {
  test('without transports there are no peers, and what is kept here has no copies', async () => {
    const source = new SourceWorld()
    world = source
    const { warp } = await source.join('a', {}, { alone: true })
    await expect(warp.warm('k:*', { from: 'peers' })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(warp.warm('own:*', { from: 'peers' })).rejects.toThrow(/truth of every key of 'own:\*' is here/)
    await expect(warp.warm('k:*', { from: 'elsewhere' as 'peers' })).rejects.toThrow(/'store' or 'peers'/)
  })

  test('a peer whose keys have their truth there tells of none', async () => {
    const source = new SourceWorld()
    world = source
    const { warp } = await source.join('a')
    const other = await openWarp({
      keys: { 'k:*': register() },
      env: source.env.fork({ label: 'other' }),
      transports: [source.network.transport('other')],
    })
    await source.env.advance(5000)
    expect(await settled(warp.warm('k:*', { from: 'peers' }))).toMatchObject({
      listedCount: 0,
      peers: [{ outcome: 'told' }],
    })
    await closeAll(source.env, [other])
  })
})
