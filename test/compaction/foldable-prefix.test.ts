import type { Dot } from '../../crdt/time/dot.ts'
import { expect, test } from 'vitest'
import { custom } from '../../crdt/custom.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { foldablePrefix } from '../../src/compaction/foldable-prefix.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import type { ChainReader } from '../../src/merge/folding/chain-reader.ts'
import type { Placed } from '../../src/merge/placed.ts'
import type { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { CountedWork } from '../merge/counted-work.ts'

const [own, other] = ['a1', 'b2'] as ReplicaId[] as [ReplicaId, ReplicaId]

/** One replica writes all the time, and had seen what another one wrote before. */
function hotKey(seenCount: number, count: number) {
  let asked = 0
  const operations = Array.from({ length: count }, (_, i): Placed => {
    const dot = i < seenCount ? { replica: other, sequence: i + 1 } : { replica: own, sequence: i + 1 - seenCount }
    return { ...dot, hlc: i, kind: 0, strategy: 0, lifeMs: 0, position: i + 1 }
  })
  const read = (position: number): OperationReader => {
    const { hlc, replica, sequence } = operations[position - 1] as Placed
    const observedThrough = (of: ReplicaId, through: number): boolean => {
      asked++
      return of === other || through < sequence
    }
    return { hlc, replica, sequence, start: 0, end: 40, observedThrough } as unknown as OperationReader
  }
  return { operations, chains: { read } as unknown as ChainReader, asked: () => asked }
}

const strategy = custom<number, number>((sum, by) => sum + by, { initial: 0 })
const keyspace = new Keyspaces({ k: { strategy, retain: 'latest' as const } }).find('k')

test('how much of a hot key may go, while a peer lags, is found in steps and by few comparisons', () => {
  if (keyspace === undefined) throw new Error('no keyspace')
  const [stableCount, seenCount, count] = [2000, 750, 8000]
  const { operations, chains, asked } = hotKey(seenCount, count)
  const stable = VersionVector.from([
    [other, seenCount],
    [own, stableCount - seenCount],
  ])
  const work = new CountedWork()
  const isKnownToAll = ({ replica, sequence }: Dot): boolean => stable.includes(replica, sequence)
  const bounds = { env: virtualEnv(), chains, isKnownToAll, heldFrom: Infinity }
  const stretch = work.finish(foldablePrefix(operations, keyspace, bounds, work))
  expect(stretch).toEqual({ count: stableCount, unstableCount: count - stableCount })
  expect(asked()).toBeLessThan(count * 2 * Math.ceil(Math.log2(stableCount) + 1))
  expect(work.total).toBeLessThan(3 * count)
  expect(work.most).toBeLessThanOrEqual(1024)
})
