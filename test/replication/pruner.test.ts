/** When the ids of those that died, or were given up, are ended for good. */
import { expect, test } from 'vitest'
import { type ReplicaId, replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { Pruner } from '../../src/replication/members/pruner.ts'
import { Stability } from '../../src/replication/members/stability.ts'
import type { Digest } from '../../src/replication/wire/frames.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { NaiveStore } from '../support/naive-store.ts'

const [B, C, DEAD] = [2, 3, 9].map((i) => replicaIdFromBytes(Uint8Array.of(i))) as [ReplicaId, ReplicaId, ReplicaId]
const SETTINGS = { horizonMs: 1000, digestIntervalMs: 100 }

interface Said {
  readonly applied?: number
  readonly end?: number
}

/** A store in which DEAD has ended at 3, and whose members say so, or something else. */
function world(said: Readonly<Record<ReplicaId, Said>>, end = 3) {
  const store = new NaiveStore(virtualEnv())
  store.write('x')
  store.applied.raise(DEAD, 3)
  store.retired.retire(DEAD, end)
  const stability = new Stability(store, SETTINGS, () => undefined)
  const none = { reply: false, floor: new VersionVector(), stable: new VersionVector(), heard: [] }
  const hear = (replica: ReplicaId, { applied = 3, end: at = 3 }: Said): void => {
    const all = VersionVector.from([
      [store.replica, 1],
      [DEAD, applied],
    ])
    const digest: Digest = { ...none, applied: all, retired: at === 0 ? [] : [[DEAD, at]] }
    stability.heard(replica, 0)
    stability.digest(replica, digest, 0)
  }
  for (const [replica, what] of Object.entries(said)) hear(replica as ReplicaId, what)
  const pruner = new Pruner(store, stability)
  const ended = (nowMs = SETTINGS.horizonMs): readonly (readonly [ReplicaId, number])[] => {
    // DEAD has not been heard within the horizon, the others have.
    for (const replica of Object.keys(said)) stability.heard(replica as ReplicaId, nowMs)
    stability.advance(nowMs + 1, true)
    for (let round = 0; round < 40; round++) pruner.beat()
    return store.saidEnded
  }
  return { store, stability, pruner, ended }
}

test('an id that compaction has ended is ended for good once all members say the same of it', () => {
  expect(world({ [B]: {}, [C]: {} }).ended()).toEqual([[DEAD, 3]])
})

test('it is not while one of them has not heard of its end, or knows another one', () => {
  expect(world({ [B]: {}, [C]: { end: 0 } }).ended()).toEqual([])
  expect(world({ [B]: {}, [C]: { end: 2 } }).ended()).toEqual([])
  expect(world({ [B]: {}, [C]: { end: 4 } }).ended()).toEqual([])
})

test('it is not while one of them lacks something of it, or has more', () => {
  expect(world({ [B]: {}, [C]: { applied: 2 } }).ended()).toEqual([])
  expect(world({ [B]: {}, [C]: { applied: 4 } }).ended()).toEqual([])
})

test('it is not while its end lies beyond what anybody has', () => {
  expect(world({ [B]: { end: 5 } }, 5).ended()).toEqual([])
})

test('it is not while nobody else is heard, though it was agreed before', () => {
  const { store, stability, pruner } = world({ [B]: {} })
  store.hasMetOthers = true
  stability.advance(1, true)
  expect(stability.announced.includes(DEAD, 3)).toBe(true)
  stability.advance(3 * SETTINGS.horizonMs, true)
  for (let round = 0; round < 40; round++) pruner.beat()
  expect(store.saidEnded).toEqual([])
})

test('it is not while its owner, or somebody who has heard of it, is there', () => {
  const alive = world({ [B]: {} })
  alive.stability.heard(DEAD, SETTINGS.horizonMs)
  expect(alive.ended()).toEqual([])
})
