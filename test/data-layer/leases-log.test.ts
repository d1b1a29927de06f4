/** Leases in the log: what outlives a process, what who takes over a state hears, and what is let go of. */
import { expect, test } from 'vitest'
import { register } from '../../crdt/register.ts'
import { ALL_PARTS, openWarpOn, type Warp, type WarpEvent } from '../../src/index.ts'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { SourceWorld, type AnyWarp } from './world.ts'

const keys = {
  'k:*': { strategy: register<string>(), load: 'caller' },
  'own:*': { strategy: register<string>() },
} as const

async function open(
  files: MemoryFiles,
  env: VirtualEnv,
): Promise<{ warp: Warp<typeof keys>; ends: string[]; kinds: string[] }> {
  const ends: string[] = []
  const kinds: string[] = []
  const observe = (event: WarpEvent): void => {
    kinds.push(event.kind)
    if (event.kind === 'lease:ended') ends.push(`${event.reason} ${event.lease}`)
  }
  const warp = await openWarpOn(
    { env, parts: ALL_PARTS, segmentBytes: 65_536 },
    { keys, log: { name: 'memory', open: () => Promise.resolve(files) }, observe },
  )
  return { warp, ends, kinds }
}

test('a lease outlives its process: hidden until it is renewed, ended by its owner if it is not', async () => {
  const env = virtualEnv()
  const files = memoryFiles({ persistent: true })
  const first = await open(files, env)
  const renewed = await first.warp.leases.grant({ ttlMs: 5000 })
  const lost = await first.warp.leases.grant({ ttlMs: 5000 })
  const revoked = await first.warp.leases.grant({ ttlMs: 5000 })
  await first.warp.leases.attach(renewed.id, 'k:1')
  await first.warp.leases.attach(lost.id, 'k:2')
  await first.warp.leases.revoke(revoked.id)
  await first.warp.close()
  await env.advance(60_000)
  const { warp, ends } = await open(files.copy(), env)
  expect(warp.leases.list().map(({ id, isOwn, leftMs, targets }) => [id, isOwn, leftMs, ...targets])).toEqual([
    [renewed.id, true, undefined, 'k:1'],
    [lost.id, true, undefined, 'k:2'],
  ])
  const load = (): string => 'v'
  for (const key of ['k:1', 'k:2'] as const) expect(await warp.getOrSet(key, load)).toBe('v')
  expect([warp.peek('k:1'), warp.peek('k:2')]).toEqual([undefined, undefined])
  await warp.leases.renew(renewed.id)
  expect([warp.peek('k:1'), warp.peek('k:2')]).toEqual(['v', undefined])
  await env.advance(4500)
  await warp.leases.renew(renewed.id)
  await env.advance(1000)
  expect(ends).toEqual([`expired ${lost.id}`])
  expect(warp.peek('k:1')).toBe('v')
  await warp.close()
})

test.each(['with', 'without'])(
  'leases that have ended leave nothing behind, and none comes back %s a checkpoint',
  async (how) => {
    const env = virtualEnv()
    const files = memoryFiles({ persistent: true })
    const first = await open(files, env)
    const { id: kept } = await first.warp.leases.grant({ ttlMs: 60_000 })
    await first.warp.leases.attach(kept, 'k:kept')
    for (let i = 0; i < 3000; i++) {
      const { id } = await first.warp.leases.grant({ ttlMs: 60_000 })
      await first.warp.leases.attach(id, `k:${i}`)
      await first.warp.leases.revoke(id)
    }
    const before = first.warp.stats().log.bytes
    await first.warp.compact()
    // What is left needs two checkpoints, or none, to be gone.
    for (let i = 0; i < 3; i++) await first.warp.compact()
    expect(first.warp.stats().log.bytes).toBeLessThan(before / 2)
    await first.warp.leases.renew(kept)
    await first.warp.close()
    const copy = files.copy()
    if (how === 'without') for (const name of copy.list()) if (name.includes('checkpoint')) copy.remove(name)
    const { warp, ends } = await open(copy, env)
    expect(warp.leases.list().map(({ id, targets }) => [id, ...targets])).toEqual([[kept, 'k:kept']])
    expect(ends).toEqual([])
    await warp.close()
  },
)

async function cutOffAndGivenUp(): Promise<{
  world: SourceWorld
  a: AnyWarp
  b: AnyWarp
  c: AnyWarp
  heal: () => Promise<void>
}> {
  const world = new SourceWorld()
  const [a, b, c] = (await world.joinAll(['a', 'b', 'c'])) as [AnyWarp, AnyWarp, AnyWarp]
  const heal = async (): Promise<void> => {
    await a.evict(b.replica, { force: true })
    for (let i = 0; i < 50; i++) await a.set('own:1', i)
    await world.env.advance(60_000)
    await a.compact()
    await c.compact()
    await b.set('own:2', 'b')
    world.network.heal()
    await world.env.advance(60_000)
    expect(world.members[1]?.events.map(({ kind }) => kind)).toContain('resync:done')
  }
  return { world, a, b, c, heal }
}

function endsAt({ members }: SourceWorld): string[][] {
  return members.map(({ events }) =>
    events.flatMap((e) => (e.kind === 'lease:ended' ? [`${e.reason} ${e.lease}`] : [])),
  )
}

