/** One load in the cluster, on virtual time and the memory network. */
import { afterEach, describe, expect, test } from 'vitest'
import { rendezvous } from '../../src/replication/members/rendezvous.ts'
import { SourceWorld, type AnyWarp, type Member } from './world.ts'

let world: SourceWorld

afterEach(async () => {
  await world.close()
})

const NAMES = ['a', 'b', 'c', 'd']
const CLUSTER = { loads: 'cluster' } as const

async function replicas(count: number, options: Parameters<SourceWorld['join']>[1] = {}): Promise<AnyWarp[]> {
  world = new SourceWorld()
  return world.joinAll(NAMES.slice(0, count), { ...CLUSTER, ...options })
}

/** Who loads the key, as the hash has it. */
function ownerOf(key: string): Member {
  const owner = rendezvous(
    key,
    world.members.map(({ warp }) => warp.replica),
  )
  return world.members.find(({ warp }) => warp.replica === owner)!
}

function othersThan(owner: Member): Member[] {
  return world.members.filter((member) => member !== owner)
}

/** Advances in small steps until all have settled; returns how long that took, and what they say. */
async function settled<T>(all: readonly Promise<T>[], limitMs = 20_000): Promise<{ tookMs: number; values: T[] }> {
  let isDone = false
  const values = Promise.all(all).finally(() => (isDone = true))
  values.catch(() => undefined)
  let tookMs = 0
  for (; !isDone && tookMs < limitMs; tookMs += 5) await world.env.advance(5)
  return { tookMs, values: await values }
}

describe('1,000 callers of one cold key on 4 replicas', () => {
  test('cost one load, with the loader of the pattern', async () => {
    const warps = await replicas(4)
    world.source.set('k:1', 'v')
    world.delayMs = 100
    const reads = warps.flatMap((warp) => Array.from({ length: 250 }, () => warp.get('k:1')))
    const { values } = await settled(reads)
    expect(new Set(values)).toEqual(new Set(['v']))
    expect(world.loadsOf('k:1')).toBe(1)
    expect(warps.map((warp) => warp.peek('k:1'))).toEqual(['v', 'v', 'v', 'v'])
    expect(warps.map((warp) => warp.stats().copies?.fillsCount).sort()).toEqual([0, 1, 1, 1])
  })

  test('cost one load each of 20 keys, whoever owns them', async () => {
    const warps = await replicas(4)
    world.delayMs = 20
    const keys = Array.from({ length: 20 }, (_, i) => `k:${i}`)
    for (const key of keys) world.source.set(key, `v ${key}`)
    await settled(warps.flatMap((warp) => keys.map((key) => warp.get(key))))
    expect(keys.map((key) => world.loadsOf(key))).toEqual(keys.map(() => 1))
    expect(new Set(world.loads.map((load) => load.split(' ')[0])).size).toBeGreaterThan(1)
  })

  test('cost at most two loads where the one that loads dies in the middle, and nobody waits beyond the bounds', async () => {
    await replicas(4)
    world.source.set('k:1', 'v')
    world.delayMs = 100
    const owner = ownerOf('k:1')
    const others = othersThan(owner)
    const reads = world.members.flatMap((member) =>
      Array.from({ length: 250 }, () => ({ member, read: member.warp.get('k:1') })),
    )
    for (const { member, read } of reads) if (member === owner) read.catch(() => undefined)
    await world.env.advance(50)
    world.network.partition([[owner.name], others.map(({ name }) => name)])
    const { tookMs, values } = await settled(reads.filter(({ member }) => member !== owner).map(({ read }) => read))
    expect(new Set(values)).toEqual(new Set(['v']))
    expect(world.loadsOf('k:1')).toBeLessThanOrEqual(2)
    expect(tookMs).toBeLessThanOrEqual(2 * 250 + 100)
  })
})

