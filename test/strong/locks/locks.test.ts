/** Locks of several replicas on one ordered log, on virtual time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LockWorld, had, type Replica } from './lock-world.ts'

const TTL = { ttlMs: 1000 }
const LOST = { code: 'WARP_E_LOCK' }

let world: LockWorld
let [a, b]: [Replica, Replica] = [undefined, undefined] as never

beforeEach(async () => {
  world = new LockWorld()
  a = await world.join('a')
  b = await world.join('b')
})

afterEach(() => world.close())

describe('a lock', () => {
  it('is had by one replica, and by the other when it is released', async () => {
    const first = await world.during(a.locks.acquire('x', TTL))
    expect(first).toMatchObject({ name: 'x', isHeld: true })
    expect(await world.during(b.locks.tryAcquire('x', TTL))).toBeUndefined()
    const waiting = b.locks.acquire('x', TTL)
    expect(await world.within(500, waiting)).toBeUndefined()
    expect(await world.during(first.release())).toBe(true)
    const second = had(await world.within(0, waiting))
    expect(second.token).toBeGreaterThan(first.token)
    expect([first.isHeld, second.isHeld, first.lost.aborted]).toEqual([false, true, false])
    expect(await first.release()).toBe(false)
    await expect(first.renew()).rejects.toMatchObject(LOST)
  })

  it('of a replica that is gone is had by the next one 500 ms after its time at the latest, though nobody writes', async () => {
    const held = await world.during(a.locks.acquire('x', TTL))
    const waiting = b.locks.acquire('x', TTL)
    await world.env.advance(10)
    world.kill('a')
    expect(await world.within(980, waiting)).toBeUndefined()
    const next = had(await world.within(510, waiting))
    expect(next.token).toBeGreaterThan(held.token)
  })

  it('is lost to its holder before the log gives it to another', async () => {
    const held = await world.during(a.locks.acquire('x', TTL))
    const waiting = b.locks.acquire('x', TTL)
    const order: string[] = []
    held.lost.addEventListener('abort', () => order.push(`lost ${Math.floor(world.env.monotonic())}`))
    const noted = waiting.then(() => order.push('had'))
    await world.env.advance(2000)
    await noted
    expect(order).toEqual(['lost 998', 'had'])
    expect(held.lost.reason).toMatchObject(LOST)
  })

  it('that is renewed is held on, and not once its time was over, though nobody has taken it', async () => {
    const held = await world.during(a.locks.acquire('x', TTL))
    for (let i = 0; i < 5; i++) {
      await world.env.advance(900)
      const before = held.validUntil
      await world.during(held.renew())
      expect(held.validUntil).toBeGreaterThan(before)
    }
    expect(await world.during(b.locks.tryAcquire('x', TTL))).toBeUndefined()
    await world.env.advance(1000)
    expect(held.isHeld).toBe(false)
    await expect(held.renew()).rejects.toMatchObject(LOST)
    expect(b.locks.list()).toEqual([])
  })

  it('is refused to who has waited for as long as was said, and the queue goes on without', async () => {
    const held = await world.during(a.locks.acquire('x', { ttlMs: 60_000 }))
    const short = b.locks.acquire('x', { ...TTL, waitMs: 300 })
    const long = b.locks.acquire('x', { ...TTL, waitMs: 3000 })
    expect(await world.within(299, short)).toBeUndefined()
    expect(await world.within(1, short)).toMatchObject(LOST)
    await world.env.runUntilIdle()
    expect(a.locks.info('x').waiting).toHaveLength(1)
    await world.during(held.release())
    had(await world.within(0, long))
    await expect(world.during(a.locks.acquire('x', { ...TTL, waitMs: 0 }))).rejects.toMatchObject(LOST)
  })

  it('is not given to a waiter that is gone, whose time to wait is over', async () => {
    const held = await world.during(a.locks.acquire('x', { ttlMs: 60_000 }))
    const c = await world.join('c')
    void c.locks.acquire('x', { ttlMs: 60_000, waitMs: 2000 }).catch(() => undefined)
    await world.env.runUntilIdle()
    world.kill('c')
    const waiting = b.locks.acquire('x', TTL)
    await world.env.advance(2500)
    await world.during(held.release())
    had(await world.within(0, waiting))
  })

  it('that is given up by its signal is let go of, whether it waited or was just granted', async () => {
    const held = await world.during(a.locks.acquire('x', { ttlMs: 60_000 }))
    const controller = new AbortController()
    const waiting = b.locks.acquire('x', { ...TTL, signal: controller.signal })
    await world.env.advance(100)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toMatchObject({ code: 'WARP_E_ABORTED', cause: new Error('enough') })
    await world.env.runUntilIdle()
    expect(a.locks.info('x').waiting).toEqual([])
    await expect(b.locks.acquire('x', { ...TTL, signal: controller.signal })).rejects.toMatchObject({
      code: 'WARP_E_ABORTED',
    })
    await world.during(held.release())
    // Given up before the answer can have come.
    const other = new AbortController()
    const granted = b.locks.acquire('x', { ...TTL, signal: other.signal })
    other.abort()
    await expect(granted).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
    await world.env.advance(100)
    expect(b.locks.list()).toEqual([])
  })

  it('is shown with who holds and who waits, on every replica', async () => {
    const held = await world.during(a.locks.acquire('x', { ttlMs: 5000, mode: 'read' }))
    void b.locks.acquire('x', { ttlMs: 5000 }).catch(() => undefined)
    await world.env.advance(1000)
    void a.locks.acquire('x', { ttlMs: 5000, permits: 3 }).catch(() => undefined)
    await world.env.runUntilIdle()
    const of = (isA: boolean): object => ({
      name: 'x',
      holders: [{ replica: 'a', isOwn: isA, mode: 'read', token: held.token, leftMs: 4000 }],
      waiting: [
        { replica: 'b', isOwn: !isA, mode: 'write' },
        { replica: 'a', isOwn: isA, mode: 'write', permits: 3 },
      ],
    })
    expect(a.locks.info('x')).toEqual(of(true))
    expect(b.locks.list()).toEqual([of(false)])
    expect(b.locks.info('y')).toEqual({ name: 'y', holders: [], waiting: [] })
  })

  it('is let go of where it goes out of scope, and by the close of its replica', async () => {
    {
      await using lock = await a.locks.acquire('x', TTL)
      expect(lock.isHeld).toBe(true)
    }
    expect(a.locks.list()).toEqual([])
    const held = await world.during(a.locks.acquire('x', { ttlMs: 60_000 }))
    const queued = a.locks.acquire('x', { ttlMs: 60_000 })
    const waiting = b.locks.acquire('x', { ttlMs: 60_000 })
    await world.env.runUntilIdle()
    const closing = a.close()
    await expect(queued).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
    await world.during(closing)
    expect(held.lost.aborted).toBe(true)
    had(await world.within(0, waiting))
    await expect(a.locks.acquire('x', TTL)).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  })

  it('takes one round trip to have and one to release', async () => {
    const before = world.order.stats().appendedRecords
    const lock = await world.during(a.locks.acquire('x', TTL))
    await world.during(lock.release())
    expect(world.order.stats().appendedRecords - before).toBe(2)
  })

  it('is waited for by many with few records: those who wait do not ask again and again', async () => {
    const held = await world.during(a.locks.acquire('x', { ttlMs: 20_000 }))
    const before = world.order.stats().appendedRecords
    const waiting = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? a : b).locks.acquire('x', TTL))
    await world.env.advance(9000)
    // What is asked for in one turn goes in one record.
    expect(world.order.stats().appendedRecords - before).toBe(2)
    await world.during(held.release())
    for (const one of waiting) {
      const lock = had(await world.during(one))
      await world.during(lock.release())
    }
  })
})

describe('readers, writers and semaphores', () => {
  it('share what may be shared', async () => {
    const read = { ...TTL, mode: 'read' } as const
    const readers = [await world.during(a.locks.acquire('x', read)), await world.during(b.locks.acquire('x', read))]
    const writing = a.locks.acquire('x', { ...TTL, mode: 'write' })
    const later = b.locks.acquire('x', read)
    expect(await world.within(100, later)).toBeUndefined()
    for (const reader of readers) await world.during(reader.release())
    const writer = had(await world.within(0, writing))
    expect(await world.within(100, later)).toBeUndefined()
    await world.during(writer.release())
    had(await world.within(0, later))
    const two = { ...TTL, permits: 2 }
    const seats = [await world.during(a.locks.acquire('s', two)), await world.during(b.locks.acquire('s', two))]
    expect(await world.during(b.locks.tryAcquire('s', two))).toBeUndefined()
    await world.during(seats[0]!.release())
    had(await world.during(b.locks.tryAcquire('s', two)))
  })
})

describe('withLock', () => {
  it('gives what its function gives, under a token that fences, and lets go', async () => {
    const result = await world.during(
      a.locks.withLock(
        'x',
        async ({ token, signal }) => {
          expect(signal.aborted).toBe(false)
          await a.set('job:1', 'done', { fence: token })
          return token
        },
        { ...TTL, maxMs: 5000 },
      ),
    )
    expect(a.locks.list()).toEqual([])
    await expect(world.during(b.set('job:1', 'late', { fence: result - 1 }))).rejects.toMatchObject({
      code: 'WARP_E_FENCED',
    })
    const failed = new Error('its own')
    const failing = a.locks.withLock('x', () => Promise.reject(failed), { ...TTL, maxMs: 5000 })
    await expect(world.during(failing)).rejects.toBe(failed)
    expect(a.locks.list()).toEqual([])
  })

  it('renews the lock for as long as was said, and no longer', async () => {
    let abortedMs = 0
    const started = world.env.monotonic()
    const running = a.locks.withLock(
      'x',
      ({ signal }) =>
        new Promise<string>((resolve) => {
          signal.addEventListener('abort', () => {
            abortedMs = world.env.monotonic() - started
            resolve('too late')
          })
        }),
      { ...TTL, maxMs: 5000 },
    )
    const waiting = b.locks.acquire('x', TTL)
    expect(await world.within(4600, waiting)).toBeUndefined()
    await expect(world.during(running)).rejects.toMatchObject({ ...LOST, outcome: 'indeterminate' })
    expect(abortedMs).toBeGreaterThan(5000 - 1000 / 3 - 50)
    expect(abortedMs).toBeLessThanOrEqual(5000)
    had(await world.within(600, waiting))
  })

  it('tells its function when the caller gives up, and waits for it', async () => {
    const controller = new AbortController()
    const running = a.locks.withLock(
      'x',
      ({ signal }) =>
        new Promise<unknown>((resolve) => {
          signal.addEventListener('abort', () => resolve(signal.reason))
        }),
      { ...TTL, maxMs: 60_000, signal: controller.signal },
    )
    await world.env.advance(3000)
    controller.abort('enough')
    expect(await world.during(running)).toBe('enough')
    await world.env.runUntilIdle()
    expect(a.locks.list()).toEqual([])
  })

  it('survives a log that is away for less than the lock has left', async () => {
    let goOn: () => void = () => undefined
    const running = a.locks.withLock('x', () => new Promise<void>((resolve) => (goOn = resolve)), {
      ttlMs: 3000,
      maxMs: 60_000,
    })
    await world.env.advance(900)
    world.order.disconnect('a')
    await world.env.advance(1500)
    world.order.reconnect('a')
    await world.env.advance(5000)
    goOn()
    await world.during(running)
  })
})

describe('a holder that sleeps for longer than its time', () => {
  it('has lost the lock when it wakes up: it cannot renew, and writes nothing behind the next holder', async () => {
    const held = await world.during(a.locks.acquire('x', TTL))
    await world.during(a.set('job:1', 'by a', { fence: held.token }))
    // Cut off, it hears nothing, as a process that is stopped; what it says then comes later.
    world.order.disconnect('a')
    const next = had(await world.within(1500, b.locks.acquire('x', TTL)))
    await world.during(b.set('job:1', 'by b', { fence: next.token }))
    world.order.reconnect('a')
    await expect(world.during(a.set('job:1', 'late', { fence: held.token }))).rejects.toMatchObject({
      code: 'WARP_E_FENCED',
    })
    await expect(held.renew()).rejects.toMatchObject(LOST)
    expect(await a.get('job:1')).toBe('by b')
  })
})

describe('options of locks', () => {
  it.each([
    [{}, 'ttlMs'],
    [{ ttlMs: 99 }, 'ttlMs'],
    [{ ttlMs: 1000.5 }, 'ttlMs'],
    [{ ttlMs: 86_400_001 }, 'ttlMs'],
    [{ ttlMs: 1000, mode: 'both' }, 'mode'],
    [{ ttlMs: 1000, permits: 0 }, 'permits'],
    [{ ttlMs: 1000, permits: 1025 }, 'permits'],
    [{ ttlMs: 1000, permits: 2, mode: 'read' }, 'permits'],
    [{ ttlMs: 1000, waitMs: -1 }, 'waitMs'],
    [{ ttlMs: 1000, wait: 1 }, 'waitMs'],
    [undefined, 'ttlMs'],
  ])('%j is refused', async (options, named) => {
    const refused = { code: 'WARP_E_CONFIG', message: expect.stringContaining(named) as string }
    await expect(a.locks.acquire('x', options as never)).rejects.toMatchObject(refused)
  })

  it('and names that are none', async () => {
    await expect(a.locks.acquire('', TTL)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(a.locks.acquire(7 as never, TTL)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(a.locks.acquire('ü'.repeat(513), TTL)).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
    await expect(a.locks.acquire('\ud800', TTL)).rejects.toMatchObject({ code: 'WARP_E_UNENCODABLE' })
    await expect(a.locks.tryAcquire('x', { ...TTL, waitMs: 5 } as never)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
    })
    await expect(a.locks.withLock('x', () => 1, TTL as never)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(a.locks.withLock('x', () => 1, { ...TTL, maxMs: 999 })).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
    })
    expect(() => a.elect('x', {} as never)).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
    had(await world.during(a.locks.acquire('ü'.repeat(512), TTL)))
  })
})
