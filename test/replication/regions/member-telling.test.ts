import { expect, test } from 'vitest'
import { type ReplicaId, replicaIdFromBytes } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { KnownReplicas } from '../../../src/replication/members/known-replicas.ts'
import { MemberTelling } from '../../../src/replication/regions/member-telling.ts'
import { MEMBER_ENTRIES_PER_FRAME, type MemberRow } from '../../../src/replication/wire/frames.ts'

const [A, B] = [1, 2].map((i) => replicaIdFromBytes(Uint8Array.of(i))) as [ReplicaId, ReplicaId]

function told() {
  const isDown = { now: false }
  const frames: (readonly MemberRow[])[] = []
  const known = new KnownReplicas({
    ...{ horizonMs: 1000, whyGone: () => undefined, onGone: () => undefined },
    onOverflow: () => undefined,
  })
  const telling = new MemberTelling({
    members: () => known,
    describe: () => ({ region: 'eu', zone: 'a', isDown: isDown.now }),
    tells: (replica) => replica !== B,
    send: (rows) => frames.push(rows),
  })
  return { isDown, known, telling, frames, rows: () => frames.splice(0).flat() }
}

test('what has risen is told, and every few rounds that the member is there', () => {
  const { known, telling, rows } = told()
  for (const id of [A, B]) known.heard(id, 0)
  known.get(A)?.acknowledged.raise(B, 5)
  telling.beat(100)
  expect(rows()).toMatchObject([{ replica: A, region: 'eu', zone: 'a', silentMs: 100, through: 0 }])
  known.get(A)?.stable.raise(B, 4)
  telling.beat(200)
  const [risen] = rows()
  expect([risen?.acknowledged.size, risen?.stable.get(B)]).toEqual([0, 4])
  const counts = Array.from({ length: 8 }, (_, i) => {
    telling.beat(300 + i * 100)
    return rows().length
  })
  expect(counts).toEqual([0, 0, 0, 1, 0, 0, 0, 1])
})

test('that a member has gone down is told at once, and that it has come back', () => {
  const { isDown, known, telling, rows } = told()
  known.heard(A, 0)
  telling.beat(0)
  expect(rows()).toMatchObject([{ isDown: false }])
  for (const now of [true, false]) {
    isDown.now = now
    telling.beat(0)
    expect(rows()).toMatchObject([{ replica: A, isDown: now }])
    telling.beat(0)
    expect(rows()).toEqual([])
  }
})

test('now and then all of it is told again, and at once when somebody has come', () => {
  const { known, telling, rows } = told()
  known.heard(A, 0)
  known.get(A)?.acknowledged.raise(B, 5)
  telling.beat(0)
  expect(rows()[0]?.acknowledged.get(B)).toBe(5)
  telling.forget()
  telling.beat(0)
  expect(rows()[0]?.acknowledged.get(B)).toBe(5)
  const whole: number[] = []
  for (let round = 3; round <= 60; round++) {
    telling.beat(round)
    if (rows().some(({ acknowledged }) => acknowledged.get(B) === 5)) whole.push(round)
  }
  expect(whole).toEqual([30, 60])
})

test('many members go in several frames, each of a bounded size', () => {
  const { known, telling, frames } = told()
  const vector = VersionVector.from(
    Array.from({ length: 1000 }, (_, i) => [replicaIdFromBytes(Uint8Array.of(3, i >> 8, i & 255)), 1] as const),
  )
  for (let i = 0; i < 20; i++) {
    const id = replicaIdFromBytes(Uint8Array.of(4, i))
    known.heard(id, 0)
    known.get(id)?.acknowledged.join(vector)
  }
  telling.beat(0)
  expect(frames.flat()).toHaveLength(20)
  for (const rows of frames)
    expect(rows.reduce((sum, { acknowledged }) => sum + acknowledged.size + 1, 0)).toBeLessThanOrEqual(
      MEMBER_ENTRIES_PER_FRAME,
    )
})
