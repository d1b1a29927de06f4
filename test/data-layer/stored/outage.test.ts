/** A store that is down for a while, and who finds out that it is back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../../support/close-all.ts'
import { StoreWorld, type JoinOptions, type Member } from './world.ts'

let world: StoreWorld

beforeEach(() => {
  world = new StoreWorld()
})

afterEach(async () => {
  await world.close()
})

/** A replica whose store has failed so often that it is left alone. */
async function withoutStore(options: JoinOptions = {}): Promise<Member> {
  const member = await world.join('a', { alone: true, ...options })
  world.store.set({ failure: 1 })
  for (let i = 0; i < 5; i++) await read(member, `k:${i}`)
  expect(kindsOf(member)).toEqual(['primary:failing'])
  return member
}

/** What a read comes to, and how long it takes. */
interface Read {
  readonly answer: unknown
  readonly ms: number
}

/** Goes on while time does. */
async function begin({ warp }: Member, key: string): Promise<Read> {
  const sinceMs = world.env.monotonic()
  const answer = await warp.get(key).catch((error: unknown) => ((error as Error).cause as Error).message)
  return { answer, ms: world.env.monotonic() - sinceMs }
}

async function read(member: Member, key: string): Promise<Read> {
  const reading = begin(member, key)
  await world.env.advance(50)
  return reading
}

/** Each by a request of its own. */
async function readApart(member: Member, count: number): Promise<Promise<Read>[]> {
  const reads: Promise<Read>[] = []
  for (let i = 0; i < count; i++) {
    reads.push(begin(member, `k:${i}`))
    await world.env.runUntilIdle()
  }
  return reads
}

function kindsOf({ events }: Member): string[] {
  return events.map(({ kind }) => kind).filter((kind) => kind.startsWith('primary:'))
}

describe('a store that is back', () => {
  test('is noticed though nobody asks it anything', async () => {
    const member = await withoutStore()
    await world.env.advance(60_000)
    expect(member.warp.health()).toMatchObject({ parts: { stores: { state: 'degraded' } } })
    world.store.set({ failure: 0 })
    await world.env.advance(3100)
    expect(kindsOf(member)).toEqual(['primary:failing', 'primary:recovered'])
    expect(member.warp.health()).toMatchObject({ parts: { stores: { state: 'ok' } } })
    world.put('k:new', 'row')
    expect(await read(member, 'k:new')).toEqual({ answer: 'row', ms: 0 })
  })

  test('is noticed soon where many requests failed together', async () => {
    const member = await world.join('a', { alone: true })
    world.store.stall()
    const reads = await readApart(member, 12)
    await world.env.advance(2001)
    await Promise.all(reads)
    expect(kindsOf(member)).toEqual(['primary:failing'])
    world.store.resume()
    await world.env.advance(400)
    expect(kindsOf(member)).toEqual(['primary:failing', 'primary:recovered'])
  })

  test('is asked for one row at a time, now and then', async () => {
    const member = await withoutStore()
    const before = world.store.stats()
    await world.env.advance(60_000)
    const after = world.store.stats()
    expect(after.reads - before.reads).toBeGreaterThan(15)
    expect(after.reads - before.reads).toBeLessThan(40)
    expect(after.readKeys - before.readKeys).toBe(after.reads - before.reads)
    expect(kindsOf(member)).toEqual(['primary:failing'])
  })

  test('is not asked any more by an engine that has been closed', async () => {
    const { warp } = await withoutStore()
    await closeAll(world.env, [warp])
    world.members.length = 0
    const { reads } = world.store.stats()
    await world.env.advance(60_000)
    expect(world.store.stats().reads).toBe(reads)
  })

  test('does not keep a process alive to find out', async () => {
    let held = 0
    const stayAlive = (): (() => void) => {
      held++
      return () => void held--
    }
    await withoutStore({ stayAlive })
    world.store.stall()
    let most = 0
    for (let i = 0; i < 100; i++) {
      await world.env.advance(100)
      most = Math.max(most, held)
    }
    expect(most).toBe(0)
  })

  test('gets what was written meanwhile, without a further write', async () => {
    const member = await withoutStore()
    for (let i = 0; i < 250; i++) await member.warp.set(`k:${i}`, i)
    await world.env.advance(60_000)
    world.store.set({ failure: 0 })
    await world.env.advance(7000)
    expect(Array.from({ length: 250 }, (_, i) => world.row(`k:${i}`))).toEqual(Array.from({ length: 250 }, (_, i) => i))
  })
})

describe('while it is left alone', () => {
  test('no reader waits for a trial: each is refused at once', async () => {
    const member = await withoutStore()
    world.store.stall()
    for (let i = 0; i < 200; i++) {
      const { answer, ms } = await read(member, `k:${i}`)
      expect([answer, ms]).toEqual([expect.stringContaining('has failed again and again'), 0])
    }
  })

  test('who waits behind requests that hang is told when they have failed', async () => {
    const member = await world.join('a', { alone: true })
    world.store.stall()
    const reads = await readApart(member, 200)
    await world.env.advance(30_000)
    const waits = (await Promise.all(reads)).map(({ ms }) => ms)
    // Those that were sent before the fifth failure fail by themselves.
    expect(waits.filter((ms) => ms > 2100).length).toBeLessThanOrEqual(4)
    expect(Math.max(...waits)).toBeLessThan(4100)
  })
})
