import { afterEach, describe, expect, test } from 'vitest'
import type { WarpEvent } from '../../adapters/node/index.ts'
import { SourceWorld, type AnyWarp } from './world.ts'

let world: SourceWorld

afterEach(async () => {
  await world.close()
})

async function replicas(count = 2): Promise<AnyWarp[]> {
  world = new SourceWorld()
  return world.joinAll(['a', 'b', 'c', 'd'].slice(0, count))
}

/** What a replica was told of leases that have ended. */
function endsAt(name: string): string[] {
  const { events } = world.members.find((member) => member.name === name)!
  return events.flatMap((event: WarpEvent) =>
    event.kind === 'lease:ended' ? [`${event.reason} ${event.targets.join(',')}`] : [],
  )
}

async function granted(warp: AnyWarp, ttlMs: number, ...targets: string[]): Promise<string> {
  const { id } = await warp.leases.grant({ ttlMs })
  for (const target of targets) await warp.leases.attach(id, target)
  await world.env.advance(300)
  return id
}

async function readAll(warps: readonly AnyWarp[], key: string): Promise<void> {
  for (const warp of warps) await warp.get(key)
}

function shownAt(warps: readonly AnyWarp[], key: string): unknown[] {
  return warps.map((warp) => warp.peek(key))
}

describe('a lease that is revoked', () => {
  test('takes every copy of its keys and patterns with it, on every replica, by one call from any of them', async () => {
    const warps = await replicas(3)
    const [a, , c] = warps as [AnyWarp, AnyWarp, AnyWarp]
    for (const key of ['k:s:42:name', 'k:s:42:cart', 'k:s:43:name', 'k:user']) world.source.set(key, 'old')
    const lease = await granted(a, 60_000, 'k:s:42:*', 'k:user')
    for (const key of ['k:s:42:name', 'k:s:42:cart', 'k:s:43:name', 'k:user']) await readAll(warps, key)
    expect(shownAt(warps, 'k:s:42:name')).toEqual(['old', 'old', 'old'])
    await c.leases.revoke(lease)
    await world.env.advance(300)
    for (const key of ['k:s:42:name', 'k:s:42:cart', 'k:user'])
      expect(shownAt(warps, key)).toEqual([undefined, undefined, undefined])
    expect(shownAt(warps, 'k:s:43:name')).toEqual(['old', 'old', 'old'])
    for (const name of ['a', 'b', 'c']) expect(endsAt(name)).toEqual(['revoked k:s:42:*,k:user'])
    expect(a.stats().leases).toEqual({ leasesCount: 0, hiddenCount: 0, endedCount: 1 })
  })

  test('has ended for who joins later, also for what is attached or set without having heard of it', async () => {
    const [a, b] = (await replicas()) as [AnyWarp, AnyWarp]
    world.source.set('k:1', 'old')
    const lease = await granted(a, 60_000, 'k:1')
    world.network.partition([['a'], ['b']])
    await b.leases.attach(lease, 'k:2')
    await b.set('k:1', 'set without having heard of it')
    await b.set('k:2', 'set having heard of the attachment alone')
    await a.leases.revoke(lease)
    world.source.set('k:2', 'old')
    await a.get('k:2')
    expect(a.peek('k:2')).toBe('old')
    world.network.heal()
    await world.env.advance(5000)
    expect(shownAt([a, b], 'k:1')).toEqual([undefined, undefined])
    expect(shownAt([a, b], 'k:2')).toEqual([undefined, undefined])
    const { warp: c } = await world.join('c')
    await world.env.advance(5000)
    expect(c.leases.list()).toEqual([])
    await expect(c.leases.attach(lease, 'k:3')).rejects.toMatchObject({ code: 'WARP_E_LEASE', details: { lease } })
    expect([endsAt('a'), endsAt('b'), endsAt('c')]).toEqual([['revoked k:1'], ['revoked k:1,k:2'], ['revoked k:1']])
  })

  test('voids a load that is under way, and what it brings stays nowhere', async () => {
    const [a, b] = (await replicas()) as [AnyWarp, AnyWarp]
    const lease = await granted(a, 60_000, 'k:*')
    world.source.set('k:1', 'old')
    world.isHolding = true
    const read = b.get('k:1')
    await world.env.runUntilIdle()
    await a.leases.revoke(lease)
    await world.env.advance(300)
    await world.held[0]!.answer()
    expect(await read).toBe('old')
    expect(b.peek('k:1')).toBeUndefined()
    world.isHolding = false
  })
})

