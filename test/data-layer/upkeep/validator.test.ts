/** Drift is found, and nothing else; healing lowers no version. */
import { afterEach, describe, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import type { Drift } from '../../../src/store/event.ts'
import type { Validated, ValidateOptions } from '../../../src/data-layer/upkeep/validate-options.ts'
import type { StoreRow } from '../../../src/ports/primary-store.ts'
import { SourceWorld } from '../world.ts'
import { add, StoreWorld, type AnyWarp } from '../stored/world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

interface Found extends Validated {
  readonly drifts: readonly Drift[]
}

async function collected(warp: AnyWarp, options?: ValidateOptions): Promise<Found> {
  const drifts: Drift[] = []
  const walk = warp.validate('k:*', options)
  for (;;) {
    const next = await walk.next()
    if (next.done === true) return { drifts, ...next.value }
    drifts.push(next.value)
  }
}

/** In as much time as the second look needs. */
async function found(warp: AnyWarp, options?: ValidateOptions): Promise<Found> {
  const collecting = collected(warp, options)
  await world.env.advance(1500)
  return collecting
}

/** Puts a whole row in the place of another one, as who brings a backup back. */
async function putBack(key: string, row: StoreRow): Promise<void> {
  const { signal } = new AbortController()
  await world.store.compareAndSet([{ key, expected: world.store.row(key), next: row }], { signal })
}

describe('a validator', () => {
  test('finds nothing where copies are what the rows say', async () => {
    world = new StoreWorld()
    const [a, b] = (await world.joinAll(['a', 'b'])) as [AnyWarp, AnyWarp]
    for (let i = 0; i < 250; i++) await a.set(`k:${i}`, { b: i, a: [i] })
    await world.env.advance(2000)
    for (let i = 0; i < 50; i++) await b.get(`k:${i}`)
    await b.get('k:none')
    expect(await found(a, { mode: 'alert' })).toEqual({
      ...{ drifts: [], comparedCount: 250, skippedCount: 0, driftsCount: 0 },
    })
    expect(await found(b)).toMatchObject({ drifts: [], driftsCount: 0 })
    expect(world.members[0]?.events.filter(({ kind }) => kind === 'validator:drift')).toEqual([])
    expect(a.stats().copies).toMatchObject({ validatedCount: 250, driftsCount: 0 })
  })

  test('finds what somebody wrote past Warp; noop changes nothing, alert tells, heal loads it', async () => {
    world = new StoreWorld()
    const { warp, events } = await world.join('a', { alone: true })
    await warp.set('k:1', 'ours')
    await warp.set('k:2', 'gone')
    await warp.set('k:3', 'stays')
    await world.env.advance(100)
    world.put('k:1', 'theirs')
    world.put('k:2', undefined)
    const drift = { kind: 'copy-differs', store: 'memory:rows', healed: 'none' }
    const drifts = [
      { key: 'k:1', ...drift },
      { key: 'k:2', ...drift },
    ]
    expect(await found(warp)).toMatchObject({ drifts, comparedCount: 3, driftsCount: 2 })
    expect(events.filter(({ kind }) => kind === 'validator:drift')).toEqual([])
    expect(warp.peek('k:1')).toBe('ours')
    await found(warp, { mode: 'alert' })
    expect(events.filter(({ kind }) => kind === 'validator:drift')).toEqual([
      { kind: 'validator:drift', key: 'k:1', store: 'memory:rows', drift: 'copy-differs', healed: 'none' },
      { kind: 'validator:drift', key: 'k:2', store: 'memory:rows', drift: 'copy-differs', healed: 'none' },
    ])
    expect(warp.peek('k:1')).toBe('ours')
    expect((await found(warp, { mode: 'heal' })).drifts).toMatchObject([{ healed: 'voided' }, { healed: 'voided' }])
    expect(await warp.get('k:1')).toBe('theirs')
    expect(await warp.get('k:2')).toBeUndefined()
    expect(warp.peek('k:3')).toBe('stays')
    expect(await found(warp)).toMatchObject({ drifts: [] })
    expect(warp.stats().copies?.driftsCount).toBe(6)
  })

  test('what is on its way to the store is no drift, nor what the store never takes', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, flushDelayMs: 60_000 })
    world.put('k:1', 1)
    await warp.get('k:1')
    await warp.set('k:1', 2)
    expect(await found(warp, { mode: 'heal' })).toMatchObject({ drifts: [], comparedCount: 0, skippedCount: 1 })
    expect(warp.peek('k:1')).toBe(2)
    await world.env.advance(60_000)
    expect(world.row('k:1')).toBe(2)
    world.store.refuse(() => new Error('a constraint'))
    await warp.set('k:1', 3)
    await world.env.advance(60_000)
    expect(await found(warp, { mode: 'heal' })).toMatchObject({ drifts: [], skippedCount: 1 })
    expect(warp.peek('k:1')).toBe(3)
  })

  test('a write, or an invalidation, that comes while the row is read is no drift', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', 1)
    await warp.set('k:2', 1)
    await world.env.advance(100)
    world.store.set({ replyMs: 100 })
    world.put('k:2', 'theirs')
    const collecting = collected(warp, { mode: 'heal' })
    await world.env.advance(50)
    await warp.set('k:1', 2)
    await warp.invalidate('k:2')
    await world.env.advance(3000)
    expect(await collecting).toMatchObject({ drifts: [], comparedCount: 0, skippedCount: 2 })
    expect(warp.peek('k:1')).toBe(2)
  })

  test('a write that is stored while the row is read is no drift', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', 1)
    await world.env.advance(100)
    world.store.set({ replyMs: 500 })
    const collecting = collected(warp)
    await world.env.advance(10)
    world.store.set({ replyMs: 0 })
    await warp.set('k:1', 2)
    await world.env.advance(200)
    expect(world.row('k:1')).toBe(2)
    await world.env.advance(3000)
    expect(await collecting).toMatchObject({ drifts: [], comparedCount: 0, skippedCount: 1 })
  })

  test('it is looked twice: what mends itself within a second is no drift', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', 1)
    await world.env.advance(100)
    world.put('k:1', 'theirs')
    const collecting = collected(warp)
    await world.env.advance(500)
    await warp.invalidate('k:1')
    await warp.get('k:1')
    await world.env.advance(1000)
    expect(await collecting).toMatchObject({ drifts: [], comparedCount: 1 })
  })

  test('a row with operations that have not arrived here is told apart', async () => {
    world = new StoreWorld()
    const [a, b] = (await world.joinAll(['a', 'b'])) as [AnyWarp, AnyWarp]
    await a.set('k:1', 1)
    await world.env.advance(10_000)
    expect(await b.get('k:1')).toBe(1)
    world.network.partition([['a'], ['b']])
    await a.set('k:1', 2)
    await world.env.advance(60_000)
    expect(world.row('k:1')).toBe(2)
    expect((await found(b, { mode: 'heal' })).drifts).toMatchObject([
      { key: 'k:1', kind: 'row-ahead', healed: 'voided' },
    ])
    expect(await b.get('k:1')).toBe(2)
    world.network.heal()
    await world.env.advance(5000)
  })

  test('a row that somebody has put back gets again what it lacks, each increment once', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, strategy: counter() })
    await add(warp, 'k:1', 1)
    await world.env.advance(100)
    const old = world.store.row('k:1') as StoreRow
    await add(warp, 'k:1', 10)
    await world.env.advance(100)
    await putBack('k:1', old)
    expect((await found(warp)).drifts).toMatchObject([{ key: 'k:1', kind: 'row-lacks', healed: 'none' }])
    await world.env.advance(1000)
    expect(world.row('k:1')).toBe(1)
    const { drifts } = await found(warp, { mode: 'heal' })
    await world.env.advance(100)
    // What has left the log is not written again; what is read is what the store says.
    expect([drifts[0]?.healed, world.row('k:1'), await warp.get('k:1')]).toEqual(['flushing', 11, 11])
    expect((await found(warp)).drifts).toEqual([])
  })

  test('an outsider’s new row is a new beginning: nothing is put on top of it', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, strategy: register() })
    await warp.set('k:1', 'ours')
    await world.env.advance(100)
    world.put('k:1', undefined)
    world.put('k:1', 'theirs')
    expect((await found(warp, { mode: 'heal' })).drifts).toMatchObject([{ kind: 'copy-differs', healed: 'voided' }])
    await world.env.advance(10_000)
    expect(world.row('k:1')).toBe('theirs')
    expect(await warp.get('k:1')).toBe('theirs')
  })

  test('a row that nobody can read is told, and left alone', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', 'ours')
    await world.env.advance(100)
    world.store.put('k:1', new TextEncoder().encode('{'))
    expect((await found(warp, { mode: 'heal' })).drifts).toMatchObject([{ kind: 'row-unreadable', healed: 'none' }])
    expect(warp.peek('k:1')).toBe('ours')
  })

  test('a digest of the caller’s says what counts', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', { name: 'Ada', seen: 1 })
    await warp.set('k:2', { name: 'Bob', seen: 1 })
    await world.env.advance(100)
    world.put('k:1', { name: 'Ada', seen: 2 })
    world.put('k:2', { name: 'Eve', seen: 1 })
    const digest = (_key: string, { name }: { name: string }): string => name
    expect((await found(warp, { digest })).drifts).toMatchObject([{ key: 'k:2' }])
    const wrong = (): string => 1 as unknown as string
    await expect(collected(warp, { digest: wrong })).rejects.toThrow(/digest gave the number 1 for 'k:1'/)
  })

  test('looks at so many keys in a second', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    for (let i = 0; i < 100; i++) await warp.set(`k:${i}`, i)
    await world.env.advance(1000)
    const before = world.store.stats().readKeys
    const collecting = collected(warp, { perSecond: 10 })
    await world.env.advance(4500)
    expect(world.store.stats().readKeys - before).toBe(50)
    await world.env.advance(6000)
    expect(await collecting).toMatchObject({ comparedCount: 100 })
  })

  test('is given up by a signal, between two looks as well', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    await warp.set('k:1', 1)
    await world.env.advance(100)
    world.put('k:1', 2)
    const controller = new AbortController()
    const collecting = collected(warp, { signal: controller.signal }).catch((error: unknown) => error)
    await world.env.advance(500)
    controller.abort()
    await world.env.runUntilIdle()
    expect(await collecting).toMatchObject({ code: 'WARP_E_ABORTED' })
  })

  test.each([
    [{ mode: 'repair' }, /'noop', 'alert' or 'heal'/],
    [{ perSecond: 0 }, /1 to 1000000/],
    [{ digest: 'sha1' }, /give a function/],
    [{ sample: 1 }, /no option 'sample'/],
  ])('refuses %o', async (options, message) => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    expect(() => warp.validate('k:*', options as object)).toThrow(message)
  })

  test('needs a store', async () => {
    const loading = new SourceWorld()
    const { warp } = await loading.join('a', {}, { alone: true })
    expect(() => warp.validate('k:*')).toThrow(/give the pattern a store/)
    await loading.close()
    world = new StoreWorld()
  })
})
