/** W46 on several replicas: validators that heal while everybody writes, the network is cut and the store is slow. */
import { afterEach, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import { SEED } from '../../../property-tests/seed.ts'
import { decodeMeta } from '../../../src/data-layer/stored/rows/row-meta.ts'
import { ReplicaTable } from '../../../src/operation/replica-table.ts'
import type { RowChange, StoreRow } from '../../../src/ports/primary-store.ts'
import type { Drift } from '../../../src/store/event.ts'
import { seededRandom, type Random } from '../../../testing/world/random.ts'
import { byExtent } from '../../support/extent.ts'
import { add, StoreWorld, type AnyWarp, type JoinOptions } from '../stored/world.ts'

const NAMES = ['a', 'b', 'c']
const KEYS = Array.from({ length: 8 }, (_, at) => `k:${at}`)
const STEPS = 120
const RUNS = byExtent({ some: 6, all: 30, soak: 300 })
const { signal: NEVER } = new AbortController()

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

interface Kind {
  readonly options: JoinOptions
  readonly write: (warp: AnyWarp, key: string, random: Random) => Promise<unknown>
  /** What an outsider writes. */
  readonly foreign: (random: Random) => unknown
}

const REGISTER = {
  write: (warp: AnyWarp, key: string, random: Random) =>
    random.chance(0.2) ? warp.delete(key) : warp.set(key, random.below(1000)),
  foreign: (random: Random) => random.below(1000),
}
const KINDS: Readonly<Record<string, Kind>> = {
  'registers behind': { options: { strategy: register<number>() }, ...REGISTER },
  'registers through': { options: { strategy: register<number>(), writes: 'through' }, ...REGISTER },
  'counters behind': {
    options: { strategy: counter() },
    write: (warp, key, random) => add(warp, key, random.between(1, 9)),
    foreign: (random) => random.between(1, 9),
  },
}

const table = new ReplicaTable()
/** Of all runs. */
const kindsFound = new Set<string>()

type Write = (change: RowChange) => Promise<unknown>

/** Notes where the engine puts a row in the place of one that holds what it lacks. Returns how others write rows. */
function watchVersions(lowered: string[]): Write {
  const { store } = world
  const inner = store.compareAndSet.bind(store)
  store.compareAndSet = async (changes, request) => {
    const outcomes = await inner(changes, request)
    for (const [i, { key, expected, next }] of changes.entries())
      if (outcomes[i]?.kind === 'done' && !holdsAll(next, expected)) lowered.push(key)
    return outcomes
  }
  return (change) => inner([change], { signal: NEVER })
}

function holdsAll(next: StoreRow, before: StoreRow | undefined): boolean {
  if (before === undefined || before.meta.length === 0) return true
  return decodeMeta('', next.meta, table).vector.dominates(decodeMeta('', before.meta, table).vector)
}

/** Each replica heals what it finds, until told to end. */
function heal(warps: readonly AnyWarp[], drifts: Drift[], signal: AbortSignal): Promise<unknown>[] {
  return warps.map(async (warp) => {
    while (!signal.aborted) {
      for await (const drift of warp.validate('k:*', { mode: 'heal', perSecond: 20 })) drifts.push(drift)
      await new Promise<void>((resolve) => world.env.schedule(100, resolve))
    }
  })
}

/** Who writes rows past Warp, and puts back rows as they were. */
class Outsiders {
  readonly touched = new Set<string>()
  readonly #backups = new Map<string, StoreRow>()
  readonly #kind: Kind
  readonly #random: Random
  readonly #writeRow: Write

  constructor(kind: Kind, random: Random, writeRow: Write) {
    this.#kind = kind
    this.#random = random
    this.#writeRow = writeRow
  }

  act(key: string): void {
    const drawn = this.#random.below(12)
    const row = world.store.row(key)
    const backup = this.#backups.get(key)
    if (drawn < 3 && row !== undefined) {
      this.#backups.set(key, row)
      return
    }
    if (drawn >= 7 && backup === undefined) return
    this.touched.add(key)
    if (drawn < 7) world.put(key, this.#kind.foreign(this.#random))
    else void this.#writeRow({ key, expected: row, next: backup as StoreRow })
  }
}

interface Troubles {
  readonly cuts: boolean
  readonly outsiders: boolean
}

async function run(seed: number, kind: Kind, troubles: Troubles) {
  const random = seededRandom(seed)
  world = new StoreWorld(seed)
  const lowered: string[] = []
  const writeRow = watchVersions(lowered)
  const warps = await world.joinAll(NAMES, kind.options)
  world.store.set({ latencyMs: 20, replyMs: 20, jitterMs: 30 })
  const outsiders = new Outsiders(kind, random, writeRow)
  const drifts: Drift[] = []
  const ending = new AbortController()
  const validators = heal(warps, drifts, ending.signal)
  for (let step = 0; step < STEPS; step++) {
    const [warp, key] = [random.pick(warps), random.pick(KEYS)]
    const drawn = random.below(100)
    if (drawn < 45) void kind.write(warp, key, random).catch(() => undefined)
    else if (drawn < 80) void warp.get(key).catch(() => undefined)
    else if (drawn < 84 && troubles.cuts) world.network.cut(...(random.shuffled(NAMES).slice(0, 2) as [string, string]))
    else if (drawn < 88) world.network.heal()
    else if (troubles.outsiders) outsiders.act(key)
    await world.env.advance(random.below(300))
  }
  world.network.heal()
  world.store.set({ latencyMs: 0, replyMs: 0, jitterMs: 0 })
  await world.env.advance(30_000)
  ending.abort()
  await world.env.advance(10_000)
  await Promise.all(validators)
  for (const { kind: drift, healed } of drifts) kindsFound.add(`${drift} ${healed}`)
  return { warps, drifts, touched: outsiders.touched, lowered }
}

/** What each replica reads of each key, and what a last look finds. */
async function atRest(warps: readonly AnyWarp[]) {
  const reading = Promise.all(warps.map((warp) => Promise.all(KEYS.map((key) => warp.get(key)))))
  await world.env.advance(5000)
  const values = await reading
  const looking = Promise.all(
    warps.map(async (warp) => {
      const found: Drift[] = []
      for await (const drift of warp.validate('k:*')) found.push(drift)
      return found
    }),
  )
  await world.env.advance(5000)
  return { values, drifts: (await looking).flat() }
}

const SEEDS = Array.from({ length: RUNS }, (_, at) => SEED + at)
const CASES = Object.entries(KINDS).flatMap(([name, kind]) => SEEDS.map((seed) => ({ name, kind, seed })))

test.each(CASES)('$name, seed $seed: what is on its way is no drift', async ({ kind, seed }) => {
  const { warps, drifts, lowered } = await run(seed, kind, { cuts: false, outsiders: false })
  expect([drifts, lowered]).toEqual([[], []])
  const { values } = await atRest(warps)
  const rows = KEYS.map((key) => world.row(key))
  expect(values).toEqual(warps.map(() => rows))
})

/** Found in CI: a replica had been told that a row holds what had not come to it yet, and took that for known. */
const TOLD = {
  name: 'told of more',
  kind: KINDS['counters behind'] as Kind,
  seed: 20118,
}

test.each([...CASES, TOLD])(
  '$name, seed $seed: behind a cut nothing but what a row is ahead with',
  async ({ kind, seed }) => {
    const { warps, drifts, lowered } = await run(seed, kind, { cuts: true, outsiders: false })
    expect([drifts.filter(({ kind: drift }) => drift !== 'row-ahead'), lowered]).toEqual([[], []])
    const { values, drifts: left } = await atRest(warps)
    const rows = KEYS.map((key) => world.row(key))
    expect([values, left]).toEqual([warps.map(() => rows), []])
  },
)

test.each(CASES)('$name, seed $seed: what others did to rows is healed, and only that', async ({ kind, seed }) => {
  const { warps, drifts, touched, lowered } = await run(seed, kind, { cuts: true, outsiders: true })
  const others = drifts.filter(({ key, kind: drift }) => drift !== 'row-ahead' && !touched.has(key))
  expect([others, lowered]).toEqual([[], []])
  const { values, drifts: left } = await atRest(warps)
  const rows = KEYS.map((key) => world.row(key))
  expect([values, left]).toEqual([warps.map(() => rows), []])
})

test('the runs have found, and healed, every kind of drift that a row which can be read may show', () => {
  // Rarely there is nothing in the log either of what a row lacks: then it is voided.
  const each = ['copy-differs voided', 'row-ahead voided', 'row-lacks flushing']
  expect([...kindsFound]).toEqual(expect.arrayContaining(each))
})
