/** A cluster through which replicas go by the hundred is in the end what it would be without them. */
import { expect, test } from 'vitest'
import { afterSameWrites, afterShortLives } from '../support/short-lives.ts'
import { byExtent } from '../support/extent.ts'

test('a cluster of three through which short-lived replicas went names, sends and keeps what it would without them', async () => {
  const lives = { livesCount: byExtent({ some: 60, all: 200, soak: 2000 }), waveSize: 10, deathEvery: 20 }
  const [changed, same] = [await afterShortLives(lives), await afterSameWrites(lives)]
  expect(changed.deathsCount).toBe(lives.livesCount / lives.deathEvery)
  expect(changed.countsSum).toBe(3 * lives.livesCount)
  expect(changed.prunedCount).toBe(lives.livesCount)
  expect([changed.vectorEntries, changed.membersCount]).toEqual([same.vectorEntries, same.membersCount])
  expect(changed.digestBytes).toBeLessThanOrEqual(same.digestBytes + 16)
  expect(changed.operationsCount).toBeLessThanOrEqual(same.operationsCount)
})
