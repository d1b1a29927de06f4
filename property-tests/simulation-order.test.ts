/**
 * The real engine with an ordered log, under everything that brokers do to those who use one, beside everything that can go wrong with
 * machines, disks, clocks and the network: see testing/simulation/order and testing/checkers/strong. A failing seed can be had again by
 * `simulate({ order: 'simulated', seed, … })` with the options that the failure names.
 */
import { afterAll, expect, test } from 'vitest'
import { byExtent } from '../test/support/extent.ts'
import {
  ORDER_FAULT_KINDS,
  simulate,
  SimulationTotals,
  type Simulated,
  type SimulateOptions,
} from '../testing/index.ts'
import { FENCED_OFF, LATE_HOLDER } from '../testing/simulation/order/perform-locks.ts'

const SEEDS = byExtent({ some: 4, all: 16, soak: 1000 })
/** At whose end the log loses what it had acknowledged. */
const BROKEN_SEEDS = byExtent({ some: 2, all: 8, soak: 300 })
/** Seeds of one test: a failure stops no other one. */
const PER_TEST = Math.min(8, SEEDS)
/** What `npm test` has time for. */
const SIZE: SimulateOptions = byExtent({ some: { seconds: 15, replicas: 3 }, all: {}, soak: {} })
/** A few short runs need not meet everything. */
const MISSING_MAX = byExtent({ some: 3, all: 0, soak: 0 })
/** What must have happened, besides every fault of the log. */
const SEEN = [
  FENCED_OFF,
  LATE_HOLDER,
  'locks had',
  'gaps of watches of accounts',
  'reported: order:restored',
  'reported: order:saved',
  'reported: order:disconnected',
]

const totals = new SimulationTotals()
const asked = { resolved: 0, conflicts: 0, givenUp: 0, unknown: 0 }
const startedMs = performance.now()

for (let first = 1; first <= SEEDS; first += PER_TEST) {
  const last = first + PER_TEST - 1
  test(`seeds ${first} to ${last}`, async () => {
    const violations: string[] = []
    for (let seed = first; seed <= last; seed++) {
      const simulated = await simulate({ ...SIZE, order: 'simulated', seed, minimise: violations.length === 0 })
      totals.add(simulated)
      count(simulated)
      violations.push(...told(simulated))
      if (seed !== first) continue
      const again = await simulate({ ...SIZE, order: 'simulated', seed, minimise: false })
      expect(again.hash, `seed ${seed} run twice`).toBe(simulated.hash)
    }
    expect(violations.join('\n')).toBe('')
  }, 600_000)
}

test('whoever has lost something of the log notices it, and nobody else', async () => {
  const violations: string[] = []
  let noticed = 0
  for (let seed = 1; seed <= BROKEN_SEEDS; seed++) {
    const simulated = await simulate({ ...SIZE, seconds: 12, order: 'broken', seed, minimise: violations.length === 0 })
    noticed += simulated.occurred.get('reported: order:broken') ?? 0
    violations.push(...told(simulated))
  }
  expect(violations.join('\n')).toBe('')
  expect(noticed).toBeGreaterThan(BROKEN_SEEDS)
}, 600_000)

test('every fault of the log has happened, and what the checkers are about has happened as well', () => {
  const missing = totals.faults(ORDER_FAULT_KINDS).filter(({ count: times }) => times === 0)
  const unseen = SEEN.filter((what) => (totals.occurred.get(what) ?? 0) === 0)
  expect([...missing.map(({ kind }) => kind), ...unseen].slice(MISSING_MAX)).toEqual([])
  for (const [what, times] of Object.entries(asked)) expect(times, what).toBeGreaterThan(5)
})

afterAll(() => {
  const seconds = (performance.now() - startedMs) / 1000
  process.stdout.write(`${totals.text()}\n  ${(totals.virtualMs / 1000 / seconds).toFixed(0)} x real time\n`)
})

function count({ history }: Simulated): void {
  for (const { intent, outcome, value, error, dot } of history.calls) {
    if (intent.kind === 'resolve' && outcome === 'ok') asked.resolved++
    if (intent.kind === 'cas' && outcome === 'ok' && 'conflict' in (value as object)) asked.conflicts++
    if (error === 'GivenUp') asked.givenUp++
    if (dot !== undefined) asked.unknown++
  }
}

function told({ seed, violations, explanation }: Simulated): string[] {
  if (violations.length === 0) return []
  const lines = violations.slice(0, 5).map(({ invariant, message }) => `  ${invariant} ${message}`)
  const small = explanation === undefined ? [] : [`  smaller: ${JSON.stringify(explanation.scenario)}`]
  return [`seed ${seed} (simulate(${JSON.stringify({ order: 'simulated', seed, ...SIZE })}))`, ...lines, ...small]
}
