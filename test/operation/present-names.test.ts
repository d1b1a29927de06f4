import { expect, test } from 'vitest'
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { PresentNames } from '../../src/operation/names/present-names.ts'
import { seededRandom } from '../../testing/world/random.ts'

const A = '00000000000000aa' as ReplicaId
const B = '00000000000000bb' as ReplicaId
const C = '00000000000000cc' as ReplicaId

function dot(replica: ReplicaId, sequence: number): Dot {
  return { replica, sequence }
}

test('names are found as in a map, in whatever order they were noted, and the later one counts', () => {
  for (let i = 0; i < 100; i++) {
    const random = seededRandom(`present names ${i}`)
    const names = new PresentNames()
    const expected = new Map<string, Dot>()
    let now = 0
    for (let step = 0; step < 60; step++) {
      // Mostly one after the other, as they come; else anywhere.
      const [replica, from] = [random.pick([A, B]), 1 + random.below(40)]
      const count = random.pick([1, 1, 5])
      for (let at = from; at < from + count; at++) {
        const present = dot(C, random.chance(0.8) ? ++now : 1 + random.below(40))
        names.note(dot(replica, at), present)
        expected.set(`${replica}:${at}`, present)
      }
    }
    for (const replica of [A, B, C])
      for (let at = 0; at < 50; at++)
        expect(names.of(dot(replica, at)), `seed ${i}, ${replica}:${at}`).toEqual(expected.get(`${replica}:${at}`))
  }
})

test('what follows each other is one run', () => {
  const names = new PresentNames()
  for (let at = 1; at <= 1000; at++) names.note(dot(A, at), dot(C, at + 7))
  names.note(dot(A, 500), dot(C, 507))
  expect(names.size).toBe(1)
  expect(names.of(dot(A, 1000))).toEqual(dot(C, 1007))
  names.note(dot(A, 500), dot(B, 1))
  expect(names.size).toBe(3)
})

test('of more runs than it may keep the oldest are forgotten', () => {
  const names = new PresentNames(2)
  for (const at of [1, 3, 5]) names.note(dot(A, at), dot(C, at * 10))
  names.note(dot(B, 1), dot(C, 100))
  expect(names.size).toBe(2)
  expect([dot(A, 1), dot(A, 3), dot(A, 5), dot(B, 1)].map((name) => names.of(name)?.sequence)).toEqual([
    ...[undefined, undefined],
    ...[50, 100],
  ])
})