describe('a lease that is not renewed', () => {
  test('is hidden by everybody when its time is over, and ended by its owner', async () => {
    const warps = await replicas(3)
    const [a, b] = warps as [AnyWarp, AnyWarp]
    world.source.set('k:1', 'v')
    await granted(a, 5000, 'k:1')
    await readAll(warps, 'k:1')
    await world.env.advance(4000)
    expect(shownAt(warps, 'k:1')).toEqual(['v', 'v', 'v'])
    expect(b.leases.list()).toMatchObject([{ ttlMs: 5000, isOwn: false, targets: ['k:1'] }])
    await world.env.advance(1500)
    expect(shownAt(warps, 'k:1')).toEqual([undefined, undefined, undefined])
    for (const name of ['a', 'b', 'c']) expect(endsAt(name)).toEqual(['expired k:1'])
  })

  test('goes on for as long as it is renewed, and its keys are shown all the time', async () => {
    const warps = await replicas(3)
    const [a, b] = warps as [AnyWarp, AnyWarp]
    world.source.set('k:1', 'v')
    const lease = await granted(a, 5000, 'k:1')
    await readAll(warps, 'k:1')
    for (let i = 0; i < 10; i++) {
      await world.env.advance(1500)
      await a.leases.renew(lease)
      expect(shownAt(warps, 'k:1')).toEqual(['v', 'v', 'v'])
      await world.env.advance(20)
      expect(shownAt(warps, 'k:1')).toEqual(['v', 'v', 'v'])
    }
    await expect(b.leases.renew(lease)).rejects.toMatchObject({
      code: 'WARP_E_LEASE',
      details: { reason: 'not-owner' },
    })
    await world.env.advance(5100)
    await expect(a.leases.renew(lease)).rejects.toMatchObject({ code: 'WARP_E_LEASE' })
    expect(world.loadsOf('k:1')).toBe(3)
  })

  test('N4: is hidden, and not ended, by those who are cut off from the owner that renews it', async () => {
    const warps = await replicas(3)
    const [a, b, c] = warps as [AnyWarp, AnyWarp, AnyWarp]
    world.source.set('k:1', 'v')
    const lease = await granted(a, 5000, 'k:1')
    await readAll(warps, 'k:1')
    world.network.partition([['a'], ['b', 'c']])
    for (let i = 0; i < 40; i++) {
      await world.env.advance(1500)
      await a.leases.renew(lease)
    }
    expect(shownAt(warps, 'k:1')).toEqual(['v', undefined, undefined])
    expect([b.stats().leases?.hiddenCount, c.stats().leases?.hiddenCount]).toEqual([1, 1])
    // Who reads it meanwhile is given what the source says.
    world.source.set('k:1', 'of the source')
    expect(await b.get('k:1')).toBe('of the source')
    expect(b.peek('k:1')).toBeUndefined()
    world.network.heal()
    await world.env.advance(1000)
    await a.leases.renew(lease)
    await world.env.advance(300)
    expect(shownAt(warps, 'k:1')).toEqual(['v', 'of the source', 'v'])
    expect([...endsAt('a'), ...endsAt('b'), ...endsAt('c')]).toEqual([])
  })

  test('N4: of an owner that is gone is hidden within its time and ended once by who is left', async () => {
    const warps = await replicas(3)
    const [a, b, c] = warps as [AnyWarp, AnyWarp, AnyWarp]
    world.source.set('k:1', 'v')
    const lease = await granted(a, 5000, 'k:1')
    await readAll(warps, 'k:1')
    await a.leases.renew(lease)
    await world.env.advance(300)
    await a.close({ leave: true })
    await world.env.advance(4500)
    expect(shownAt([b, c], 'k:1')).toEqual(['v', 'v'])
    await world.env.advance(1000)
    expect(shownAt([b, c], 'k:1')).toEqual([undefined, undefined])
    await world.env.advance(60_000)
    expect([endsAt('b'), endsAt('c')]).toEqual([['expired k:1'], ['expired k:1']])
    world.members.splice(0, 1)
  })

  test('hides stale copies as well', async () => {
    world = new SourceWorld()
    const [a, b] = (await world.joinAll(['a', 'b'], { ttlMs: 1000, staleMs: 60_000 })) as [AnyWarp, AnyWarp]
    world.source.set('k:1', 'v')
    await granted(a, 5000, 'k:1')
    await b.get('k:1')
    world.failure = new Error('down')
    await world.env.advance(2000)
    expect(await b.get('k:1')).toBe('v')
    world.network.partition([['a'], ['b']])
    await world.env.advance(4000)
    await expect(b.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
  })

  test('N4: clocks that jump decide nothing', async () => {
    const warps = await replicas(3)
    const [a] = warps as [AnyWarp]
    world.source.set('k:1', 'v')
    const lease = await granted(a, 5000, 'k:1')
    await readAll(warps, 'k:1')
    for (const jumpMs of [3_600_000, -7_200_000, 3_600_000]) {
      for (const { env } of world.members) env.jumpWall(jumpMs)
      await world.env.advance(1500)
      await a.leases.renew(lease)
      await world.env.advance(100)
      expect(shownAt(warps, 'k:1')).toEqual(['v', 'v', 'v'])
    }
    expect([...endsAt('a'), ...endsAt('b'), ...endsAt('c')]).toEqual([])
  })
})

test('a key on several leases falls with the first', async () => {
  const warps = await replicas(2)
  const [a, b] = warps as [AnyWarp, AnyWarp]
  world.source.set('k:1', 'v')
  await granted(a, 60_000, 'k:1')
  const second = await granted(b, 60_000, 'k:*')
  await readAll(warps, 'k:1')
  await a.leases.revoke(second)
  await world.env.advance(300)
  expect(shownAt(warps, 'k:1')).toEqual([undefined, undefined])
})

test('who joins does not know how long a lease has left, and is told', async () => {
  const warps = await replicas(2)
  const [a] = warps as [AnyWarp]
  world.source.set('k:1', 'v')
  await granted(a, 60_000, 'k:1')
  await world.env.advance(20_000)
  const { warp: c } = await world.join('c')
  await world.env.advance(3000)
  const [lease] = c.leases.list()
  expect(lease).toMatchObject({ ttlMs: 60_000, targets: ['k:1'] })
  expect(lease!.leftMs).toBeLessThan(40_000)
  expect(lease!.leftMs).toBeGreaterThan(36_000)
  await c.get('k:1')
  expect(c.peek('k:1')).toBe('v')
})

describe('misuse is refused', () => {
  test.each([
    ['no options', undefined, 'ttlMs'],
    ['an option that is misspelt', { ttlms: 5 }, "did you mean 'ttlMs'"],
    ['a life that is none', { ttlMs: 0 }, 'whole milliseconds'],
    ['a life that is no number', { ttlMs: '5 s' }, 'whole milliseconds'],
  ])('granting with %s', async (_, options, remedy) => {
    const [a] = (await replicas(1)) as [AnyWarp]
    await expect(a.leases.grant(options as never)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringContaining(remedy) as string,
    })
  })

  test('attaching a key whose truth is here, or to what is no lease', async () => {
    const [a] = (await replicas(1)) as [AnyWarp]
    const lease = await granted(a, 5000)
    await expect(a.leases.attach(lease, 'own:1')).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(a.leases.attach(lease, 'own:*')).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(a.leases.attach('42', 'k:1')).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(a.leases.attach('00112233445566ff', 'k:1')).rejects.toMatchObject({
      code: 'WARP_E_LEASE',
      details: { reason: 'unknown' },
    })
    await a.leases.revoke(lease)
    await expect(a.leases.revoke(lease)).rejects.toMatchObject({ code: 'WARP_E_LEASE' })
  })
})
