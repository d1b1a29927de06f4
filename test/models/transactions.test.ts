/** The model of transactions on eventual keys keeps its invariants, and notices when a rule is missing. */
import { describe, expect, it, test } from 'vitest'
import { SEED } from '../../property-tests/seed.ts'
import { byExtent } from '../support/extent.ts'
import { explorerOf, NO_MUTANT } from './data-layer/explorer.ts'
import { WHOLE_TRANSACTIONS } from './transactions/whole-transactions.ts'

const RUNS = byExtent({ some: 1000, all: 5000, soak: 200_000 })
const model = explorerOf(WHOLE_TRANSACTIONS)

describe('the model of transactions on eventual keys', () => {
  it('keeps its invariants on schedules that the seed draws', () => {
    const { found, counts } = model.explore(NO_MUTANT, RUNS, SEED)
    expect(found && model.replay(found, NO_MUTANT), JSON.stringify(found)).toBeUndefined()
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0)
  })

  test.each(Object.entries(model.mutants))('finds that a rule is missing: %s (%s)', (mutant) => {
    const { found } = model.explore(mutant, 2000, 1)
    expect(found && model.replay(found, mutant)).toMatch(/sees|not all/)
  })
})
