/** What stands in a replica's own log of strong keys: it goes on from there, others get nothing of it, and an audit finds it in order. */
import { describe, expect, it } from 'vitest'
import { counter, register, set } from '../../crdt/index.ts'
import { checkLog } from '../../adapters/node/index.ts'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import { checkLogOn } from '../../src/audit/check-log.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import { openWarpOn } from '../../src/warp.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { faultyFiles, type FaultyFiles } from '../../testing/world/faulty-files.ts'
import { StrongWorld } from '../support/strong-world.ts'

const KEYS = {
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'brief:*': { strategy: register<number>(), mode: 'strong', ttlMs: 1000 },
  'hits:*': { strategy: counter(), mode: 'strong', retain: 'latest' },
  'tags:*': { strategy: set<string>(), mode: 'strong', retain: { versions: 2 } },
  'plain:*': { strategy: set<number>(), retain: 'latest' },
  'own:*': { strategy: counter(), mode: 'local' },
} as const

const SHOWN = ['stock:1', 'hits:1', 'tags:1', 'stock:2'] as const

describe('a folder with strong keys', () => {
  it.each([
    [1, 0, 'kill'],
    [3, 7_200_000, 'kill'],
    [3, -7_200_000, 'crash'],
    [1, 0, 'crash'],
  ] as const)(
    'of %i partitions, by a clock that is %i ms ahead, after a %s, goes on and is in order',
    async (partitions, aheadMs, how) => {
      const world = new StrongWorld({ partitions })
      const { warp: other } = await world.open('other', KEYS)
      let disk = faultyFiles()
      for (let life = 0; life < 4; life++) {
        const log = disk.store()
        const { warp, events } = await world.open('a', KEYS, { aheadMs, log })
        await world.drive(warp.key('own:1').increment())
        await world.drive(warp.key('plain:1').add(life))
        await world.drive(warp.set('stock:1', life))
        await world.drive(warp.set('brief:1', life))
        for (let i = 0; i < 3; i++) await world.drive(warp.key('hits:1').increment())
        await world.drive(warp.key('tags:1').add(`t${life}`))
        if (life === 2) await world.drive(warp.delete('stock:1'))
        if (life > 0) await world.drive(warp.compact())
        for (const key of SHOWN)
          expect(await world.drive(warp.getVersioned(key))).toEqual(await world.drive(other.getVersioned(key)))
        expect(events.filter(({ kind }) => kind.startsWith('order:'))).toEqual([])
        await world.env.advance(1000)
        world.order.abandon('a')
        disk = how === 'kill' ? disk.kill() : disk.crash()
      }
      const { warp } = await world.open('a', KEYS, { aheadMs, log: disk.store() })
      expect(await world.drive(warp.get('hits:1'))).toBe(12)
      await world.drive(warp.close())
      disk = disk.kill()
      const report = await checkLog({ logs: [disk.store()], keys: KEYS })
      // What was not flushed is gone after a crash.
      if (how === 'kill') expect(report.logs[0]?.snapshotsCount).toBeGreaterThan(0)
      expect(report).toMatchObject({ isSound: true, damageCount: 0 })
    },
  )
})

describe('folders of two builds', () => {
  // As on two sides of the moment at which a cluster begins to write a later format.
  it('hold the same operations in the formats that each was writing, and an audit finds them in order', async () => {
    const world = new StrongWorld()
    const old = faultyFiles()
    const { warp: a } = await world.open('a', KEYS, { log: old.store() })
    const later = faultyFiles()
    const opening = openWarpOn(
      { env: world.env.fork({ label: 'b' }), format: FORMAT_VERSION + 1, parts: ALL_PARTS },
      { keys: KEYS as KeyMap, log: later.store(), order: world.order.named('b') },
    )
    const b = await world.drive(opening)
    await world.drive(a.set('stock:1', 1))
    await world.drive(b.set('stock:1', 2))
    expect(await world.drive(a.get('stock:1'))).toBe(2)
    await world.drive(Promise.all([a.close(), b.close()]))
    const findings: string[] = []
    const logs = [old.kill(), later.kill()].map((disk) => disk.store())
    const report = await checkLogOn(
      { env: virtualEnv(), format: FORMAT_VERSION + 1 },
      { logs, keys: KEYS, onFinding: ({ message }) => findings.push(message) },
    )
    expect(findings).toEqual([])
    expect(report.isSound).toBe(true)
  })
})

