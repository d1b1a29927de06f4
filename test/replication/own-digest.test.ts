import { expect, test } from 'vitest'
import { type ReplicaId, parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { OwnDigest, digestAfter, risenSince } from '../../src/replication/anti-entropy/own-digest.ts'
import type { Digest } from '../../src/replication/wire/frames.ts'
import { seededRandom } from '../../testing/world/random.ts'

const IDS = Array.from({ length: 12 }, (_, i) => parseReplicaId(String(i + 16).padStart(16, '0')))
const [A, B, C] = IDS as [ReplicaId, ReplicaId, ReplicaId]

type Entries = readonly (readonly [ReplicaId, number])[]

function digest(applied: Entries, rest: Partial<Digest> = {}): Digest {
  const none = { floor: new VersionVector(), stable: new VersionVector(), heard: [], retired: [] }
  return { reply: false, applied: VersionVector.from(applied), ...none, ...rest }
}

const ALL: Entries = IDS.map((id) => [id, 5])

test('a digest that has not changed needs no new number and no change', () => {
  const own = new OwnDigest()
  own.take(A, digest(ALL))
  const { number, version } = own
  own.take(A, digest(ALL))
  expect([own.number, own.version, own.count]).toEqual([number, version, 0])
})

test('what rises is a change of the same anchor, counted', () => {
  const own = new OwnDigest()
  own.take(A, digest(ALL))
  const { number } = own
  own.take(A, digest([...ALL.slice(1), [A, 6]]))
  own.take(A, digest([...ALL.slice(1), [A, 7]]))
  expect([own.number, own.count]).toEqual([number, 2])
  expect(own.risen.applied.sorted()).toEqual([[A, 7]])
  expect(own.anchor.applied.get(A)).toBe(5)
})

const changes: readonly (readonly [string, ReplicaId, Digest])[] = [
  ['an entry falls', A, digest([...ALL.slice(1), [A, 4]])],
  ['an entry goes', A, digest(ALL.slice(1))],
  ['another replica is heard', A, digest(ALL, { heard: [B] })],
  ['an id comes to an end', A, digest(ALL, { retired: [[C, 3]] })],
  ['this replica takes another id', B, digest(ALL)],
  ['most of it has risen', A, digest(IDS.map((id) => [id, 6]))],
]

test.each(changes)('a new anchor is needed when %s', (_, replica, next) => {
  const own = new OwnDigest()
  own.take(A, digest(ALL))
  const { number } = own
  own.take(replica, next)
  expect([own.number, own.count]).toEqual([number + 1, 0])
  expect(own.anchor).toEqual(next)
})

test('an anchor and its changes make the digest that they were made of', () => {
  const random = seededRandom('digests')
  const draw = (): VersionVector => VersionVector.from(IDS.map((id) => [id, random.below(4)]))
  for (let i = 0; i < 500; i++) {
    const anchor = digest([...draw().entries()], { floor: draw(), stable: draw() })
    const next = digest([...draw().entries()], { floor: draw(), stable: draw() })
    for (const name of ['applied', 'floor', 'stable'] as const) if (random.chance(0.9)) next[name].join(anchor[name])
    const risen = risenSince(anchor, next)
    const names = ['applied', 'floor', 'stable'] as const
    expect(risen === undefined).toBe(names.some((name) => !next[name].dominates(anchor[name])))
    if (risen === undefined) continue
    const before = anchor.applied.sorted()
    const after = digestAfter(anchor, { risen, reply: false, announcesAll: false })
    for (const name of names) expect(after[name].sorted()).toEqual(next[name].sorted())
    expect(anchor.applied.sorted()).toEqual(before)
  }
})
