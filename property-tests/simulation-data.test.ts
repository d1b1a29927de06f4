/**
 * The real engine before a database and an API, under everything that can go wrong with them, with the network, disks, clocks and
 * processes: see testing/simulation/data and testing/checkers/data. A failing seed can be had again by `simulate({ data: 'elsewhere', seed })`.
 */
import { afterAll, expect, test } from 'vitest'
import { byExtent } from '../test/support/extent.ts'
import {
  DATA_FAULT_KINDS,
  FAULT_KINDS,
  simulate,
  SimulationTotals,
  type Simulated,
  type SimulateOptions,
} from '../testing/index.ts'
import { UNNOTICED } from '../testing/checkers/data/leases.ts'
import { DIED_READING, DIED_WRITING } from '../testing/simulation/data/simulated-rows.ts'

const SEEDS = byExtent({ some: 3, all: 32, soak: 1000 })
/** Seeds of one test: a failure stops no other one. */
const PER_TEST = Math.min(8, SEEDS)
/** Where processes notice how much time passes it is known when a lease must be dead. */
const PUNCTUAL: Partial<SimulateOptions> = {
  faults: [...FAULT_KINDS, ...DATA_FAULT_KINDS].filter((kind) => !UNNOTICED.includes(kind)),
}
const PUNCTUAL_EVERY = 2
/** What must have happened, besides every fault of the database and the API. */
const SEEN = [
  DIED_READING,
  DIED_WRITING,
  'row refused',
  'load never answered',
  'reads of keys whose lease had run out',
  'reported: lease:ended',
  'reported: primary:failing',
  'reported: primary:recovered',
]

const totals = new SimulationTotals()
const startedMs = performance.now()

for (let first = 1; first <= SEEDS; first += PER_TEST) {
  const last = first + PER_TEST - 1
  test(`seeds ${first} to ${last}`, async () => {
    const violations: string[] = []
    for (let seed = first; seed <= last; seed++) {
      const options = seed % PUNCTUAL_EVERY === 0 ? PUNCTUAL : {}
      const simulated = await simulate({ ...options, data: 'elsewhere', seed, minimise: violations.length === 0 })
      totals.add(simulated)
      violations.push(...told(simulated))
      if (seed !== first) continue
      const again = await simulate({ ...options, data: 'elsewhere', seed, minimise: false })
      expect(again.hash, `seed ${seed} run twice`).toBe(simulated.hash)
    }
    expect(violations.join('\n')).toBe('')
  }, 600_000)
}

test('every fault of the database and the API has happened, and processes have died in the middle of it', () => {
  expect(totals.faults(DATA_FAULT_KINDS).filter(({ count }) => count === 0)).toEqual([])
  expect(SEEN.filter((what) => (totals.occurred.get(what) ?? 0) === 0)).toEqual([])
})

afterAll(() => {
  const seconds = (performance.now() - startedMs) / 1000
  process.stdout.write(`${totals.text()}\n  ${(totals.virtualMs / 1000 / seconds).toFixed(0)} x real time\n`)
})

function told({ seed, violations, explanation }: Simulated): string[] {
  if (violations.length === 0) return []
  const lines = violations.slice(0, 5).map(({ invariant, message }) => `  ${invariant} ${message}`)
  const small = explanation === undefined ? [] : [`  smaller: ${JSON.stringify(explanation.scenario)}`]
  return [`seed ${seed} (simulate({ data: 'elsewhere', seed: ${seed} }))`, ...lines, ...small]
}
