/** A cluster through which replicas go by the hundred is in the end what it would be without them. */
import { expect, test } from 'vitest'
import { afterSameWrites, afterShortLives, type Held, type ShortLives } from '../support/short-lives.ts'
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

// One dies before the horizon of the last one is over, so there is always somebody who is waited for.
const AGAIN_AND_AGAIN = { waveSize: 2, deathEvery: 10, pauseMs: 8000 }

/** Of what is told after each wave, the last two thirds. */
async function laterThirds(lives: ShortLives): Promise<readonly [readonly Held[], readonly Held[]]> {
  const held: Held[] = []
  await afterShortLives({ ...lives, onWave: (_, now) => held.push(now) })
  const [first, second] = [Math.floor(held.length / 3), Math.floor((held.length * 2) / 3)]
  return [held.slice(first, second), held.slice(second)]
}

function sentIn(waves: readonly Held[]): number {
  return (waves.at(-1)?.sentBytes ?? 0) - (waves[0]?.sentBytes ?? 0)
}

test('what a life costs does not grow with how many have come and gone before it, though one dies again and again', async () => {
  const livesCount = byExtent({ some: 120, all: 240, soak: 1200 })
  const [middle, last] = await laterThirds({ ...AGAIN_AND_AGAIN, livesCount, compacts: true })
  const most = (waves: readonly Held[]): number => Math.max(...waves.map(({ vectorEntries }) => vectorEntries))
  expect(most(last)).toBeLessThanOrEqual(most(middle) * 1.25)
  expect(sentIn(last)).toBeLessThanOrEqual(sentIn(middle) * 1.5)
})

test('what each is sent who comes does not grow either, without anybody asking for compaction', async () => {
  const livesCount = byExtent({ some: 300, all: 300, soak: 1200 })
  const [middle, last] = await laterThirds({ ...AGAIN_AND_AGAIN, livesCount })
  expect(sentIn(last)).toBeLessThanOrEqual(sentIn(middle) * 1.25)
})
