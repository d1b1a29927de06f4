/**
 * A relay that is started again, in any order of its frames: meanwhile another one works on, so what is
 * written crosses as soon as ever, and twice at most while the two do not know of each other.
 */
import { afterEach, expect, test } from 'vitest'
import { FRAME_KIND } from '../../../src/replication/wire/frames.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { byExtent } from '../../support/extent.ts'
import { type Federation, twoRegions } from '../../support/federation.ts'
import { workers } from '../../support/relay-workers.ts'

const worlds: Federation[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

const STEP_MS = 50
const SCHEDULES = byExtent({ some: 4, all: 40, soak: 1000 })

/** Writes in one region until the time is up; returns for how long what was written was not in the other, at most. */
async function slowest(world: Federation, forMs: number): Promise<number> {
  const [from, to] = [world.replica('eu-1').store, world.replica('us-1').store]
  const writtenMs: number[] = []
  const before = from.applied.get(from.replica)
  let [arrived, slowestMs] = [before, 0]
  for (let ms = 0; ms < forMs; ms += STEP_MS) {
    from.write(`${ms}`)
    writtenMs.push(world.env.now())
    await world.env.advance(STEP_MS)
    for (; arrived < to.applied.get(from.replica); arrived++)
      slowestMs = Math.max(slowestMs, world.env.now() - (writtenMs[arrived - before] as number))
    slowestMs = Math.max(slowestMs, world.env.now() - (writtenMs[arrived - before] ?? Infinity))
  }
  return slowestMs
}

test('a relay that comes back delays nothing, and nothing crosses more than twice', async () => {
  let [cameBackAndWorked, losses] = [0, 0]
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const random = seededRandom(seed)
    const delayMs = random.below(100)
    const world = await twoRegions({ seed, isWatched: random.chance(0.5), delayMs })
    worlds.push(world)
    world.replica('eu-1').store.write('first')
    await world.env.advance(8000)
    const working = workers(world, 'eu', 'us')[0]
    if (working === undefined) throw new Error('no relay works')
    const { name, sits, store } = working
    await working.kill()
    await world.env.advance(20_000)
    const usualMs = await slowest(world, 2000)
    world.crossings.forget()
    for (const region of sits) world.network(region).heal(name)
    const again = await world.join(name, sits, store)
    // The word by which others learn that it works is lost.
    const isLost = again.watched !== undefined
    const [fromMs, toMs] = [world.env.now() + 2500, world.env.now() + 4500]
    const isNow = (): boolean => world.env.now() > fromMs && world.env.now() < toMs
    for (const { watched } of world.all)
      if (watched !== undefined) watched.loses = (_, kind) => kind === FRAME_KIND.hello && isNow()
    expect(await slowest(world, 12_000), `seed ${seed}`).toBeLessThanOrEqual(usualMs + STEP_MS)
    expect(world.crossings.most('us'), `seed ${seed}`).toBeLessThanOrEqual(2)
    await world.env.advance(20_000)
    const atRest = workers(world, 'eu', 'us')
    expect(atRest, `seed ${seed}`).toHaveLength(1)
    if (atRest[0]?.name === name) cameBackAndWorked++
    if (isLost) losses++
    world.crossings.forget()
    await slowest(world, 1000)
    expect(world.crossings.most('us'), `seed ${seed}`).toBe(1)
  }
  expect(cameBackAndWorked).toBe(SCHEDULES)
  expect(losses).toBeGreaterThan(0)
})
