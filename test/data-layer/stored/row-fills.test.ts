/** Which rows of another replica are taken: the rule by itself, on vectors. */
import { describe, expect, test } from 'vitest'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { RowFills } from '../../../src/data-layer/stored/row-fills.ts'
import { StoredKey } from '../../../src/data-layer/stored/stored-key.ts'
import type { StoredKeys } from '../../../src/data-layer/stored/stored-keys.ts'
import type { Keyspace } from '../../../src/keys/keyspace.ts'

const A = '00000000000000aa' as ReplicaId
const B = '00000000000000bb' as ReplicaId
const KEYSPACE = {} as Keyspace
const BYTES = Uint8Array.of(1)

function vector(...entries: readonly (readonly [ReplicaId, number])[]): VersionVector {
  return VersionVector.from(entries)
}

interface Case {
  /** What the row holds, and what its teller knows of the key. */
  readonly row: VersionVector
  readonly known: VersionVector
  /** What has been applied here, what the store is known to hold, and the base, if there is one. */
  readonly applied: VersionVector
  readonly stored?: VersionVector
  readonly base?: VersionVector
}

function isTaken({ row, known, applied, stored, base }: Case): boolean {
  const key = new StoredKey('k', KEYSPACE)
  if (stored !== undefined) key.stored = stored
  if (base !== undefined) key.base = { value: 1, vector: base, tip: undefined, name: 'n' }
  const keys = {
    of: () => key,
    baseOf: () => ({ value: 1, vector: row, tip: undefined, name: 'n' }),
    answerOf: () => 'the answer',
  } as unknown as StoredKeys
  const told = { value: BYTES, row: { meta: BYTES, token: BYTES, known } }
  return new RowFills(keys, applied).answer('k', KEYSPACE, told) !== undefined
}

describe('a row of another replica', () => {
  test('is taken where nothing is known of the key', () => {
    expect(isTaken({ row: vector([A, 3]), known: vector([A, 3]), applied: vector([A, 9]) })).toBe(true)
  })

  test('is taken where its teller knew more that has not come here yet', () => {
    expect(isTaken({ row: vector([A, 3]), known: vector([A, 5]), applied: vector([A, 3]) })).toBe(true)
  })

  test('that lacks what was let go of here is not taken', () => {
    expect(isTaken({ row: vector([A, 3]), known: vector([A, 5]), applied: vector([A, 5]) })).toBe(false)
    expect(isTaken({ row: vector([A, 3]), known: vector([A, 3], [B, 2]), applied: vector([A, 3], [B, 2]) })).toBe(false)
  })

  test('is taken where what its teller knew beyond it is held here', () => {
    const applied = vector([A, 3], [B, 2])
    expect(isTaken({ row: vector([A, 3]), known: vector([A, 3], [B, 2]), applied, base: vector([A, 3]) })).toBe(false)
    expect(isTaken({ row: vector([A, 3], [B, 2]), known: applied, applied, base: vector([A, 3], [B, 2]) })).toBe(true)
  })

  test('that is older than what the store is known to hold is not taken', () => {
    const [row, applied] = [vector([A, 3]), vector([A, 5])]
    expect(isTaken({ row, known: row, applied, stored: vector([A, 4]) })).toBe(false)
    expect(isTaken({ row, known: row, applied, base: vector([A, 4]) })).toBe(false)
    expect(isTaken({ row, known: row, applied, stored: vector([A, 3]), base: vector([A, 2]) })).toBe(true)
  })
})