describe('what another replica says is judged by who asks', () => {
  test('a load that began before an invalidation which the asker knows is not used', async () => {
    await replicas(3)
    world.source.set('k:1', 'old')
    const owner = ownerOf('k:1')
    const [asker, third] = othersThan(owner) as [Member, Member]
    world.isHolding = true
    const first = owner.warp.get('k:1')
    await world.env.runUntilIdle()
    // The asker hears of it, and the owner does not yet.
    world.network.cut(owner.name, third.name)
    world.source.set('k:1', 'new')
    await third.warp.invalidate('k:1')
    await world.env.runUntilIdle()
    const read = asker.warp.get('k:1')
    await world.env.runUntilIdle()
    expect(world.held.length).toBe(1)
    await world.held[0]!.answer()
    for (const held of [...world.held]) await held.answer()
    expect(await read).toBe('new')
    expect(await first).toBe('old')
    expect([owner.warp.peek('k:1'), asker.warp.peek('k:1')]).toEqual(['old', 'new'])
    world.network.heal()
    world.isHolding = false
    await world.env.advance(5000)
    expect(await owner.warp.get('k:1')).toBe('new')
  })

  test('a copy of one that has not heard of an invalidation is not used', async () => {
    await replicas(3)
    world.source.set('k:1', 'old')
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    await settled([owner.warp.get('k:1')])
    world.source.set('k:1', 'new')
    // The operation is lost on the way; the question is not.
    world.network.partition([[owner.name], othersThan(owner).map(({ name }) => name)])
    await asker.warp.invalidateTag('some other')
    await asker.warp.invalidate('k:1')
    await world.env.runUntilIdle()
    world.network.heal()
    const { values } = await settled([asker.warp.get('k:1')])
    expect(values).toEqual(['new'])
    expect(asker.warp.peek('k:1')).toBe('new')
    // By a load that counts as having seen what the asker had.
    expect([world.loadsOf('k:1'), asker.warp.stats().copies?.fillsCount]).toEqual([2, 1])
  })

  test('nor is one from before a write that the asker knows', async () => {
    await replicas(3, { ttlMs: 1000 })
    world.source.set('k:1', 'old')
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    world.isHolding = true
    const first = owner.warp.get('k:1')
    await world.env.runUntilIdle()
    world.network.partition([[owner.name], othersThan(owner).map(({ name }) => name)])
    world.source.set('k:1', 'new')
    await asker.warp.set('k:1', 'new')
    // Its copy is let go of, and what is known of the write is not.
    await world.env.advance(1100)
    world.network.heal()
    const read = asker.warp.get('k:1')
    // The question arrives, and what was said before has to be asked for.
    await world.env.advance(2)
    await world.held[0]!.answer()
    await world.env.advance(50)
    for (const held of [...world.held]) await held.answer()
    expect(await read).toBe('new')
    expect(await first).toBe('old')
    world.isHolding = false
  })

  test('an answer ends with the copy that it was made of, and brings its groups along', async () => {
    await replicas(2, { ttlMs: 10_000, tags: (_key: string, value: unknown) => [`of:${String(value)}`] })
    world.source.set('k:1', 'v')
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    await settled([owner.warp.get('k:1')])
    await world.env.advance(6000)
    await settled([asker.warp.get('k:1')])
    expect(world.loadsOf('k:1')).toBe(1)
    await world.env.advance(3500)
    expect(asker.warp.peek('k:1')).toBe('v')
    await world.env.advance(700)
    expect(asker.warp.peek('k:1')).toBeUndefined()
    await settled([asker.warp.get('k:1')])
    await asker.warp.invalidateTag('of:v')
    expect(asker.warp.peek('k:1')).toBeUndefined()
  })

  test('after invalidateLocal this replica loads for itself', async () => {
    await replicas(2)
    world.source.set('k:1', 'old')
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    await settled([owner.warp.get('k:1'), asker.warp.get('k:1')])
    world.source.set('k:1', 'new')
    asker.warp.invalidateLocal('k:1')
    const { values } = await settled([asker.warp.get('k:1')])
    expect(values).toEqual(['new'])
  })
})

