import { expect, test } from 'vitest'
import { replicaIdFromBytes, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../../src/limits.ts'
import { RetiredIds } from '../../src/operation/retired-ids.ts'

const id = (number: number): ReplicaId => replicaIdFromBytes(Uint8Array.of(number >> 8, number & 255))
const [A, B] = [id(1), id(2)]

test('of two ends of an id the earlier one counts, in whatever order they come', () => {
  const one = new RetiredIds([
    [A, 3],
    [A, 5],
  ])
  const other = new RetiredIds([
    [A, 5],
    [A, 3],
  ])
  expect([one.endOf(A), other.endOf(A), one.endOf(B)]).toEqual([3, 3, Infinity])
  expect([one.retire(A, 3), one.retire(A, 4), one.retire(A, 0)]).toEqual([false, false, true])
})

test('what is beyond an end is void, the end itself is not', () => {
  const retired = new RetiredIds([[A, 3]])
  expect(retired.voidIn([[A, 3]])).toEqual([])
  expect(
    retired.voidIn([
      [A, 4],
      [B, 9],
    ]),
  ).toEqual([A])
  retired.reinstate(A, 4)
  expect([retired.voidIn([[A, 4]]), retired.voidIn([[A, 5]])]).toEqual([[], [A]])
})

test('there is a bound to them, within which an end may still come earlier', () => {
  const retired = new RetiredIds()
  for (let i = 0; i < VECTOR_ENTRIES_MAX; i++) expect(retired.retire(id(i), 1)).toBe(true)
  expect([retired.retire(id(VECTOR_ENTRIES_MAX), 1), retired.retire(id(7), 0), retired.size]).toEqual([
    false,
    true,
    VECTOR_ENTRIES_MAX,
  ])
})
