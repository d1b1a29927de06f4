/** Guests over links in memory: what they show, what becomes of their writes, and what members see of them. */
import { expect, test } from 'vitest'
import { counter, map, register, set } from '../../crdt/index.ts'
import { EVERYTHING, guestWorld, type GuestWorld } from '../support/guests/guest-world.ts'
import type { KeyMap } from '../../src/index.ts'

const KEYS = {
  'user:*': register<string>(),
  'hits:*': counter(),
  'tags:*': set<string>(),
  'form:*': map(register<string>()),
}

async function inWorld<K extends KeyMap>(world: Promise<GuestWorld<K>>, run: (world: GuestWorld<K>) => Promise<void>) {
  const opened = await world
  try {
    await run(opened)
  } finally {
    await opened.close()
  }
}

test('a guest is sent the keys that it asks for, and no others', () =>
  inWorld(guestWorld(KEYS), async ({ places: [place], visit, run }) => {
    await place!.warp.set('user:1', 'Ada')
    await place!.warp.key('hits:1').increment(5)
    const { guest } = visit(0, { patterns: ['user:*'] })
    await run(50)
    expect(guest.status()).toMatchObject({ connection: 'live', isReady: true, unsyncedCount: 0 })
    expect(guest.peek('user:1')).toBe('Ada')
    expect(guest.peek('hits:1')).toBeUndefined()
    await place!.warp.set('user:1', 'Grace')
    await place!.warp.set('user:2', 'Edsger')
    await run(50)
    expect(guest.keys().sort()).toEqual(['user:1', 'user:2'])
    expect(guest.peek('user:1')).toBe('Grace')
    await place!.warp.delete('user:1')
    await run(50)
    expect(guest.peek('user:1')).toBeUndefined()
  }))

test('a write is shown at once, taken in once, and its name is told', () =>
  inWorld(guestWorld(KEYS), async ({ places: [place], visit, run }) => {
    const { guest } = visit(0)
    const written = guest.key('hits:1').increment(2)
    expect(guest.peek('hits:1')).toBe(2)
    expect(guest.status().unsyncedCount).toBe(1)
    await run(50)
    expect(await written.accepted).toMatchObject({ replica: place!.warp.replica })
    expect(guest.status().unsyncedCount).toBe(0)
    expect(place!.warp.peek('hits:1')).toBe(2)
    expect(guest.peek('hits:1')).toBe(2)
  }))