describe('who is asked', () => {
  test('says at once that it cannot where each caller brings a loader, and none of its own is loading', async () => {
    await replicas(3, { load: 'caller' } as never)
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    const { tookMs, values } = await settled([asker.warp.getOrSet('k:1', () => 'mine')])
    expect([values[0], tookMs <= 20]).toEqual(['mine', true])
  })

  test('lets others join the load of a caller of its own', async () => {
    await replicas(3, { load: 'caller' } as never)
    const owner = ownerOf('k:1')
    let loads = 0
    const load = async (): Promise<string> => {
      loads++
      await new Promise<void>((resolve) => world.env.schedule(100, resolve))
      return 'of the owner'
    }
    const first = owner.warp.getOrSet('k:1', load, { tags: ['group'] })
    await world.env.advance(5)
    const others = othersThan(owner).map(({ warp }) => warp.getOrSet('k:1', load))
    const { values } = await settled([first, ...others])
    expect([values, loads]).toEqual([['of the owner', 'of the owner', 'of the owner'], 1])
    await owner.warp.invalidateTag('group')
    await world.env.advance(1000)
    expect(world.members.map(({ warp }) => warp.peek('k:1'))).toEqual([undefined, undefined, undefined])
  })

  test('and fails leaves it to who asks, with the error of its own loader', async () => {
    await replicas(2)
    world.failure = new Error('down')
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    const refused = expect(asker.warp.get('k:1')).rejects.toMatchObject({ code: 'WARP_E_LOAD' })
    await world.env.advance(500)
    await refused
  })

  test('is slow: nobody waits longer than clusterWaitMs before it loads for itself', async () => {
    await replicas(2, { clusterWaitMs: 300 })
    world.source.set('k:1', 'v')
    world.delayMs = 1000
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    const { tookMs } = await settled([asker.warp.get('k:1')])
    expect([world.loadsOf('k:1'), tookMs >= 1300 && tookMs <= 1320]).toEqual([2, true])
  })

  test('is not asked again for a while once it has fallen silent', async () => {
    await replicas(2)
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    const keys = Array.from({ length: 30 }, (_, i) => `k:${i}`).filter((key) => ownerOf(key) === owner)
    expect(keys.length).toBeGreaterThan(2)
    world.network.partition([[owner.name], [asker.name]])
    const slow = await settled([asker.warp.get(keys[0]!)])
    const fast = await settled([asker.warp.get(keys[1]!)])
    expect([slow.tookMs >= 100 && slow.tookMs <= 260, fast.tookMs <= 20]).toEqual([true, true])
  })

  test('keeps values to itself that are too large to be sent', async () => {
    await replicas(2)
    world.source.set('k:1', 'x'.repeat(200_000))
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    const { values } = await settled([asker.warp.get('k:1')])
    expect((values[0] as string).length).toBe(200_000)
    expect(world.loadsOf('k:1')).toBe(2)
  })

  test('has nothing: that is an answer as well', async () => {
    await replicas(2, { negativeTtlMs: 1000 })
    const owner = ownerOf('k:1')
    const [asker] = othersThan(owner) as [Member]
    const { values } = await settled([asker.warp.get('k:1')])
    expect([values, world.loadsOf('k:1')]).toEqual([[undefined], 1])
  })

  test('is whoever is left when one goes, and only its keys move', () => {
    world = new SourceWorld()
    const ids = ['00000000000000a0', '00000000000000b0', '00000000000000c0', '00000000000000d0'] as never[]
    const keys = Array.from({ length: 4000 }, (_, i) => `user:${i}`)
    const counts = new Map<string, number>()
    for (const key of keys) {
      const owner = rendezvous(key, ids)!
      counts.set(owner, (counts.get(owner) ?? 0) + 1)
      if (owner !== ids[0]) expect(rendezvous(key, ids.slice(1))).toBe(owner)
    }
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})

describe('misuse is refused', () => {
  test.each([
    [{ loads: 'clustre' }, "loads is the string \"clustre\"; use 'replica' or 'cluster'"],
    [{ clusterWaitMs: 100 }, "clusterWaitMs is 100 without loads: 'cluster'"],
    [{ loads: 'cluster', clusterWaitMs: 0 }, 'give a number from 1'],
    [{ loads: 'cluster', clusterWaitMS: 5 }, "did you mean 'clusterWaitMs'?"],
  ])('%j', async (options, message) => {
    world = new SourceWorld()
    await expect(world.join('a', options as never)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringContaining(message) as string,
    })
  })
})
