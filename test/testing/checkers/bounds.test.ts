import { expect, test } from 'vitest'
import { boundsChecker } from '../../../testing/checkers/bounds.ts'
import { counter } from '../../../crdt/index.ts'
import { ToldRun } from '../../support/told-run.ts'

const BOUNDS = { waitingOperations: 12, cacheEntries: 3, peers: 1 }
const PEER = { address: 'm1', transport: 'wire', up: true }

/** What a machine is told to hold. */
function told(waitingCount: number, entriesCount: number, peersCount: number): ToldRun {
  const operations = { writtenCount: 0, admittedCount: 0, duplicatesCount: 0, driftingCount: 0, waitingCount }
  const cache = { entriesCount, hitsCount: 0, missesCount: 0, evictionsCount: 0 }
  const stats = { operations, cache, peers: Array.from({ length: peersCount }, () => PEER) }
  return new ToldRun(boundsChecker, { k: counter() }).tell({ kind: 'load', machine: 'm0', stats, bounds: BOUNDS })
}

test('what is as full as it may be is right (W47)', async () => {
  expect(await told(12, 3, 1).violations()).toEqual([])
})

test.each([
  ['operations that wait', 13, 3, 1],
  ['values in memory', 12, 4, 1],
  ['peers', 12, 3, 2],
])('too many %s are found (W47)', async (what, waiting, cached, peers) => {
  const [violation, ...more] = await told(waiting, cached, peers).violations()
  expect(violation).toMatchObject({ invariant: 'W47', machine: 'm0' })
  expect(violation?.message).toContain(what)
  expect(more).toEqual([])
})
