/**
 * Replication under random schedules: 3 to 5 replicas write, links lose, repeat, reorder, delay and are cut, replicas restart and
 * join late, and what is stable is compacted at once. The faults are a swarm: each run switches a random subset on. At every
 * step nobody calls stable what somebody lacks; after the heal all replicas hold the same operations, and all that were written.
 */
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { byExtent } from '../test/support/extent.ts'
import { type TestReplicas, testReplicas } from '../test/support/replicas.ts'
import { seededRandom } from '../testing/world/random.ts'
import { SEED } from './seed.ts'

const RUNS = byExtent({ some: 20, all: 60, soak: 2000 })
const QUIESCENCE_MS = 120_000

/** Nothing, or something up to `max`: a double of fast-check would mostly be next to nothing as well. */
const share = (max: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constant(0),
    fc.integer({ min: 10, max: 1000 }).map((thousandths) => (thousandths / 1000) * max),
  )

const schedule = fc.record({
  seed: fc.integer({ min: 1, max: 1e9 }),
  replicas: fc.integer({ min: 3, max: 5 }),
  steps: fc.integer({ min: 5, max: 40 }),
  loss: share(0.4),
  repeat: share(0.3),
  reorder: share(0.4),
  delayMs: share(60),
  jitterMs: share(60),
  cuts: share(0.3),
  restarts: share(0.1),
  compacts: fc.boolean(),
  batchBytes: fc.constantFrom(1024, 256 * 1024),
  windowBytes: fc.constantFrom(1024, 4 * 1024 * 1024),
  bufferOperationsMax: fc.constantFrom(20, 65_536),
})

const occurred = { lost: 0, repeated: 0, reordered: 0, cut: 0, restarted: 0, compacted: 0 }

test(`replicas end with equal operations under every schedule, ${RUNS} of them`, { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(schedule, async (plan) => {
    const { seed, loss, repeat, reorder, delayMs, jitterMs, batchBytes, windowBytes, bufferOperationsMax } = plan
    const names = ['a', 'b', 'c', 'd', 'e'].slice(0, plan.replicas)
    const replication = { batchBytes, windowBytes, bufferOperationsMax, requestTimeoutMs: 200, retryDelayMsMax: 2000 }
    const world = await testReplicas({ seed, names, loss, repeat, reorder, delayMs, jitterMs, replication })
    // Everybody has heard everybody: from here on all are members, and nothing may be compacted that one of them lacks.
    await world.env.advance(5000)
    for (const { store } of world.all) store.compactsAtOnce = plan.compacts
    const written = await play(world, plan)
    world.network.heal()
    await world.env.advance(QUIESCENCE_MS)
    check(world, written)
    await world.close()
  })
  await fc.assert(property, { numRuns: RUNS, seed: SEED })
})

afterAll(() => {
  for (const [fault, count] of Object.entries(occurred)) expect(count, `${fault} occurred`).toBeGreaterThan(0)
})

async function play(
  world: TestReplicas,
  plan: { seed: number; steps: number; cuts: number; restarts: number },
): Promise<string[]> {
  const random = seededRandom(plan.seed)
  const written: string[] = []
  for (let step = 0; step < plan.steps; step++) {
    for (let i = random.below(20); i > 0; i--) {
      const text = `${step}-${i}`
      random.pick(world.all).store.write(text)
      written.push(text)
    }
    if (random.chance(plan.cuts)) {
      const [a, b] = random.shuffled(world.all)
      if (a !== undefined && b !== undefined) world.network.cut(a.name, b.name, { oneWay: random.chance(0.5) })
    }
    if (random.chance(plan.cuts)) world.network.heal()
    if (random.chance(plan.restarts)) await restart(world, random.below(world.all.length))
    await world.env.advance(random.below(400))
    for (const { store } of world.all) {
      for (const other of world.all) expect(other.store.applied.dominates(store.stable)).toBe(true)
    }
  }
  return written
}

/** The replicator goes and comes back on the same store, with all that it knew of the others forgotten. */
async function restart(world: TestReplicas, index: number): Promise<void> {
  const [replica] = world.all.splice(index, 1)
  if (replica === undefined) return
  await replica.replicator.close()
  await world.join(replica.name, {}, replica.store)
  occurred.restarted++
}

function check(world: TestReplicas, written: readonly string[]): void {
  const [first, ...rest] = world.all
  expect(first?.store.texts()).toEqual([...written].sort())
  for (const { store } of rest) expect(store.dots()).toEqual(first?.store.dots())
  const { lostFrames, repeatedFrames, reorderedFrames, cutFrames } = world.network.stats()
  occurred.lost += lostFrames
  occurred.repeated += repeatedFrames
  occurred.reordered += reorderedFrames
  occurred.cut += cutFrames
  if (world.all.some(({ store }) => store.floor.size > 0)) occurred.compacted++
}