describe('peers', () => {
  it('are sent nothing of strong keys', async () => {
    const world = new StrongWorld()
    const network = memoryNetwork({ env: world.env })
    const { 'plain:*': plain } = KEYS
    const { warp: a } = await world.open('a', KEYS, { transports: [network.transport('a')] })
    // This one knows the pattern as eventual: what it got of it by replication it would show.
    const keys = { 'plain:*': plain, 'stock:*': register<number>() } as const
    const { warp: b, events } = await world.open('b', keys, { isOrdered: false, transports: [network.transport('b')] })
    await world.drive(a.set('stock:1', 1))
    await world.drive(a.key('plain:1').add(1))
    await world.drive(a.set('stock:2', 1))
    await world.env.advance(10_000)
    expect(await world.drive(b.get('plain:1'))).toEqual(new Set([1]))
    expect(await world.drive(b.get('stock:1'))).toBeUndefined()
    // Nor are they told of numbers that they would wait for.
    expect(b.replicas().map(({ replica, operationsCount }) => [replica, operationsCount])).toHaveLength(2)
    expect([...a.peers(), ...b.peers()].map(({ lagCount }) => lagCount)).toEqual([0, 0])
    expect(events.map(({ kind }) => kind)).toEqual(['peer:up'])
  })
})

describe('taking over a state', () => {
  it('leaves strong keys as they are, and where the replica stands in the ordered log', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    for (let i = 0; i < 5; i++) await world.drive(a.key('plain:1').add(i))
    await world.drive(a.set('stock:1', 1))
    await world.drive(a.key('hits:1').increment())
    await world.drive(a.compact())
    const pieces: string[] = []
    for await (const piece of a.export()) pieces.push(piece)
    expect(pieces.join('')).toContain('"kind":"snapshot"')
    expect(pieces.join('')).not.toMatch(/stock:1|hits:1/)

    let disk: FaultyFiles = faultyFiles()
    const { warp: b } = await world.open('b', KEYS, { log: disk.store() })
    await world.drive(b.key('plain:1').add(9))
    await world.drive(b.key('tags:1').add('x'))
    await world.drive(b.set('stock:2', 2))
    await world.drive(b.import(all(pieces)))
    expect(await world.drive(b.get('plain:1'))).toEqual(new Set([0, 1, 2, 3, 4, 9]))
    const same = async (warp: typeof b): Promise<void> => {
      for (const key of SHOWN)
        expect(await world.drive(warp.getVersioned(key))).toEqual(await world.drive(a.getVersioned(key)))
    }
    await same(b)
    await world.drive(b.key('hits:1').increment())
    await world.drive(b.compareAndSet('stock:2', { value: 2 }, 3))
    await same(b)
    const offsets = world.order.records(0).length
    world.order.abandon('b')
    disk = disk.kill()
    const { warp: again, events } = await world.open('b', KEYS, { log: disk.store() })
    expect(again.peek('stock:2')).toBe(3)
    await same(again)
    expect(world.order.records(0).length).toBe(offsets)
    expect(events.filter(({ kind }) => kind.startsWith('order:'))).toEqual([])
    await world.drive(again.close())
    expect(await checkLog({ logs: [disk.kill().store()], keys: KEYS })).toMatchObject({ isSound: true, damageCount: 0 })
  })
})

async function* all(pieces: readonly string[]): AsyncIterable<string> {
  yield* pieces
}
