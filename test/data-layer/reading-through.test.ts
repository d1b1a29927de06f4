import { afterEach, describe, expect, test } from 'vitest'
import { adaptive } from '../../adapters/node/index.ts'
import { SourceWorld } from './world.ts'

let world: SourceWorld

afterEach(async () => {
  await world.close()
})

async function alone(options: Parameters<SourceWorld['join']>[1] = {}, copies = {}) {
  world = new SourceWorld()
  const { warp, events } = await world.join('a', options, { alone: true, copies })
  return { warp, events }
}

describe('loads', () => {
  test('a value is loaded once and then read from memory', async () => {
    const { warp } = await alone()
    world.source.set('k:1', { name: 'Ada' })
    expect(await warp.get('k:1')).toEqual({ name: 'Ada' })
    expect(await warp.get('k:1')).toEqual({ name: 'Ada' })
    expect(warp.peek('k:1')).toEqual({ name: 'Ada' })
    expect(world.loads).toEqual(['a k:1'])
    expect(warp.stats().copies).toMatchObject({ copiesCount: 1, hitsCount: 2, missesCount: 1, loadsCount: 1 })
  })

  test('a thousand callers share one load', async () => {
    const { warp } = await alone()
    world.source.set('k:1', 1)
    world.isHolding = true
    const reads = Array.from({ length: 1000 }, () => warp.get('k:1'))
    await world.env.runUntilIdle()
    await world.held[0]?.answer()
    expect(new Set(await Promise.all(reads))).toEqual(new Set([1]))
    expect(world.loads).toHaveLength(1)
  })

  test('an error reaches the caller with the key, and nothing is remembered of it', async () => {
    const { warp, events } = await alone()
    world.failure = new RangeError('database is down')
    await expect(warp.get('k:1')).rejects.toMatchObject({
      code: 'WARP_E_LOAD',
      message: "loading 'k:1' failed: database is down",
      cause: world.failure,
      details: { key: 'k:1' },
    })
    expect(events.filter(({ kind }) => kind === 'load:failed')).toHaveLength(1)
    world.failure = undefined
    world.source.set('k:1', 1)
    expect(await warp.get('k:1')).toBe(1)
  })

  test('a load that hangs is given up at its hard timeout; what it says later is ignored', async () => {
    const { warp } = await alone({ hardTimeoutMs: 100 })
    world.source.set('k:1', 'old')
    world.isHolding = true
    const read = warp.get('k:1')
    const refused = expect(read).rejects.toMatchObject({ code: 'WARP_E_LOAD_TIMEOUT', details: { timeoutMs: 100 } })
    await world.env.advance(100)
    await refused
    const [late] = world.held
    expect(late?.context.signal.aborted).toBe(true)
    await late?.answer()
    expect(warp.peek('k:1')).toBeUndefined()
    expect(warp.stats().copies?.loadingCount).toBe(0)
  })

  test('a caller that gives up waits no more; the load goes on for the others', async () => {
    const { warp } = await alone()
    world.source.set('k:1', 1)
    world.isHolding = true
    const controller = new AbortController()
    const [one, other] = [warp.get('k:1', { signal: controller.signal }), warp.get('k:1')]
    const refused = expect(one).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
    await world.env.runUntilIdle()
    controller.abort()
    await refused
    await world.held[0]?.answer()
    expect(await other).toBe(1)
  })

  test('closing ends what is loading with a typed error', async () => {
    const { warp } = await alone()
    world.isHolding = true
    const refused = expect(warp.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
    await world.env.runUntilIdle()
    await warp.close()
    await refused
    await expect(warp.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  })

  test('what a loader gave, and what a reader was given, is nobody else’s to change', async () => {
    const { warp } = await alone({ load: 'caller' })
    const given = { list: [1] }
    await warp.getOrSet('k:1', () => given)
    given.list.push(2)
    const read = await warp.get('k:1')
    expect(read).toEqual({ list: [1] })
    expect(() => (read as typeof given).list.push(3)).toThrow(TypeError)
    const bytes = await warp.getOrSet('k:2', () => new Uint8Array([1]))
    ;(bytes as Uint8Array)[0] = 9
    expect(await warp.get('k:2')).toEqual(new Uint8Array([1]))
  })

  test('a handle reads through as well', async () => {
    const { warp } = await alone()
    world.source.set('k:1', 1)
    const handle = warp.key('k:1')
    expect(handle.peek()).toBeUndefined()
    expect(await handle.get()).toBe(1)
    expect(handle.peek()).toBe(1)
  })
})

describe('lives', () => {
  test('a life that is over is loaded again', async () => {
    const { warp } = await alone({ ttlMs: 1000 })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    world.source.set('k:1', 2)
    await world.env.advance(999)
    expect(await warp.get('k:1')).toBe(1)
    await world.env.advance(1)
    expect(warp.peek('k:1')).toBeUndefined()
    expect(await warp.get('k:1')).toBe(2)
  })

  test('a life longer than 24.8 days lasts', async () => {
    const { warp } = await alone({ ttlMs: 30 * 86_400_000 })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    world.source.set('k:1', 2)
    await world.env.advance(29 * 86_400_000)
    expect(await warp.get('k:1')).toBe(1)
  })

  test('a life that slides counts from the last read', async () => {
    const { warp } = await alone({ ttlMs: 1000, ttl: 'sliding' })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    for (let i = 0; i < 5; i++) {
      await world.env.advance(900)
      expect(await warp.get('k:1')).toBe(1)
    }
    expect(world.loads).toHaveLength(1)
    await world.env.advance(1000)
    await warp.get('k:1')
    expect(world.loads).toHaveLength(2)
  })

  test('jitter spreads the ends of lives', async () => {
    const { warp } = await alone({ ttlMs: 1000, jitterMs: 1000 })
    for (let i = 0; i < 100; i++) await warp.get(`k:${i}`)
    for (let i = 0; i < 100; i++) world.source.set(`k:${i}`, i)
    await world.env.advance(1500)
    const loadedBefore = world.loads.length
    for (let i = 0; i < 100; i++) await warp.get(`k:${i}`)
    // Without a value nothing is kept: all are loaded again.
    expect(world.loads.length - loadedBefore).toBe(100)
    await world.env.advance(1500)
    const before = world.loads.length
    for (let i = 0; i < 100; i++) await warp.get(`k:${i}`)
    const again = world.loads.length - before
    expect(again).toBeGreaterThan(20)
    expect(again).toBeLessThan(80)
  })

  test('an adaptive life grows with reads and shrinks without', async () => {
    const { warp } = await alone({ ttl: adaptive({ minMs: 1000, maxMs: 8000, windowMs: 10_000, growAt: 3 }) })
    world.source.set('k:1', 1)
    const lifeMs = async (): Promise<number> => {
      const before = world.loads.length
      for (let ms = 0; ; ms += 100) {
        if (warp.peek('k:1') === undefined) {
          await warp.get('k:1')
          expect(world.loads).toHaveLength(before + 1)
          return ms
        }
        await world.env.advance(100)
      }
    }
    await warp.get('k:1')
    expect(await lifeMs()).toBe(1000)
    expect(await lifeMs()).toBe(2000)
    expect(await lifeMs()).toBe(4000)
    expect(await lifeMs()).toBe(8000)
    expect(await lifeMs()).toBe(8000)
    await world.env.advance(100_000)
    await warp.get('k:1')
    await world.env.advance(3900)
    await warp.get('k:1')
    expect(world.loads).toHaveLength(7)
    await world.env.advance(200)
    await warp.get('k:1')
    expect(world.loads).toHaveLength(8)
  })

  test('that there is no value is remembered for negativeTtlMs, and not at all without', async () => {
    const { warp } = await alone({ negativeTtlMs: 500 })
    expect(await warp.get('k:1')).toBeUndefined()
    expect(await warp.get('k:1')).toBeUndefined()
    expect(world.loads).toHaveLength(1)
    world.source.set('k:1', 1)
    await world.env.advance(500)
    expect(await warp.get('k:1')).toBe(1)
  })

  test('a loader may say how long its value lives, which groups it belongs to, and that nothing has changed', async () => {
    const { warp } = await alone({ load: 'caller' })
    const load = (
      _key: string,
      context: { ttlMs(ms: number): void; tags(...tags: string[]): void; stale: unknown },
    ) => {
      context.ttlMs(100)
      context.tags('group')
      return context.stale === undefined ? 'first' : (context as unknown as { notModified(): symbol }).notModified()
    }
    const read = (): Promise<unknown> => warp.getOrSet('k:1', load)
    expect(await read()).toBe('first')
    await world.env.advance(100)
    expect(warp.peek('k:1')).toBeUndefined()
    expect(await read()).toBe('first')
    expect(warp.peek('k:1')).toBe('first')
    await warp.invalidateTag('group')
    expect(warp.peek('k:1')).toBeUndefined()
    await expect(
      warp.getOrSet('k:2', (_: string, context: { notModified(): symbol }) => context.notModified()),
    ).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
  })
})

describe('a source that fails or is slow', () => {
  test('F: within the grace a stale value is served, and a failed try begins a pause counted from now', async () => {
    const { warp, events } = await alone({ ttlMs: 1000, staleMs: 10_000, throttleMs: 300 })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    world.failure = new Error('down')
    await world.env.advance(1950)
    for (let i = 0; i < 5; i++) expect(await warp.get('k:1')).toBe(1)
    expect(world.loads).toHaveLength(2)
    await world.env.advance(300)
    expect(await warp.get('k:1')).toBe(1)
    expect(world.loads).toHaveLength(3)
    expect(events.filter(({ kind }) => kind === 'load:failed')).toHaveLength(2)
    await world.env.advance(10_000)
    await expect(warp.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
  })

  test('a failed load never shortens a life', async () => {
    const { warp } = await alone({ ttlMs: 1000, refreshAhead: 0.5 })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    world.failure = new Error('down')
    await world.env.advance(600)
    expect(await warp.get('k:1')).toBe(1)
    await world.env.runUntilIdle()
    expect(world.loads).toHaveLength(2)
    await world.env.advance(399)
    expect(await warp.get('k:1')).toBe(1)
  })

  test('a soft timeout serves the stale value, and the load lands behind', async () => {
    const { warp } = await alone({ ttlMs: 1000, staleMs: 10_000, softTimeoutMs: 50 })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    await world.env.advance(1000)
    world.source.set('k:1', 2)
    world.isHolding = true
    const read = warp.get('k:1')
    await world.env.advance(50)
    expect(await read).toBe(1)
    await world.held[0]?.answer()
    expect(warp.peek('k:1')).toBe(2)
    expect(world.loads).toHaveLength(2)
  })

  test('eager refresh loads behind the reader, once at a time', async () => {
    const { warp } = await alone({ ttlMs: 1000, refreshAhead: 0.8 })
    world.source.set('k:1', 1)
    await warp.get('k:1')
    world.source.set('k:1', 2)
    world.isHolding = true
    await world.env.advance(799)
    expect(await warp.get('k:1')).toBe(1)
    expect(world.loads).toHaveLength(1)
    await world.env.advance(1)
    for (let i = 0; i < 5; i++) expect(await warp.get('k:1')).toBe(1)
    expect(world.loads).toHaveLength(2)
    await world.held[0]?.answer()
    expect(await warp.get('k:1')).toBe(2)
  })
})

describe('many keys', () => {
  test('one call of a loader brings all that are missing', async () => {
    const { warp } = await alone({ load: 'caller' })
    const asked: string[][] = []
    const load = (keys: readonly string[]): Map<string, unknown> => {
      asked.push([...keys])
      return new Map(keys.filter((key) => key !== 'k:3').map((key) => [key, `${key}!`]))
    }
    const many = (...keys: string[]): Promise<unknown> => warp.getOrSetMany(keys, load)
    expect(await many('k:2', 'k:1', 'k:3')).toEqual(
      new Map([
        ['k:2', 'k:2!'],
        ['k:1', 'k:1!'],
      ]),
    )
    expect(await many('k:1', 'k:4', 'k:2')).toEqual(
      new Map([
        ['k:1', 'k:1!'],
        ['k:4', 'k:4!'],
        ['k:2', 'k:2!'],
      ]),
    )
    expect(asked).toEqual([['k:2', 'k:1', 'k:3'], ['k:4']])
  })

  test('getMany reads keys that load among keys that do not, in their order', async () => {
    const { warp } = await alone()
    await warp.set('own:1', 'mine')
    world.source.set('k:1', 1)
    world.source.set('k:2', 2)
    const read = await warp.getMany(['k:2', 'own:1', 'k:1', 'k:9'])
    expect([...(read as unknown as Map<string, unknown>)]).toEqual([
      ['k:2', 2],
      ['own:1', 'mine'],
      ['k:1', 1],
    ])
  })

  test('loadMany of the keyspace is used for getMany', async () => {
    const asked: string[][] = []
    const loadMany = (keys: readonly string[]): [string, unknown][] => {
      asked.push([...keys])
      return keys.map((key) => [key, 1])
    }
    const { warp } = await alone({ loadMany })
    await warp.getMany(['k:1', 'k:2'])
    expect(asked).toEqual([['k:1', 'k:2']])
    expect(world.loads).toEqual([])
  })

  test('a loader of many that fails fails each of its keys', async () => {
    const { warp } = await alone({ load: 'caller' })
    const load = (): never => {
      throw new Error('down')
    }
    await expect(warp.getOrSetMany(['k:1', 'k:2'], load)).rejects.toMatchObject({
      code: 'WARP_E_LOAD',
    })
  })
})

describe('bounds', () => {
  test('no more copies stay than there is room for, and those that are read stay', async () => {
    const { warp } = await alone({}, { entriesMax: 10 })
    for (let i = 0; i < 100; i++) world.source.set(`k:${i}`, i)
    for (let i = 0; i < 100; i++) {
      await warp.get('k:0')
      await warp.get(`k:${i}`)
    }
    expect(warp.stats().copies).toMatchObject({ copiesCount: 10, entriesMax: 10 })
    expect(warp.peek('k:0')).toBe(0)
    expect(world.loadsOf('k:0')).toBe(1)
  })

  test('bytes are bounded by what values weigh; what is too heavy alone is served and not kept', async () => {
    const { warp } = await alone({}, { bytesMax: 100, weigh: (_key: string, value: unknown) => value as number })
    world.source.set('k:1', 60)
    world.source.set('k:2', 50)
    world.source.set('k:3', 101)
    await warp.get('k:1')
    await warp.get('k:2')
    expect(warp.stats().copies).toMatchObject({ copiesCount: 1, bytes: 50, bytesMax: 100 })
    expect(await warp.get('k:3')).toBe(101)
    expect(warp.stats().copies).toMatchObject({ copiesCount: 1, bytes: 50 })
  })
})

describe('what is refused', () => {
  test('calls on keys whose truth is here', async () => {
    const { warp } = await alone()
    const load = () => 1
    for (const call of [
      () => warp.getOrSet('own:1', load),
      () => warp.getOrSetMany(['own:1'], () => []),
      () => warp.invalidate('own:1'),
      () => warp.invalidate('own:*'),
      () => warp.clear('own:*'),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    expect(() => warp.invalidateLocal('own:1')).toThrow(/truth of 'own:1' is here/)
  })

  test('options that do not exist, and values out of range, by name', async () => {
    const { warp } = await alone()
    const get = (options: object): Promise<unknown> => warp.getOrSet('k:1', () => 1, options)
    await expect(get({ ttl: 1 })).rejects.toThrow(/no option 'ttl'; did you mean 'ttlMs'/)
    await expect(get({ ttlMs: 0 })).rejects.toThrow(/ttlMs is 0; give a number from 1/)
    await expect(get({ tags: ['', 'a'] })).rejects.toThrow(/tags\[0\] is the string ""; give well-formed texts/)
    await expect(warp.getOrSet('k:1', 'no function' as never)).rejects.toThrow(/takes a function that loads/)
    await expect(warp.invalidate('k:1', { hart: true } as never)).rejects.toThrow(/did you mean 'hard'/)
    await expect(warp.invalidateTag('')).rejects.toThrow(/takes a well-formed text of 1 to 512/)
  })
})
