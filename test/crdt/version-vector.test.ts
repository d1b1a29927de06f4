import { expect, test } from 'vitest'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'

const [A, B] = ['a', 'b'].map((digit) => parseReplicaId(digit.repeat(16))) as [
  ReturnType<typeof parseReplicaId>,
  ReturnType<typeof parseReplicaId>,
]

test('a vector includes what it has seen of a replica, and not the operation after that', () => {
  const vector = VersionVector.from([[A, 3]])
  expect([1, 3, 4].map((sequence) => vector.includes(A, sequence))).toEqual([true, true, false])
  expect(vector.includes(B, 1)).toBe(false)
})

test('an entry never falls', () => {
  const vector = VersionVector.from([[A, 3]])
  expect(vector.raise(A, 2)).toBe(false)
  vector.join(VersionVector.from([[A, 1]]))
  expect(vector.get(A)).toBe(3)
})

test('a vector dominates another one only if each of its entries does', () => {
  const ahead = VersionVector.from([[A, 3], [B, 1]]) // prettier-ignore
  const behind = VersionVector.from([[A, 2], [B, 1]]) // prettier-ignore
  const aside = VersionVector.from([[A, 1], [B, 2]]) // prettier-ignore
  expect([ahead.compare(behind), behind.compare(ahead), ahead.compare(ahead.copy())]).toEqual([
    'after',
    'before',
    'equal',
  ])
  expect(ahead.compare(aside)).toBe('concurrent')
  expect(ahead.dominates(aside)).toBe(false)
})

test('entries beyond those that are looked through one by one are found all the same', () => {
  const replicas = Array.from({ length: 40 }, (_, i) => parseReplicaId(String(i).padStart(16, '0')))
  const vector = VersionVector.from(replicas.map((replica, i) => [replica, i + 1]))
  for (const replica of replicas) vector.raise(replica, 50)
  expect(replicas.map((replica) => vector.get(replica))).toEqual(replicas.map(() => 50))
  expect(vector.size).toBe(40)
})
