/** Locks where the log is slow, loses, repeats, or is away, and where replicas die, sleep and come back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { memoryOrderedLog } from '../../../adapters/memory/index.ts'
import { openWarp, type Lock } from '../../../adapters/node/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { had, KEYS, LockWorld, type Replica } from './lock-world.ts'

const TTL = { ttlMs: 1000 }
const LONG = { ttlMs: 3_600_000 }
const FENCED = { code: 'WARP_E_FENCED' }

let world: LockWorld
let [a, b]: [Replica, Replica] = [undefined, undefined] as never

beforeEach(async () => {
  world = new LockWorld()
  a = await world.join('a')
  b = await world.join('b')
})

afterEach(() => world.close())

describe('holders that are killed', () => {
  it('a hundred of them, lock nobody out for longer than their time and 500 ms', async () => {
    const tokens = new Map<string, number>()
    for (let i = 0; i < 100; i++) {
      const replica = await world.join(`dead${i}`)
      const names = [`lock:${i}`, `lock:${i % 7}`]
      for (const name of new Set(names)) {
        const lock = await world.during(replica.locks.tryAcquire(name, TTL))
        if (lock !== undefined) tokens.set(name, lock.token)
      }
      // Half of them wait for another's lock as well, and never come for it.
      if (i % 2 === 0) replica.locks.acquire(`lock:${i % 7}`, TTL).catch(() => undefined)
      await world.env.runUntilIdle()
      world.kill(`dead${i}`)
    }
    const names = [...tokens.keys()]
    const waiting = names.map((name) => b.locks.acquire(name, { ttlMs: 60_000 }))
    await world.env.advance(TTL.ttlMs + 500)
    // In front of some stand those who waited: each of them is one more holder that is dead.
    const free = names.filter((name) => !b.locks.info(name).holders.some(({ isOwn }) => !isOwn))
    expect(free.length).toBeGreaterThan(90)
    // Who waits and does not say so loses its place.
    await world.env.advance(31_500)
    for (const [i, one] of waiting.entries()) {
      const lock = had(await world.within(0, one))
      expect(lock.token).toBeGreaterThan(tokens.get(names[i]!)!)
    }
  })
})

describe('an answer that does not come', () => {
  it('to a request that is given up: it lets go of the lock that it was granted meanwhile', async () => {
    world.order.troubles({ slowMs: 3000 }, 'a')
    // The reader of `a` is at its first batch already.
    void a.set('job:0', 'x').catch(() => undefined)
    await world.env.runUntilIdle()
    const controller = new AbortController()
    const asking = a.locks.acquire('x', { ...LONG, signal: controller.signal })
    await world.env.advance(100)
    expect(b.locks.info('x').holders).toMatchObject([{ replica: 'a' }])
    const waiting = b.locks.acquire('x', TTL)
    controller.abort()
    await expect(asking).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
    had(await world.within(10_000, waiting))
    await world.env.advance(10_000)
    expect(b.locks.list()).toEqual([])
  })

  it('in time: the lock is let go of, also if the answer comes later', async () => {
    world.order.troubles({ slowMs: 3000 }, 'a')
    void a.set('job:0', 'x').catch(() => undefined)
    await world.env.runUntilIdle()
    const asking = a.locks.acquire('x', { ...LONG, waitMs: 500 })
    expect(await world.within(500, asking)).toMatchObject({ code: 'WARP_E_LOCK' })
    expect(b.locks.info('x').holders).toHaveLength(1)
    await world.env.advance(20_000)
    expect(b.locks.list()).toEqual([])
  })

  it('because the log is away: what was not sent never counts, what was is taken back', async () => {
    world.order.disconnect('a')
    const unsent = a.locks.acquire('x', LONG)
    expect(await world.within(10_000, unsent)).toMatchObject({ code: 'WARP_E_TRANSPORT', outcome: 'failed' })
    world.order.reconnect('a')
    world.order.troubles({ delayMs: 50 }, 'a')
    const sent = a.locks.acquire('x', LONG)
    await world.env.advance(60)
    world.order.disconnect('a')
    expect(b.locks.info('x').holders).toHaveLength(1)
    expect(await world.within(10_000, sent)).toMatchObject({
      ...{ code: 'WARP_E_INDETERMINATE', outcome: 'indeterminate' },
      message: expect.stringContaining("'x'") as string,
    })
    const waiting = b.locks.acquire('x', TTL)
    expect(await world.within(5000, waiting)).toBeUndefined()
    world.order.reconnect('a')
    had(await world.within(5000, waiting))
  })

  it('to a release or a renewal is told, and the lock ends with its time', async () => {
    const held = await world.during(a.locks.acquire('x', { ttlMs: 20_000 }))
    world.order.disconnect('a')
    expect(await world.within(10_000, held.renew())).toMatchObject({ code: 'WARP_E_TRANSPORT' })
    expect(held.isHeld).toBe(true)
    expect(await world.within(10_000, held.release())).toMatchObject({ code: 'WARP_E_TRANSPORT' })
    had(await world.within(1000, b.locks.acquire('x', TTL)))
  })
})

describe('a log that loses answers, keeps records twice and hands them over again', () => {
  it('gives each lock to one at a time, in order', async () => {
    const lossy = new LockWorld({
      ...{ appendsLost: 0.2, answersLost: 0.3, repeated: 0.3, redelivered: 0.3 },
      ...{ delayMs: 5, jitterMs: 20, answerMs: 200 },
    })
    const replicas = [await lossy.join('a'), await lossy.join('b')] as const
    const order: number[] = []
    let isTaken = false
    let overlaps = 0
    const run = async (replica: Replica): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        const lock = await replica.locks.acquire('x', { ttlMs: 60_000 })
        if (isTaken) overlaps++
        isTaken = true
        order.push(lock.token)
        await new Promise<void>((resolve) => lossy.env.schedule(50, resolve))
        isTaken = false
        await lock.release()
      }
    }
    await lossy.during(Promise.all([...replicas, ...replicas].map(run)))
    expect([overlaps, order.length]).toEqual([0, 40])
    expect(order).toEqual([...new Set(order)].sort((x, y) => x - y))
    expect(lossy.order.stats().lostAnswers).toBeGreaterThan(10)
    expect(lossy.order.stats().repeatedRecords).toBeGreaterThan(10)
    await lossy.close()
  })
})

describe('a replica that hears of its lock too late', () => {
  it('does not take it, and lets go of it', async () => {
    world.order.troubles({ slowMs: 1500 }, 'a')
    void a.set('job:0', 'x').catch(() => undefined)
    await world.env.runUntilIdle()
    expect(await world.during(a.locks.tryAcquire('x', TTL))).toBeUndefined()
    await expect(world.during(a.locks.acquire('x', { ...TTL, waitMs: 8000 }))).rejects.toMatchObject({
      code: 'WARP_E_LOCK',
    })
    await world.env.advance(10_000)
    expect(b.locks.list()).toEqual([])
    void a.set('job:0', 'x').catch(() => undefined)
    await world.env.runUntilIdle()
    const lock = had(await world.during(a.locks.acquire('x', { ttlMs: 10_000 })))
    expect(lock.validUntil - world.env.monotonic()).toBeLessThan(8600)
  })
})

describe('the clock of the log', () => {
  it('that is set back holds locks on, and those who wait do not look all the time', async () => {
    await world.during(a.locks.acquire('x', TTL))
    world.env.jumpWall(-3_600_000)
    const waiting = b.locks.acquire('x', TTL)
    await world.env.runUntilIdle()
    world.kill('a')
    const before = world.order.stats().appendedRecords
    expect(await world.within(60_000, waiting)).toBeUndefined()
    expect(world.order.stats().appendedRecords - before).toBeLessThan(40)
    world.env.jumpWall(3_600_000)
    had(await world.within(6000, waiting))
  })

  it('is the only one that counts: replicas whose clocks are hours apart agree', async () => {
    const far = await world.join('far', { wallOffsetMs: 7_200_000 })
    const held = await world.during(far.locks.acquire('x', TTL))
    expect(await world.within(900, a.locks.acquire('x', { ...TTL, waitMs: 899 }))).toMatchObject({
      code: 'WARP_E_LOCK',
    })
    await world.during(held.renew())
    const waiting = a.locks.acquire('x', TTL)
    expect(await world.within(900, waiting)).toBeUndefined()
    had(await world.within(600, waiting))
  })
})

describe('who comes late, or comes back', () => {
  it('knows locks and fences from a snapshot, where the records have gone', async () => {
    const c = await world.join('c', { snapshotEvery: 20 })
    const held = await world.during(c.locks.acquire('x', LONG))
    await world.during(c.set('job:1', 'fenced', { fence: held.token }))
    const queued = b.locks.acquire('x', LONG)
    for (let i = 0; i < 60; i++) await world.during(c.set('job:2', String(i)))
    await world.env.advance(1000)
    const d = await world.join('d')
    await world.during(d.get('job:1'))
    expect(world.events.map(({ kind }) => kind)).toContain('order:restored')
    expect(d.locks.list()).toMatchObject([
      { name: 'x', holders: [{ replica: 'c', token: held.token }], waiting: [{ replica: 'b' }] },
    ])
    await expect(world.during(d.set('job:1', 'late', { fence: held.token - 1 }))).rejects.toMatchObject(FENCED)
    await world.during(held.release())
    const next = had(await world.within(0, queued))
    expect(d.locks.info('x').holders).toMatchObject([{ replica: 'b', token: next.token }])
  })

  it('is told by a snapshot what became of its requests: of the one that waited, and of the lock that it held', async () => {
    const c = await world.join('c', { snapshotEvery: 20 })
    const held = await world.during(c.locks.acquire('x', LONG))
    const own = await world.during(a.locks.acquire('mine', TTL))
    const waiting = a.locks.acquire('x', { ttlMs: 20_000 })
    await world.env.runUntilIdle()
    world.order.disconnect('a')
    await world.during(held.release())
    for (let i = 0; i < 60; i++) await world.during(c.set('job:2', String(i)))
    await world.env.advance(2000)
    const tokens = [c.locks.info('x').holders[0]!.token]
    expect(own.lost.aborted).toBe(true)
    world.order.reconnect('a')
    const lock = had(await world.within(3000, waiting))
    expect([lock.token]).toEqual(tokens)
    expect(world.events.map(({ kind }) => kind)).toContain('order:restored')
    // What it was granted while it did not hear of it counts from then.
    expect(lock.validUntil - world.env.monotonic()).toBeLessThan(18_000)
  })

  it('has what its folder held: locks and fences', async () => {
    const folder = temporaryFolder()
    const order = memoryOrderedLog()
    const join = (log?: string): Promise<Replica> =>
      openWarp({ keys: KEYS, order, ...(log === undefined ? {} : { log: fileLog({ path: log }) }) })
    await using other = await join()
    let first = await join(folder)
    const lock = await other.locks.acquire('x', LONG)
    await other.set('job:1', 'x', { fence: lock.token })
    await first.get('job:1')
    const shown = first.locks.info('x').holders.map(({ token }) => token)
    expect(shown).toEqual([lock.token])
    await first.close()
    first = await join(folder)
    // Nothing but its own good-bye has come since: what it knows it knows from its folder.
    expect(first.locks.info('x').holders).toMatchObject([{ token: lock.token }])
    await expect(first.set('job:1', 'late', { fence: lock.token - 1 })).rejects.toMatchObject(FENCED)
    await lock.release()
    const next: Lock = await first.locks.acquire('x', TTL)
    expect(next.token).toBeGreaterThan(lock.token)
    await first.close()
  })
})

describe('a log that is broken', () => {
  it('ends the waiting, and what is held is lost', async () => {
    const held = await world.during(a.locks.acquire('x', LONG))
    const waiting = a.locks.acquire('x', LONG)
    const other = b.locks.acquire('x', LONG)
    await world.env.runUntilIdle()
    for (const one of [waiting, other]) one.catch(() => undefined)
    world.order.recreate()
    await world.env.advance(60_000)
    await expect(waiting).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    expect(held.lost.aborted).toBe(true)
    await expect(world.during(a.locks.acquire('x', LONG))).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
  })
})
