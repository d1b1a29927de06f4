/**
 * The real engine under everything that can go wrong: seeds of two virtual minutes with five replicas, split over files so that they run side by
 * side. What must hold is in testing/checkers; what a failing seed prints can be had again by `npx warp sim --seed S --explain`.
 */
import { afterAll, expect, test } from 'vitest'
import { set } from '../crdt/index.ts'
import { byExtent } from '../test/support/extent.ts'
import { RAISED, TAKEN_BACK, UPGRADED, WAY_BACK_REFUSED } from '../testing/simulation/report/version-counts.ts'
import { FAULT_KINDS, simulate, SimulationTotals, type Simulated, type SimulateOptions } from '../testing/index.ts'

/** In the two files together 10 in `npm test`, 200 in CI, thousands in a soak. */
const SEEDS_EACH = byExtent({ some: 3, all: 100, soak: 2000 })
/** Seeds of one test: a failure stops no other one. */
const PER_TEST = Math.min(25, SEEDS_EACH)
/** Every so many seeds one is run again. */
const AGAIN_EVERY = 20

/** Of runs for one kind of fault, and how many of them at most. */
const FIRST_ALONE = 10_001
const ALONE_MAX = 200
/** What may come of an exchanged build, and how often each has to in a part. The last two are rare: in CI. */
const EXCHANGED = [
  UPGRADED,
  TAKEN_BACK,
  ...byExtent({ some: [], all: [RAISED, WAY_BACK_REFUSED], soak: [RAISED, WAY_BACK_REFUSED] }),
]
const EXCHANGED_MIN = byExtent({ some: 2, all: 20, soak: 20 })
/** That each kind has met an open write takes hundreds of runs to show: in CI. */
const MEETS_WRITES = byExtent({ some: false, all: true, soak: true })
/** Durable writes and nothing else. */
const WRITING: Pick<SimulateOptions, 'keys' | 'workload'> = {
  keys: { 'kept:*': set<number>() },
  workload: ({ unique }) => ({ kind: 'write', key: 'kept:0', verb: 'add', parameters: [unique()], ack: 'durable' }),
}

/** Registers the tests of part `part` (0 or 1). */
export function simulatedSeeds(part: 0 | 1): void {
  const totals = new SimulationTotals()
  const startedMs = performance.now()
  for (let from = 0; from < SEEDS_EACH; from += PER_TEST) {
    const first = 1 + 2 * from + part
    const seeds = Array.from({ length: PER_TEST }, (_, i) => first + 2 * i)
    test(`seeds ${first} to ${seeds.at(-1)}, every other one`, async () => {
      const violations: string[] = []
      for (const [i, seed] of seeds.entries()) {
        const simulated = await simulate({ seed, minimise: violations.length === 0 })
        totals.add(simulated)
        violations.push(...told(simulated))
        if ((from + i) % AGAIN_EVERY !== 0) continue
        const again = await simulate({ seed, minimise: false })
        expect(again.hash, `seed ${seed} run twice`).toBe(simulated.hash)
      }
      expect(violations.join('\n')).toBe('')
    }, 600_000)
  }

  // A kind that is rare does not meet an open write in every batch: again and again, where a slow disk keeps writes open, it does.
  test(`every kind of fault has happened${MEETS_WRITES ? ', and during writes' : ''}`, async () => {
    const violations: string[] = []
    for (const kind of FAULT_KINDS) {
      for (let seed = FIRST_ALONE + part; isMissing(totals, kind) && seed < FIRST_ALONE + ALONE_MAX; seed += 2) {
        const simulated = await simulate({ ...WRITING, seed, faults: [kind, 'slow disk'] })
        totals.add(simulated)
        violations.push(...told(simulated))
      }
    }
    expect(violations.join('\n')).toBe('')
    expect(totals.faults().filter(({ kind }) => isMissing(totals, kind))).toEqual([])
  }, 600_000)

  test('builds have been exchanged: taken back before the format was raised, and refused their way back after it', () => {
    const counts = EXCHANGED.map((what) => [what, totals.occurred.get(what) ?? 0])
    expect(counts.filter(([, count]) => Number(count) < EXCHANGED_MIN)).toEqual([])
  })

  afterAll(() => {
    const seconds = (performance.now() - startedMs) / 1000
    process.stdout.write(`${totals.text()}\n  ${(totals.virtualMs / 1000 / seconds).toFixed(0)} x real time\n`)
  })
}

function isMissing(totals: SimulationTotals, wanted: string): boolean {
  const { count, duringWritesCount } = totals.faults().find(({ kind }) => kind === wanted) ?? {}
  return (count ?? 0) === 0 || (MEETS_WRITES && (duringWritesCount ?? 0) === 0)
}

function told({ seed, violations, explanation }: Simulated): string[] {
  if (violations.length === 0) return []
  const lines = violations.slice(0, 5).map(({ invariant, message }) => `  ${invariant} ${message}`)
  const small = explanation === undefined ? [] : [`  smaller: ${JSON.stringify(explanation.scenario)}`]
  return [`seed ${seed} (npx warp sim --seed ${seed} --explain)`, ...lines, ...small]
}
