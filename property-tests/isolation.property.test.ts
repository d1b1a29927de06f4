/**
 * The isolation checker against the definition: what trying all orders finds serializable it never rules out, and where every version was
 * seen it says exactly what trying all orders says. And against databases that isolate as well as they are told to.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkIsolation } from '../testing/isolation/check-isolation.ts'
import type { IsolationLevel } from '../testing/isolation/levels.ts'
import { type NaiveOrder, isSerializable } from '../test/support/naive-serializability.ts'
import { seededRandom } from '../testing/world/random.ts'
import { type Isolation, simulatedTransactions } from '../test/support/simulated-transactions.ts'
import { runs } from './seed.ts'

const KINDS = ['list-append', 'rw-register'] as const
const LEVELS: readonly [IsolationLevel, NaiveOrder['within']][] = [
  ['serializable', 'nothing'],
  ['strong-session-serializable', 'processes'],
  ['strict-serializable', 'real time'],
]
const ISOLATIONS: readonly Isolation[] = ['serial', 'snapshot', 'committed', 'uncommitted']

describe.each(KINDS)('%s', (kind) => {
  it('what has a serial order is not ruled out', () => {
    const seen = { has: 0, hasNot: 0, ruledOut: 0 }
    const property = fc.property(fc.nat(), fc.constantFrom(...ISOLATIONS), (seed, isolation) => {
      const shape = {
        transactions: 6,
        processes: 3,
        keys: 2,
        indeterminate: 0.2,
        failed: isolation === 'uncommitted' ? 0 : 0.1,
      }
      const history = simulatedTransactions(seededRandom(seed), { ...shape, isolation, kind })
      const { ruledOut, text } = checkIsolation(history, { kind })
      for (const [level, within] of LEVELS) {
        const has = isSerializable(history, { within })
        if (has) expect(ruledOut, text).not.toContain(level)
        seen[has ? 'has' : 'hasNot']++
        if (ruledOut.includes(level)) seen.ruledOut++
      }
    })
    const cases = runs(3000)
    fc.assert(property, cases)
    expect(seen.has).toBeGreaterThan(cases.numRuns)
    expect(seen.ruledOut).toBeGreaterThan(seen.hasNot * (kind === 'list-append' ? 0.9 : 0.5))
  })

  it.each([
    ['serial', 'strict-serializable'],
    ['snapshot', 'strong-snapshot-isolation'],
    ['committed', 'read-committed'],
  ] as const)('a %s database is %s', (isolation, level) => {
    const property = fc.property(fc.nat(), (seed) => {
      const shape = { transactions: 60, processes: 6, keys: 3, indeterminate: 0.1, failed: 0.1 }
      const history = simulatedTransactions(seededRandom(seed), { ...shape, isolation, kind })
      const verdict = checkIsolation(history, { kind, level })
      expect(verdict.isValid, verdict.text).toBe(true)
    })
    fc.assert(property, runs(300))
  })

  it.each([
    ['snapshot', 'serializable'],
    ['committed', 'snapshot-isolation'],
    ['uncommitted', 'read-committed'],
  ] as const)('a %s database is soon found not to be %s', (isolation, level) => {
    const shape = { transactions: 300, processes: 6, keys: 3, failed: 0.1 }
    const verdicts = Array.from({ length: 20 }, (_, seed) => {
      const history = simulatedTransactions(seededRandom(seed), { ...shape, isolation, kind })
      return checkIsolation(history, { kind, level }).isValid
    })
    // Registers show little; of write skew, hardly anything.
    expect(verdicts.filter((isValid) => !isValid).length).toBeGreaterThan(kind === 'list-append' ? 19 : 1)
  })
})

it('a history of lists in which every version was seen is serializable exactly if it has a serial order', () => {
  const seen = { has: 0, hasNot: 0 }
  const property = fc.property(fc.nat(), fc.constantFrom(...ISOLATIONS), (seed, isolation) => {
    const shape = { transactions: 6, processes: 3, keys: 2, hasFinalRead: true }
    const history = simulatedTransactions(seededRandom(seed), { ...shape, isolation, kind: 'list-append' })
    const { ruledOut, text } = checkIsolation(history)
    for (const [level, within] of LEVELS) {
      const has = isSerializable(history, { within })
      expect(!ruledOut.includes(level), text).toBe(has)
      seen[has ? 'has' : 'hasNot']++
    }
  })
  const cases = runs(3000)
  fc.assert(property, cases)
  expect(seen.has).toBeGreaterThan(cases.numRuns / 3)
  expect(seen.hasNot).toBeGreaterThan(cases.numRuns / 3)
})