test('who was given up meanwhile says its own revocations, attachments and leases again, and hears what it missed', async () => {
  const { world, a, b, c, heal } = await cutOffAndGivenUp()
  const HOUR = 3_600_000
  for (let i = 1; i <= 5; i++) world.source.set(`k:${i}`, 'v')
  const revokedByB = (await a.leases.grant({ ttlMs: HOUR })).id
  const revokedByA = (await a.leases.grant({ ttlMs: HOUR })).id
  const attachedByB = (await a.leases.grant({ ttlMs: HOUR })).id
  const ofB = (await b.leases.grant({ ttlMs: HOUR })).id
  await world.env.advance(1000)
  await a.leases.attach(revokedByB, 'k:1')
  await a.leases.attach(revokedByA, 'k:2')
  await b.leases.attach(ofB, 'k:4')
  await world.env.advance(1000)
  world.network.partition([['a', 'c'], ['b']])
  await world.env.advance(20_000)
  await b.leases.revoke(revokedByB)
  await a.leases.revoke(revokedByA)
  await b.leases.attach(attachedByB, 'k:3')
  const lateOfB = (await b.leases.grant({ ttlMs: HOUR })).id
  await b.leases.attach(lateOfB, 'k:5')
  await heal()
  for (const warp of [a, b, c]) {
    expect(
      warp.leases
        .list()
        .map(({ id, targets }) => [id, ...targets])
        .sort(),
    ).toEqual(
      [
        [attachedByB, 'k:3'],
        [ofB, 'k:4'],
        [lateOfB, 'k:5'],
      ].sort(),
    )
    for (const { id, leftMs } of warp.leases.list()) expect([id, (leftMs ?? 0) > HOUR / 2]).toEqual([id, true])
  }
  const ends = endsAt(world)
  expect(ends.map((each) => [...each].sort())).toEqual([
    [`revoked ${revokedByA}`, `revoked ${revokedByB}`].sort(),
    [expect.stringContaining(revokedByA), `revoked ${revokedByB}`].sort(),
    [`revoked ${revokedByA}`, `revoked ${revokedByB}`].sort(),
  ])
  for (const warp of [a, b, c]) for (let i = 3; i <= 5; i++) await warp.get(`k:${i}`)
  await b.leases.renew(ofB)
  await b.leases.revoke(lateOfB)
  await world.env.advance(2000)
  for (const warp of [a, b, c])
    expect([warp.peek('k:3'), warp.peek('k:4'), warp.peek('k:5')]).toEqual(['v', 'v', undefined])
  await world.close()
})

/** A grant among records that are needed, and its end among records that are garbage. */
async function grantedAmongOthers(warp: Pick<AnyWarp, 'leases' | 'set' | 'invalidate'>): Promise<string> {
  const { id } = await warp.leases.grant({ ttlMs: 3_600_000 })
  await warp.leases.attach(id, 'k:*')
  for (let i = 0; i < 100; i++) await warp.set(`own:${i}`, 'x'.repeat(1000))
  for (let i = 0; i < 3000; i++) await warp.invalidate(`k:${i}`)
  await warp.leases.revoke(id)
  for (let i = 0; i < 3000; i++) await warp.invalidate(`k:${i}`)
  return id
}

test('the end of a lease stays in the log for as long as its grant does', async () => {
  const env = virtualEnv()
  const files = memoryFiles({ persistent: true })
  const first = await open(files, env)
  await grantedAmongOthers(first.warp)
  const before = first.warp.stats().log.bytes
  await first.warp.compact()
  expect(first.warp.stats().log.bytes).toBeLessThan(before)
  await first.warp.close()
  const copy = files.copy()
  for (const name of copy.list()) if (name.includes('checkpoint')) copy.remove(name)
  const { warp, ends } = await open(copy, env)
  expect([warp.leases.list(), ends]).toEqual([[], []])
  await warp.close()
})

test('who takes over a state is not told of leases that are over', async () => {
  const env = virtualEnv()
  const network = memoryNetwork({ env, seed: 1 })
  const kinds: string[] = []
  const join = async (name: string): Promise<AnyWarp> => {
    const warp = await openWarpOn(
      { env: env.fork({ label: name }), parts: ALL_PARTS, segmentBytes: 65_536 },
      { keys, transports: [network.transport(name)], observe: ({ kind }) => void kinds.push(`${name} ${kind}`) },
    )
    await env.advance(10_000)
    return warp as unknown as AnyWarp
  }
  const [a, b] = [await join('a'), await join('b')]
  const kept = (await a.leases.grant({ ttlMs: 3_600_000 })).id
  await a.leases.attach(kept, 'k:2')
  await grantedAmongOthers(a)
  await env.advance(60_000)
  for (const warp of [a, b]) await warp.compact()
  const c = await join('c')
  expect(kinds).toContain('c resync:done')
  expect(c.leases.list()).toMatchObject([{ id: kept, targets: ['k:2'] }])
  expect(c.stats().leases).toEqual({ leasesCount: 1, hiddenCount: 0, endedCount: 0 })
  for (const warp of [a, b, c]) await warp.close()
})
