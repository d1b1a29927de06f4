import { expect, test } from 'vitest'
import { compareStamps } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { inOrder } from '../../src/merge/folding/in-order.ts'
import type { Placed } from '../../src/merge/placed.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { CountedWork } from './counted-work.ts'

const [a, b] = ['a1', 'b2'] as ReplicaId[] as [ReplicaId, ReplicaId]

function placed(hlc: number, replica: ReplicaId, position: number): Placed {
  return { hlc, replica, sequence: hlc, kind: 0, strategy: 0, lifeMs: 0, position }
}

test('operations come in canonical order, however they arrived', () => {
  const random = seededRandom(7)
  for (const count of [0, 1, 2, 63, 64, 65, 300, 1000]) {
    const arrived = Array.from({ length: count }, (_, i) => placed(random.below(count), random.pick([a, b]), i))
    const work = new CountedWork()
    expect(work.finish(inOrder(arrived, work))).toEqual([...arrived].sort(compareStamps))
  }
})

test('two stretches that come one behind the other cost two looks at each operation, in steps', () => {
  const first = Array.from({ length: 20_000 }, (_, i) => placed(2 * i, a, i))
  const second = Array.from({ length: 20_000 }, (_, i) => placed(2 * i + 1, b, 20_000 + i))
  const work = new CountedWork()
  const ordered = work.finish(inOrder([...first, ...second], work))
  expect(ordered.map(({ hlc }) => hlc)).toEqual(Array.from({ length: 40_000 }, (_, i) => i))
  expect(work.total).toBeLessThanOrEqual(2 * 40_000)
  expect(work.most).toBeLessThanOrEqual(1024)
})
