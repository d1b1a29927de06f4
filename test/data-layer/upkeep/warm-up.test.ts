/** What a store lists is in memory before anybody asks. */
import { afterEach, describe, expect, test } from 'vitest'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'
import { SourceWorld } from '../world.ts'
import { StoreWorld, type AnyWarp, type JoinOptions } from '../stored/world.ts'

let world: StoreWorld | SourceWorld

afterEach(async () => {
  await world.close()
})

async function rows(count: number, options: JoinOptions = {}): Promise<{ warp: AnyWarp; stored: StoreWorld }> {
  const stored = new StoreWorld()
  world = stored
  for (let i = 0; i < count; i++) stored.put(`k:${String(i).padStart(5, '0')}`, i)
  const { warp } = await stored.join('a', { alone: true, ...options })
  return { warp, stored }
}

describe('a warm-up', () => {
  test('loads what the pattern matches, page by page, and nothing that is there already', async () => {
    const { warp, stored } = await rows(2500)
    stored.put('other', 1)
    await warp.get('k:00007')
    const told: number[] = []
    const warmed = await warp.warm('k:*', { from: 'store', progress: ({ loadedCount }) => told.push(loadedCount) })
    expect(warmed).toEqual({
      ...{ end: 'complete', listedCount: 2500, loadedCount: 2499, presentCount: 1 },
      ...{ absentCount: 0, failedCount: 0 },
    })
    expect(told).toHaveLength(25)
    expect(told.at(-1)).toBe(2499)
    const { reads } = stored.store.stats()
    expect(warp.peek('k:02499')).toBe(2499)
    expect(stored.store.stats().reads).toBe(reads)
    expect(await warp.warm('k:024?7')).toMatchObject({ listedCount: 10, loadedCount: 0, presentCount: 10 })
    expect(warp.stats().copies).toMatchObject({ missesCount: 1, copiesCount: 2500 })
  })

  test('asks with so many requests at a time', async () => {
    const { warp, stored } = await rows(1000)
    let most = 0
    let underWay = 0
    const { readRows } = stored.store
    stored.store.readRows = async (...given) => {
      most = Math.max(most, ++underWay)
      try {
        return await readRows.apply(stored.store, given)
      } finally {
        underWay--
      }
    }
    stored.store.set({ latencyMs: 10 })
    const warming = warp.warm('k:*', { concurrency: 2 })
    await stored.env.advance(1000)
    expect((await warming).loadedCount).toBe(1000)
    expect(most).toBe(2)
  })

  test('ends where there is no room, and pushes no copy out', async () => {
    const { warp } = await rows(500, { copies: { entriesMax: 150 } })
    await warp.get('k:00499')
    expect(await warp.warm('k:*')).toMatchObject({ end: 'full', loadedCount: 149 })
    expect(warp.stats().copies).toMatchObject({ copiesCount: 150, evictionsCount: 0 })
    expect(warp.peek('k:00499')).toBe(499)
  })

  test('copies that nobody can be given are not in its way', async () => {
    const { warp } = await rows(300, { copies: { entriesMax: 150 } })
    await warp.warm('k:000*')
    await warp.warm('k:0029*')
    warp.invalidateLocal('k:0029*')
    expect(await warp.warm('k:001*')).toMatchObject({ end: 'full', loadedCount: 50 })
    warp.invalidateLocal('k:*')
    expect(await warp.warm('k:001*')).toMatchObject({ end: 'complete', loadedCount: 100 })
  })

  test('what is invalidated while it loads is not kept', async () => {
    const { warp, stored } = await rows(10)
    stored.store.set({ latencyMs: 10 })
    const warming = warp.warm('k:*')
    await stored.env.advance(15)
    await warp.invalidate('k:*')
    stored.store.set({ latencyMs: 0 })
    await stored.env.advance(100)
    await warming
    expect(warp.peek('k:00003')).toBeUndefined()
  })

  test('who comes after an invalidation is not given the rows that were read before', async () => {
    const { warp, stored } = await rows(2)
    stored.store.set({ replyMs: 1000 })
    const reading = warp.get('k:00001')
    await stored.env.runUntilIdle()
    await warp.invalidate('k:00009')
    stored.store.set({ replyMs: 50 })
    // It joins the read that is under way.
    const warming = warp.warm('k:*')
    await stored.env.advance(60)
    stored.put('k:00001', 'new')
    await warp.invalidate('k:00001')
    await stored.env.advance(3000)
    await Promise.all([reading, warming])
    expect(warp.peek('k:00001')).toBe('new')
  })

  test('is given up by a signal, and by close', async () => {
    const { warp, stored } = await rows(2000)
    stored.store.set({ latencyMs: 10 })
    const controller = new AbortController()
    const given = warp.warm('k:*', { signal: controller.signal }).catch((error: unknown) => error)
    await stored.env.advance(25)
    controller.abort(new Error('enough'))
    await stored.env.advance(100)
    expect(await given).toMatchObject({ code: 'WARP_E_ABORTED', cause: { message: 'enough' } })
    const closed = warp.warm('k:*').catch((error: unknown) => error)
    await stored.env.advance(15)
    await Promise.all([warp.close(), stored.env.advance(5000)])
    expect(await closed).toMatchObject({ code: 'WARP_E_CLOSED' })
  })

  test('a row that cannot be read is counted; a store that fails ends it', async () => {
    const { warp, stored } = await rows(10)
    stored.store.put('k:00004', new TextEncoder().encode('{'))
    expect(await warp.warm('k:*')).toMatchObject({ loadedCount: 9, failedCount: 1 })
    warp.invalidateLocal('k:*')
    stored.store.set({ failure: 1 })
    const failed = warp.warm('k:*').catch((error: unknown) => error)
    await stored.env.advance(1000)
    expect(await failed).toMatchObject({ code: 'WARP_E_STORE' })
  })

  test('does it again and again, until it is told to stop', async () => {
    const { warp, stored } = await rows(10)
    const controller = new AbortController()
    const told: number[] = []
    await warp.warm('k:*', {
      ...{ everyMs: 1000, signal: controller.signal },
      progress: ({ loadedCount }) => told.push(loadedCount),
    })
    warp.invalidateLocal('k:*')
    await stored.env.advance(1500)
    expect(warp.peek('k:00003')).toBe(3)
    const events = stored.members[0]?.events ?? []
    stored.store.set({ failure: 1 })
    warp.invalidateLocal('k:*')
    await stored.env.advance(1000)
    expect(events.filter(({ kind }) => kind === 'warm:failed')).toMatchObject([{ pattern: 'k:*' }])
    stored.store.set({ failure: 0 })
    await stored.env.advance(20_000)
    expect(warp.peek('k:00003')).toBe(3)
    controller.abort()
    warp.invalidateLocal('k:*')
    await stored.env.advance(20_000)
    expect(warp.peek('k:00003')).toBeUndefined()
    expect(told).toEqual([10, 10, 10])
  })

  test.each([
    [{ from: 'peers' }, /from is .*'store'/],
    [{ concurrency: 0 }, /1 to 64/],
    [{ everyMs: 0.5 }, /1 to 3600000/],
    [{ progress: 1 }, /give a function/],
    [{ paralel: 1 }, /no option 'paralel'/],
  ])('refuses %o', async (options, message) => {
    const { warp } = await rows(1)
    await expect(warp.warm('k:*', options as object)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringMatching(message) as string,
    })
  })

  test('needs a store: functions that load list nothing', async () => {
    const loading = new SourceWorld()
    world = loading
    const { warp } = await loading.join('a', {}, { alone: true })
    await expect(warp.warm('k:*')).rejects.toThrow(/list no keys.*getMany/)
    await expect(warp.warm('own:*')).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    const own = await openWarp({ keys: { 'own:*': register() } })
    await expect(own.warm('own:*')).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await own.close()
  })
})
