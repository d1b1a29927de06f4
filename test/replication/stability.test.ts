import { describe, expect, test } from 'vitest'
import { type ReplicaId, replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { MEMBERS_MAX, KnownReplicas, type KnownReplica } from '../../src/replication/members/known-replicas.ts'
import type { Digest } from '../../src/replication/wire/frames.ts'
import { Stability, stableVector } from '../../src/replication/members/stability.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { NaiveStore } from '../support/naive-store.ts'
import { testReplicas } from '../support/replicas.ts'

const [A, B, C] = [1, 2, 3].map((i) => replicaIdFromBytes(Uint8Array.of(i))) as [ReplicaId, ReplicaId, ReplicaId]
const HORIZON_MS = 1000

function vector(entries: readonly (readonly [ReplicaId, number])[]): VersionVector {
  return VersionVector.from(entries)
}

function members(): { known: KnownReplicas; gone: ReplicaId[]; overflows: number[] } {
  const [gone, overflows]: [ReplicaId[], number[]] = [[], []]
  const options = {
    horizonMs: HORIZON_MS,
    whyGone: ({ heardMs }: KnownReplica, nowMs: number) =>
      nowMs - heardMs > HORIZON_MS ? ('silent' as const) : undefined,
    onGone: ({ replica }: KnownReplica) => gone.push(replica),
    onOverflow: (n: number) => overflows.push(n),
  }
  return { known: new KnownReplicas(options), gone, overflows }
}

function stable(known: KnownReplicas, applied: VersionVector): [ReplicaId, number][] {
  known.settle(applied)
  const acknowledged = [...known.present()].map((member) => member.acknowledged)
  return stableVector(applied, acknowledged).sorted() as [ReplicaId, number][]
}

describe('the stable vector', () => {
  test('is all that is applied where nobody else has ever been heard', () => {
    expect(stable(members().known, vector([[A, 5]]))).toEqual([[A, 5]])
  })

  test('is the least that any member has acknowledged', () => {
    const { known } = members()
    for (const id of [B, C]) known.heard(id, 0)
    known.acknowledged(B, vector([[A, 3]]))
    known.acknowledged(C, vector([[A, 4]]))
    expect(stable(known, vector([[A, 5]]))).toEqual([[A, 3]])
  })

  test('is empty while a replica that wrote has not acknowledged anything', () => {
    const { known } = members()
    known.seen(vector([[B, 1]]), 0)
    expect(
      stable(
        known,
        vector([
          [A, 5],
          [B, 1],
        ]),
      ),
    ).toEqual([])
  })

  test("what A says of B is used only once B's own operations before it have been applied here", async () => {
    const store = new NaiveStore(virtualEnv({ seed: 1 }))
    const stability = new Stability(store, { horizonMs: HORIZON_MS, digestIntervalMs: 100 }, () => undefined)
    for (const id of [A, B]) stability.heard(id, 0)
    const rollCall = { anchor: 1, acknowledged: 1, stable: 1, announced: 0, through: [] }
    stability.rollCall(A, rollCall, [[B, 1]])
    stability.known.settle(vector([[A, 1]]))
    expect(stability.known.get(B)?.acknowledged.get(A)).toBe(0)
    expect(stability.known.get(A)?.acknowledged.get(A)).toBe(1)
    const both = vector([
      [A, 1],
      [B, 1],
    ])
    stability.known.settle(both)
    expect(stability.known.get(B)?.acknowledged.get(A)).toBe(1)
    expect(stability.known.get(B)?.through).toBe(1)
    expect(stability.known.get(B)?.stable.get(A)).toBe(0)
  })

  test('what a relay tells of a member is used, once the operations of the member before it have been applied here', () => {
    const store = new NaiveStore(virtualEnv({ seed: 1 }))
    const gone: ReplicaId[] = []
    const stability = new Stability(store, { horizonMs: HORIZON_MS, digestIntervalMs: 100 }, (event) => {
      if (event.kind === 'member:gone') gone.push(event.replica)
    })
    const row = {
      ...{ replica: B, isPersistent: true, isDown: false, format: 2, name: 'b', zone: '', region: 'eu', through: 2 },
      ...{ acknowledged: vector([[A, 4]]), stable: vector([[A, 3]]), ended: [[C, 7]] as const },
    }
    stability.relayed({ ...row, silentMs: 50 }, 0)
    const member = stability.known.get(B)
    expect(member).toMatchObject({ name: 'b', format: 2, isVolatile: false, heardDirectly: true, gone: false })
    expect(stability.heardReplicas()).toEqual([B])
    stability.known.settle(
      vector([
        [A, 4],
        [B, 1],
      ]),
    )
    expect(member?.acknowledged.get(A)).toBe(0)
    stability.known.settle(
      vector([
        [A, 4],
        [B, 2],
      ]),
    )
    expect(member?.acknowledged.get(A)).toBe(4)
    expect(member?.stable.get(A)).toBe(3)
    expect(member?.said?.retired).toEqual([[C, 7]])
    expect(member?.said?.applied.get(C)).toBe(7)
    // It is heard as long as the relay hears it, and comes back when the relay hears it again.
    stability.known.expire(HORIZON_MS)
    expect(gone).toEqual([])
    stability.known.expire(HORIZON_MS + 1)
    expect(gone).toEqual([B])
    stability.relayed({ ...row, silentMs: 1001 }, 1)
    expect(member?.gone).toBe(true)
    stability.relayed({ ...row, silentMs: 1000 }, HORIZON_MS)
    expect(member?.gone).toBe(false)
    stability.known.expire(HORIZON_MS * 2)
    expect(gone).toEqual([B])
    // Nobody is told of itself.
    stability.relayed({ ...row, replica: store.replica, silentMs: 0 }, 0)
    expect(stability.known.get(store.replica)).toBeUndefined()
  })

  test('a roll call says what the least of those has acknowledged and announced', () => {
    const store = new NaiveStore(virtualEnv({ seed: 1 }))
    const stability = new Stability(store, { horizonMs: HORIZON_MS, digestIntervalMs: 100 }, () => undefined)
    for (let i = 0; i < 5; i++) store.write(`${i}`)
    for (const id of [A, B]) stability.heard(id, 0)
    stability.confirmation(A, { replica: store.replica, applied: 4, own: 0, stable: 2 })
    stability.confirmation(B, { replica: store.replica, applied: 3, own: 0, stable: 1 })
    stability.known.settle(store.applied)
    expect(stability.rollOf([A, B])).toMatchObject({ acknowledged: 3, announced: 0 })
    stability.advance(0, true)
    expect(stability.rollOf([A, B])).toEqual({ acknowledged: 3, stable: 3, announced: 1 })
    expect(stability.rollOf([A, B, C])).toMatchObject({ acknowledged: 0, announced: 0 })
  })

  // B writes b1, then applies a1 and says so. b1 is concurrent with a1 and may still come.
  test("uses an acknowledgement only once the member's own operations before it have been applied", () => {
    const { known } = members()
    known.heard(B, 0)
    known.acknowledged(
      B,
      vector([
        [A, 1],
        [B, 1],
      ]),
    )
    expect(stable(known, vector([[A, 1]]))).toEqual([])
    expect(
      stable(
        known,
        vector([
          [A, 1],
          [B, 1],
        ]),
      ),
    ).toEqual([
      [A, 1],
      [B, 1],
    ])
  })

  test('goes on under a member that writes faster than its operations arrive', () => {
    const { known } = members()
    known.heard(B, 0)
    let last = 0
    for (let i = 1; i <= 50; i++) {
      known.acknowledged(
        B,
        vector([
          [A, i],
          [B, i + 5],
        ]),
      )
      last =
        stable(
          known,
          vector([
            [A, 100],
            [B, i],
          ]),
        ).find(([id]) => id === A)?.[1] ?? 0
    }
    expect(last).toBeGreaterThan(30)
  })
})

describe('members', () => {
  test('silent beyond the horizon no longer hold back, once, until they have caught up', () => {
    const { known, gone } = members()
    known.heard(B, 0)
    known.expire(HORIZON_MS)
    expect(stable(known, vector([[A, 1]]))).toEqual([])
    known.expire(HORIZON_MS + 1)
    known.expire(HORIZON_MS + 2)
    expect(gone).toEqual([B])
    expect(stable(known, vector([[A, 1]]))).toEqual([[A, 1]])
    known.heard(B, HORIZON_MS + 3)
    expect(stable(known, vector([[A, 1]]))).toEqual([[A, 1]])
    known.returned(B)
    expect(stable(known, vector([[A, 1]]))).toEqual([])
  })

  test('that are gone do not come back because others still name them', () => {
    const { known } = members()
    known.seen(vector([[B, 4]]), 0)
    known.expire(HORIZON_MS + 1)
    known.seen(vector([[B, 4]]), HORIZON_MS + 2)
    known.named(B, HORIZON_MS + 2)
    expect([...known.present()]).toEqual([])
    known.seen(vector([[B, 5]]), HORIZON_MS + 3)
    expect([...known.present()].map(({ replica }) => replica)).toEqual([B])
  })

  test('beyond the bound are refused and reported; nothing is stable for a horizon', () => {
    const { known, overflows } = members()
    const id = (i: number): ReplicaId => replicaIdFromBytes(Uint8Array.of(0, 0, 0, 0, 9, 9, i >> 8, i & 255))
    for (let i = 0; i < MEMBERS_MAX + 5; i++) known.heard(id(i), 0)
    expect([known.count, overflows, known.overflowed]).toEqual([MEMBERS_MAX, [MEMBERS_MAX], true])
    known.expire(HORIZON_MS + 1)
    expect(known.overflowed).toBe(false)
    known.heard(A, HORIZON_MS + 2)
    expect(known.get(A)).toBeDefined()
    expect(known.count).toBe(MEMBERS_MAX)
  })
})

describe('among replicas', () => {
  test('what is stable everybody has, at every moment, under loss and cuts (W08)', async () => {
    const world = await testReplicas({ seed: 7, loss: 0.2, delayMs: 15, reorder: 0.2, names: ['a', 'b', 'c', 'd'] })
    await world.env.advance(2000)
    for (let i = 0; i < 120; i++) {
      if (i === 30)
        world.network.partition([
          ['a', 'b'],
          ['c', 'd'],
        ])
      if (i === 80) world.network.heal()
      for (const { store, name } of world.all) store.write(`${name}${i}`)
      await world.env.advance(50)
      for (const { store } of world.all) {
        for (const other of world.all) expect(other.store.applied.dominates(store.stable)).toBe(true)
      }
    }
    await world.env.advance(10_000)
    for (const { store } of world.all) expect(store.stable.compare(store.applied)).toBe('equal')
    await world.close()
  })

  test('compacting at once what is stable never leaves anybody behind (W08)', async () => {
    const world = await testReplicas({ seed: 11, loss: 0.2, delayMs: 10, reorder: 0.3 })
    await world.env.advance(2000)
    for (const { store } of world.all) store.compactsAtOnce = true
    for (let i = 0; i < 100; i++) {
      for (const { store, name } of world.all) store.write(`${name}${i}`)
      await world.env.advance(30)
    }
    await world.env.advance(10_000)
    for (const { store, events } of world.all) {
      expect(store.texts()).toHaveLength(300)
      expect(store.recordCount).toBe(0)
      expect(events.map(({ kind }) => kind)).not.toContain('resync:required')
    }
    await world.close()
  })

  test('a replica that only reads, and is heard by one other only, holds everybody back', async () => {
    const world = await testReplicas()
    world.network.cut('a', 'c')
    const [a] = world.all
    await world.env.advance(3000)
    a?.store.write('x')
    await world.env.advance(5000)
    expect(a?.store.stable.size).toBe(0)
    await world.close()
  })
})

describe('what one replica reckons by itself', () => {
  const digest = (parts: Partial<Digest>): Digest => {
    const none = { applied: vector([]), floor: vector([]), stable: vector([]), heard: [], retired: [] }
    return { reply: false, ...none, ...parts }
  }

  function reckoning(): { stability: Stability; store: NaiveStore } {
    const store = new NaiveStore(virtualEnv())
    return { stability: new Stability(store, { horizonMs: HORIZON_MS, digestIntervalMs: 100 }, () => undefined), store }
  }

  test('is announced, and compacted once every member has announced it', () => {
    const { stability, store } = reckoning()
    store.write('x')
    const applied = store.applied.copy()
    stability.heard(B, 0)
    stability.digest(B, digest({ applied }), 0)
    stability.advance(0, true)
    expect([stability.announced.size, store.stable.size]).toEqual([1, 0])
    stability.digest(B, digest({ applied, stable: applied }), 1)
    stability.advance(1, true)
    expect(store.stable.sorted()).toEqual(applied.sorted())
  })

  // Simulation seed 20: what others have of it would be refused for ever, and with it all that depends on it.
  test('ends the id of a member that is away only when something is compacted that it had not acknowledged', () => {
    const { stability, store } = reckoning()
    store.write('x')
    const first = store.applied.copy()
    const [acknowledged, announced] = [digest({ applied: first }), digest({ applied: first, stable: first })]
    stability.heard(B, 0)
    stability.digest(B, acknowledged, 0)
    const [away, present] = [HORIZON_MS + 1, HORIZON_MS + 2]
    stability.heard(C, away)
    stability.digest(C, announced, away)
    stability.advance(away, true)
    stability.digest(C, announced, present)
    stability.advance(present, true)
    store.compact()
    expect([store.floor.sorted(), store.retired.size]).toEqual([first.sorted(), 0])
    store.write('y')
    const both = store.applied.copy()
    for (const nowMs of [present + 1, present + 2]) {
      stability.digest(C, digest({ applied: both, stable: both }), nowMs)
      stability.advance(nowMs, true)
    }
    store.compact()
    expect([store.floor.sorted(), store.retired.entries()]).toEqual([both.sorted(), [[B, 0]]])
  })

  test('does not wait again for who has ended already, though vectors name it', () => {
    const { stability, store } = reckoning()
    store.applied.raise(B, 3)
    store.retired.retire(B, 3)
    stability.heard(C, 0)
    stability.advance(1, true)
    expect([...stability.known.present()].map(({ replica }) => replica)).toEqual([C])
  })

  test('waits for who was given up for as long as it is heard', () => {
    const { stability, store } = reckoning()
    for (const id of [B, C]) stability.heard(id, 0)
    store.departures.take({ kind: 'evicted', replicas: [B] })
    stability.advance(1, true)
    expect([...stability.known.present()].map(({ replica }) => replica)).toEqual([B, C])
    stability.advance(HORIZON_MS, true)
    expect([...stability.known.present()].map(({ replica }) => replica)).toEqual([B, C])
    const given = new Stability(store, { horizonMs: HORIZON_MS, digestIntervalMs: 10 }, () => undefined)
    for (const id of [B, C]) given.heard(id, 0)
    given.advance(101, true)
    expect([...given.known.present()].map(({ replica }) => replica)).toEqual([C])
  })

  test('tells once that there are many members, and again after there were fewer', () => {
    const events: unknown[] = []
    const store = new NaiveStore(virtualEnv())
    const settings = { horizonMs: HORIZON_MS, digestIntervalMs: 100 }
    const stability = new Stability(store, settings, (event) => events.push(event))
    const ids = Array.from({ length: 1023 }, (_, i) => replicaIdFromBytes(Uint8Array.of(4 + (i >> 8), i & 255)))
    const hear = (count: number, nowMs: number): void => {
      for (const id of ids.slice(0, count)) stability.heard(id, nowMs)
      stability.advance(nowMs, true)
    }
    hear(1022, 0)
    expect(events).toEqual([])
    hear(1023, 1)
    hear(1023, 2)
    const many = { kind: 'members:many', count: 1024, limit: MEMBERS_MAX }
    expect([events, stability.presentCount]).toEqual([[many], 1024])
    hear(10, HORIZON_MS + 10)
    expect(stability.presentCount).toBe(11)
    hear(1023, HORIZON_MS + 11)
    for (const id of ids) stability.known.returned(id)
    stability.advance(HORIZON_MS + 12, true)
    expect(events.filter((event) => (event as { kind: string }).kind === 'members:many')).toEqual([many, many])
  })

  test('compacts nothing while all others are away', () => {
    const { stability, store } = reckoning()
    store.write('x')
    stability.heard(B, 0)
    stability.advance(HORIZON_MS + 1, true)
    expect([store.stable.size, stability.announced.size]).toEqual([0, 0])
  })
})
