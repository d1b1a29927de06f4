/**
 * Regions under random schedules: two or three of them with one to three replicas each and one or two
 * relays for each pair. Links lose, repeat, reorder, delay and are cut, relays die and come back, a third
 * region joins late, and what is stable is compacted at once. The faults are a swarm: each run switches a
 * random subset on. At every step nobody calls stable what somebody lacks. After the heal all replicas
 * hold the same operations, and all that were written; and what is written then, over links without a
 * flaw, crosses into each region once.
 */
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { byExtent } from '../test/support/extent.ts'
import { type FederatedReplica, type Federation, federation } from '../test/support/federation.ts'
import type { NaiveStore } from '../test/support/naive-store.ts'
import { type Random, seededRandom } from '../testing/world/random.ts'
import { SEED } from './seed.ts'

const RUNS = byExtent({ some: 10, all: 40, soak: 2000 })
const QUIESCENCE_MS = 120_000

const share = (max: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constant(0),
    fc.integer({ min: 10, max: 1000 }).map((thousandths) => (thousandths / 1000) * max),
  )

const schedule = fc.record({
  seed: fc.integer({ min: 1, max: 1e9 }),
  regions: fc.integer({ min: 2, max: 3 }),
  members: fc.integer({ min: 1, max: 3 }),
  relays: fc.integer({ min: 1, max: 2 }),
  steps: fc.integer({ min: 5, max: 30 }),
  isWatched: fc.boolean(),
  loss: share(0.3),
  repeat: share(0.3),
  reorder: share(0.3),
  delayMs: share(80),
  cuts: share(0.3),
  kills: share(0.15),
  late: fc.boolean(),
  compacts: fc.boolean(),
})

const occurred = { lost: 0, cut: 0, killed: 0, joinedLate: 0, compacted: 0, carried: 0 }

test(`regions end with equal operations under every schedule, ${RUNS} of them`, { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(schedule, async (plan) => {
    const { seed, isWatched, loss, repeat, reorder, delayMs } = plan
    const replication = { requestTimeoutMs: 300, retryDelayMsMax: 2000 }
    const world = federation({ seed, isWatched, loss, repeat, reorder, delayMs, replication })
    const regions = ['eu', 'us', 'ap'].slice(0, plan.regions)
    for (const region of regions) await settle(world, region, regions, plan)
    await world.env.advance(8000)
    for (const { store } of world.all) store.compactsAtOnce = plan.compacts
    const written = await play(world, plan, regions)
    for (const region of world.regions()) world.network(region).heal()
    await world.env.advance(QUIESCENCE_MS)
    check(world, written)
    if (loss === 0 && repeat === 0 && reorder === 0) await checkCrossings(world, written)
    await world.close()
  })
  await fc.assert(property, { numRuns: RUNS, seed: SEED })
})

afterAll(() => {
  for (const [fault, count] of Object.entries(occurred)) expect(count, `${fault} occurred`).toBeGreaterThan(0)
})

/** Its replicas, and relays to each of the others. */
async function settle(
  world: Federation,
  region: string,
  regions: readonly string[],
  { members, relays }: { members: number; relays: number },
): Promise<void> {
  for (const other of regions) {
    if (other === region) continue
    for (let i = 1; i <= relays; i++) await world.join(`${region}-${other}-${i}`, [region, other])
  }
  for (let i = 1; i <= members; i++) await world.join(`${region}-${i}`, [region])
}

async function play(
  world: Federation,
  plan: {
    seed: number
    steps: number
    cuts: number
    kills: number
    late: boolean
    compacts: boolean
    members: number
    relays: number
  },
  regions: readonly string[],
): Promise<string[]> {
  const random = seededRandom(plan.seed)
  const written: string[] = []
  const dead: { name: string; sits: readonly string[]; store: NaiveStore }[] = []
  for (let step = 0; step < plan.steps; step++) {
    if (plan.late && step === 3) await joinLate(world, regions[0] as string, plan)
    for (let i = random.below(20); i > 0; i--) {
      const text = `${step}-${i}`
      random.pick(world.all).store.write(text)
      written.push(text)
    }
    if (random.chance(plan.cuts)) cutSome(world, random)
    if (random.chance(plan.cuts)) for (const region of world.regions()) world.network(region).heal()
    if (random.chance(plan.kills)) dead.push(await killRelay(world, random))
    if (dead.length > 0 && random.chance(0.3)) await revive(world, dead.splice(0))
    await world.env.advance(random.below(600))
    expectStable(world)
  }
  await revive(world, dead)
  return written
}

/**
 * Its relays meet the others before anybody of it writes: a region that has had a life of its own is
 * another cluster, and what both have compacted cannot be put together.
 */
async function joinLate(
  world: Federation,
  to: string,
  plan: { members: number; relays: number; compacts: boolean },
): Promise<void> {
  for (const region of world.regions()) world.network(region).heal()
  await settle(world, 'late', [to], { ...plan, members: 0 })
  await world.env.advance(5000)
  await settle(world, 'late', [], { ...plan, relays: 0 })
  await world.env.advance(5000)
  for (const { store } of world.all) store.compactsAtOnce = plan.compacts
  occurred.joinedLate++
}

function cutSome(world: Federation, random: Random): void {
  const region = random.pick(world.regions())
  const names = random.shuffled(world.all.filter(({ sits }) => sits.includes(region)).map(({ name }) => name))
  const few = names.slice(0, 1 + random.below(names.length))
  for (const a of few)
    for (const b of names.slice(few.length)) world.network(region).cut(a, b, { oneWay: random.chance(0.3) })
  occurred.cut++
}

async function killRelay(world: Federation, random: Random): Promise<FederatedReplica> {
  const relay = random.pick(world.all.filter(({ sits }) => sits.length > 1).concat(world.all.slice(0, 1)))
  await relay.kill()
  occurred.killed++
  return relay
}

async function revive(
  world: Federation,
  dead: readonly { name: string; sits: readonly string[]; store: NaiveStore }[],
): Promise<void> {
  for (const { name, sits, store } of dead) {
    for (const region of sits) world.network(region).heal(name)
    await world.join(name, sits, store)
  }
}

function expectStable(world: Federation): void {
  for (const { store, name } of world.all) {
    for (const other of world.all)
      expect(other.store.applied.dominates(store.stable), `${other.name} has what ${name} calls stable`).toBe(true)
  }
}

function check(world: Federation, written: readonly string[]): void {
  const [first, ...rest] = world.all
  expect(first?.store.texts()).toEqual([...written].sort())
  for (const { name, store } of rest) expect(store.dots(), name).toEqual(first?.store.dots())
  for (const region of world.regions()) occurred.lost += world.network(region).stats().lostFrames
  for (const { replicator } of world.all) occurred.carried += replicator.stats().relayedOperations
  if (world.all.some(({ store }) => store.floor.size > 0)) occurred.compacted++
}

async function checkCrossings(world: Federation, written: readonly string[]): Promise<void> {
  world.crossings.forget()
  for (const { name, store } of world.all) store.write(`last by ${name}`)
  await world.env.advance(30_000)
  for (const { store } of world.all) expect(store.texts()).toHaveLength(written.length + world.all.length)
  for (const region of world.regions()) expect(world.crossings.most(region), region).toBeLessThanOrEqual(1)
}
