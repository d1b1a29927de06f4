import { describe, expect, test } from 'vitest'
import { Cluster } from '../../support/membership-cluster.ts'

const MINUTE_MS = 60_000

async function settled(count: number, settings: ConstructorParameters<typeof Cluster>[0] = {}): Promise<Cluster> {
  const cluster = new Cluster(settings)
  await cluster.start(count)
  expect(await cluster.until(() => cluster.hasConverged, 10_000)).toBeDefined()
  cluster.told.length = 0
  return cluster
}

describe('a cluster finds together', () => {
  test.each([5, 32])('%i members that know one of them see each other within a second', async (count) => {
    const cluster = new Cluster()
    await cluster.start(count)
    expect(await cluster.until(() => cluster.hasConverged, 10_000)).toBeLessThan(1000)
    cluster.close()
  })

  test('zones and roles are visible at all', async () => {
    const cluster = await settled(5)
    for (const member of cluster.members)
      for (const other of cluster.members)
        if (member !== other) expect(member.viewOf(other)?.profile).toEqual(other.profile)
    cluster.close()
  })

  test('five idle members exchange few and small messages', async () => {
    const cluster = await settled(5)
    await cluster.env.advance(5000)
    cluster.counts.messages = cluster.counts.bytes = 0
    await cluster.env.advance(MINUTE_MS)
    // Each sends a ping a second and answers one.
    expect(cluster.counts.messages / 5 / 60).toBeLessThanOrEqual(2.1)
    expect(cluster.counts.bytes / cluster.counts.messages).toBeLessThan(128)
    cluster.close()
  })
})

describe('failures are found, and only failures', () => {
  test.each([5, 32])('%i members lose a fifth of all datagrams for ten minutes and nobody is down', async (count) => {
    const cluster = await settled(count, { seed: 7, loss: 0.2, delayMs: 20 })
    await cluster.env.advance(10 * MINUTE_MS)
    expect(cluster.told.filter(({ state }) => state !== 'up' && state !== 'suspect')).toEqual([])
    expect(cluster.hasConverged).toBe(true)
    cluster.close()
  })

  test.each([
    [3, 0],
    [5, 0],
    [5, 0.2],
    [32, 0],
    [32, 0.2],
  ])('of %i members at %f loss, one that dies is down at everybody within ten seconds', async (count, loss) => {
    const cluster = await settled(count, { seed: 3, loss })
    cluster.member(count - 1).kill()
    const downMs = await cluster.until(() => cluster.hasConverged, 10_000)
    expect(downMs).toBeGreaterThan(1000)
    expect(new Set(cluster.told.map(({ about }) => about)).size).toBe(1)
    cluster.close()
  })

  test('a member that leaves is down at nobody and suspect to nobody', async () => {
    const cluster = await settled(5)
    cluster.member(4).leave()
    await cluster.env.advance(30_000)
    expect(cluster.told.map(({ state }) => state)).toEqual(['left', 'left', 'left', 'left'])
    cluster.close()
  })

  test('who missed the goodbye learns it from others and suspects nobody', async () => {
    const cluster = await settled(5)
    cluster.cut(4, 1, { isOneWay: true })
    cluster.member(4).leave()
    await cluster.env.advance(30_000)
    expect(cluster.told.filter(({ by }) => by === 1).map(({ state }) => state)).toEqual(['left'])
    cluster.close()
  })

  test.each([false, true])('who is reached by others stays up: cut one way only: %s', async (isOneWay) => {
    const cluster = await settled(4)
    cluster.cut(0, 3, { isOneWay })
    await cluster.env.advance(2 * MINUTE_MS)
    expect(cluster.told.filter(({ state }) => state === 'down')).toEqual([])
    expect(cluster.hasConverged).toBe(true)
    cluster.close()
  })

  test('frames alone keep a member up', async () => {
    const cluster = await settled(2)
    const [a, b] = [cluster.member(0), cluster.member(1)]
    cluster.cut(0, 1)
    for (let i = 0; i < 300; i++) {
      await cluster.env.advance(100)
      a.membership.heard(b.profile.member)
    }
    expect(cluster.told.filter(({ by }) => by === 0)).toEqual([])
    cluster.close()
  })

  test('a member that flaps is up again each time, and stays up once it is steady', async () => {
    const cluster = await settled(5)
    for (let i = 0; i < 6; i++) {
      cluster.split(1)
      await cluster.env.advance(8000)
      cluster.cuts.clear()
      expect(await cluster.until(() => cluster.hasConverged, 2500)).toBeDefined()
    }
    cluster.told.length = 0
    await cluster.env.advance(MINUTE_MS)
    expect(cluster.told).toEqual([])
    cluster.close()
  })

  test('a suspect refutes with a higher incarnation', async () => {
    const cluster = await settled(3)
    cluster.cut(1, 0)
    cluster.cut(1, 2)
    const isSuspect = (): boolean => cluster.told.some(({ state }) => state === 'suspect')
    expect(await cluster.until(isSuspect, 10_000)).toBeDefined()
    cluster.cuts.clear()
    await cluster.env.advance(10_000)
    expect(cluster.told.filter(({ state }) => state === 'down')).toEqual([])
    expect(cluster.hasConverged).toBe(true)
    const suspected = cluster.members.filter((member) =>
      cluster.told.some(({ state, about }) => state === 'suspect' && about === member.profile.member),
    )
    for (const member of suspected)
      for (const other of cluster.members)
        if (other !== member) expect(other.viewOf(member)?.incarnation).toBeGreaterThan(0)
    cluster.close()
  })
})

describe('a partition heals by itself', () => {
  test.each([
    [5, 2, 20_000],
    [5, 1, 50_000],
    [16, 8, 50_000],
  ])('%i members, %i of them cut off for %i ms, are whole within two seconds', async (count, cutOff, forMs) => {
    const cluster = await settled(count)
    cluster.split(cutOff)
    await cluster.env.advance(forMs)
    expect(cluster.members.map((member) => member.up.length)).toEqual(
      cluster.members.map((_, i) => (i < cutOff ? cutOff : count - cutOff) - 1),
    )
    cluster.cuts.clear()
    expect(await cluster.until(() => cluster.hasConverged, 10_000)).toBeLessThanOrEqual(2000)
    cluster.close()
  })

  test('after an hour less a minute it takes seconds', async () => {
    const cluster = await settled(4)
    cluster.split(2)
    await cluster.env.advance(59 * MINUTE_MS)
    cluster.cuts.clear()
    expect(await cluster.until(() => cluster.hasConverged, 10_000)).toBeLessThanOrEqual(7500)
    cluster.close()
  })
})