test('writes of hours offline are merged by the strategies of their keys', () =>
  inWorld(guestWorld(KEYS), async ({ places: [place], visit, run }) => {
    const visitor = visit(0)
    const { guest } = visitor
    await place!.warp.key('tags:1').add('a', 'b')
    await run(50)
    visitor.at = undefined
    visitor.cut()
    guest.key('tags:1').remove('a')
    guest.key('tags:1').add('c')
    guest.key('hits:1').increment(3)
    guest.key('form:1').update('name', 'set', 'mine')
    await place!.warp.key('tags:1').add('a', 'd')
    await place!.warp.key('hits:1').increment(4)
    await run(3_600_000)
    expect([...guest.peek('tags:1')!].sort()).toEqual(['b', 'c'])
    visitor.at = 0
    await run(1000)
    expect(guest.status()).toMatchObject({ connection: 'live', unsyncedCount: 0 })
    // The addition that it had not seen stays.
    expect([...place!.warp.peek('tags:1')!].sort()).toEqual(['a', 'b', 'c', 'd'])
    expect([...guest.peek('tags:1')!].sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(guest.peek('hits:1')).toBe(7)
    expect(place!.warp.peek('form:1')).toEqual(guest.peek('form:1'))
  }))

test('members see no guests: no vector, no member, and the provenance of each write', () =>
  inWorld(guestWorld(KEYS, { places: 2 }), async ({ places: [a, b], visit, run }) => {
    await run(5000)
    for (let i = 0; i < 20; i++)
      visit(i % 2)
        .guest.key('hits:1')
        .increment(1)
    await run(5000)
    expect([a!.warp.peek('hits:1'), b!.warp.peek('hits:1')]).toEqual([20, 20])
    expect(a!.warp.replicas()).toHaveLength(2)
    expect(a!.warp.peers()).toHaveLength(1)
  }))

test('an answer that is lost does not count a write twice', () =>
  inWorld(guestWorld(KEYS), async ({ places: [place], visit, run }) => {
    const visitor = visit(0)
    await run(50)
    visitor.guest.key('hits:1').increment(1)
    // It has arrived, and the answer is on its way.
    await run(1)
    visitor.cut()
    await run(1000)
    expect(visitor.guest.status().unsyncedCount).toBe(0)
    expect(place!.warp.peek('hits:1')).toBe(1)
    expect(visitor.guest.peek('hits:1')).toBe(1)
  }))

test('what may be at one gateway waits for its answer, and goes to no other one twice', () =>
  inWorld(guestWorld(KEYS, { places: 2 }), async ({ places: [a, b], visit, run, network }) => {
    await run(5000)
    const visitor = visit(0)
    await run(50)
    // The other gateway does not hear of the write from the first one.
    network.cut('place-0', 'place-1')
    visitor.guest.key('hits:1').increment(1)
    await run(1)
    visitor.at = 1
    visitor.cut()
    visitor.guest.key('hits:1').increment(1)
    await run(1000)
    expect(visitor.guest.status()).toMatchObject({ unsyncedCount: 2, pinnedTo: a!.warp.replica })
    expect([a!.warp.peek('hits:1'), b!.warp.peek('hits:1')]).toEqual([1, undefined])
    network.heal()
    await run(5000)
    expect(visitor.guest.status().unsyncedCount).toBe(0)
    expect([a!.warp.peek('hits:1'), b!.warp.peek('hits:1'), visitor.guest.peek('hits:1')]).toEqual([2, 2, 2])
  }))

test('a refused write is gone from what is shown, and its promise says why', () =>
  inWorld(
    guestWorld(KEYS, { gateway: { authorize: () => ({ ...EVERYTHING(), write: ['hits:*'] }) } }),
    async ({ places: [place], visit, run }) => {
      const visitor = visit(0)
      const { accepted } = visitor.guest.set('user:1', 'Mallory')
      visitor.guest.key('hits:1').increment(1)
      expect(visitor.guest.peek('user:1')).toBe('Mallory')
      await run(50)
      await expect(accepted).rejects.toMatchObject({ code: 'WARP_E_AUTH', outcome: 'failed' })
      expect(visitor.guest.peek('user:1')).toBeUndefined()
      expect(visitor.events).toMatchObject([{ kind: 'write:rejected', key: 'user:1' }])
      expect(place!.events.map(({ kind }) => kind)).toContain('write:rejected')
      expect(visitor.guest.peek('hits:1')).toBe(1)
    },
  ))

test('what a guest may not read it is not sent, though it asks for it and writes it', () =>
  inWorld(
    guestWorld(KEYS, { gateway: { authorize: () => ({ ...EVERYTHING(), read: ['hits:*'] }) } }),
    async ({ places: [place], visit, run }) => {
      await place!.warp.set('user:1', 'secret')
      const { guest } = visit(0)
      guest.set('user:1', 'mine')
      guest.set('user:2', 'mine')
      await run(50)
      expect(place!.warp.peek('user:2')).toBe('mine')
      expect(guest.keys()).toEqual([])
    },
  ))

test('who is not let in is refused, and tries again ever more rarely', () =>
  inWorld(guestWorld(KEYS, { gateway: { authorize: (token) => token === 'good' && EVERYTHING() } }), async (world) => {
    let token = 'bad'
    const { guest } = world.visit(0, { token: () => token })
    await world.run(50)
    expect(guest.status().connection).toBe('refused')
    token = 'good'
    await world.run(1000)
    expect(guest.status().connection).toBe('live')
  }))

test('a listener is told once for each change of what is shown, and not when a write is confirmed', () =>
  inWorld(guestWorld(KEYS), async ({ places: [place], visit, run }) => {
    const { guest } = visit(0)
    await run(50)
    const told: unknown[] = []
    guest.onChange('user:1', () => told.push(guest.peek('user:1')))
    guest.set('user:1', 'a')
    await run(50)
    await place!.warp.set('user:1', 'b')
    await run(50)
    expect(told).toEqual(['a', 'b'])
  }))

test('a guest that closes says of each write whether it may have been taken in', () =>
  inWorld(guestWorld(KEYS), async ({ visit, run }) => {
    const away = visit(undefined)
    const never = away.guest.set('user:1', 'a').accepted
    await run(10)
    away.guest.close()
    await expect(never).rejects.toMatchObject({ code: 'WARP_E_CLOSED', outcome: 'failed' })
    const there = visit(0)
    await run(50)
    const perhaps = there.guest.set('user:1', 'a').accepted
    await run(0)
    there.guest.close()
    await expect(perhaps).rejects.toMatchObject({ code: 'WARP_E_CLOSED', outcome: 'indeterminate' })
    expect(() => there.guest.peek('user:1')).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
  }))
