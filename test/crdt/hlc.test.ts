import { expect, test } from 'vitest'
import { compareStamps, hlcAtEndOfMs, hlcFromMs, hlcToMs, nextHlc, type Stamp } from '../../crdt/time/hlc.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'

const A = parseReplicaId('a'.repeat(16))
const B = parseReplicaId('b'.repeat(16))

test('the next stamp is greater than the last one, whatever the wall clock says', () => {
  let last = nextHlc(0, 1_000)
  for (const nowMs of [1_000, 1_000, 999, 0, 1_001, 500]) {
    const next = nextHlc(last, nowMs)
    expect(next).toBeGreaterThan(last)
    last = next
  }
  expect(hlcToMs(last)).toBe(1_001)
})

test('a millisecond ends with its last stamp', () => {
  expect(hlcToMs(hlcAtEndOfMs(1_000))).toBe(1_000)
  expect(hlcAtEndOfMs(1_000) + 1).toBe(hlcFromMs(1_001))
})

test('stamps are ordered by time, then by replica, then by sequence, and equal for one operation only', () => {
  const ordered: Stamp[] = [
    { hlc: 1, replica: B, sequence: 9 },
    { hlc: 2, replica: A, sequence: 1 },
    { hlc: 2, replica: A, sequence: 2 },
    { hlc: 2, replica: B, sequence: 1 },
  ]
  for (const [i, a] of ordered.entries()) {
    for (const [j, b] of ordered.entries()) expect(Math.sign(compareStamps(a, b))).toBe(Math.sign(i - j))
  }
})
