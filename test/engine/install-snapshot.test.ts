import { expect, test } from 'vitest'
import { replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { KeyTable } from '../../src/keys/key-table.ts'
import { installSnapshot } from '../../src/store/recovered.ts'

const A = replicaIdFromBytes(Uint8Array.of(1))

function snapshot(sequence: number, through: number) {
  const vector = VersionVector.from([[A, sequence]])
  const facts = { key: 'k', strategy: 1, present: true, baseVersion: sequence, version: sequence }
  return { ...facts, through, hlc: sequence, replica: A, sequence, lifeMs: 0, vector }
}

// Simulation seed 2029: compaction wrote the first snapshot behind the operation that only the second one holds, and dropped that operation.
test('a snapshot replaces the one before as the newest of its key, though that lies behind all that it holds', () => {
  const keys = new KeyTable()
  const slot = keys.add('k', 0)
  installSnapshot(keys, slot, snapshot(1, 10), 100)
  installSnapshot(keys, slot, snapshot(2, 50), 200)
  expect([keys.tip[slot], keys.tipHlc[slot], keys.tipSequence[slot], keys.snapshot[slot]]).toEqual([200, 2, 2, 200])
})

test('a snapshot does not replace an operation behind it as the newest of its key', () => {
  const keys = new KeyTable()
  const slot = keys.add('k', 0)
  keys.advance(slot, { hlc: 9, replica: A, sequence: 3, lifeMs: 0 }, 60)
  for (const [sequence, through, position] of [
    [1, 10, 100],
    [2, 50, 200],
  ] as const) {
    installSnapshot(keys, slot, snapshot(sequence, through), position)
    expect([keys.tip[slot], keys.tipSequence[slot], keys.snapshot[slot]]).toEqual([60, 3, position])
  }
})
