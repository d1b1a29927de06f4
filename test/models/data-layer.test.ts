/** The models of the data layer keep their invariants, and their oracles notice when a rule is missing. */
import { describe, expect, it, test } from 'vitest'
import { SEED } from '../../property-tests/seed.ts'
import { byExtent } from '../support/extent.ts'
import { NO_MUTANT } from './data-layer/explorer.ts'
import { MODELS } from './data-layer/models.ts'
import { brokenWithoutMutant, caught, recordedOf } from './data-layer/recorded.ts'

const RUNS = byExtent({ some: 500, all: 4000, soak: 100_000 })

describe.each(MODELS)('the model $name', (model) => {
  it('keeps its invariants on the schedules that were hard once', () => {
    expect(brokenWithoutMutant(model)).toBeUndefined()
  })

  it('keeps its invariants on schedules that the seed draws', () => {
    const { found } = model.explore(NO_MUTANT, RUNS, SEED)
    expect(found && model.replay(found, NO_MUTANT), JSON.stringify(found)).toBeUndefined()
  })

  test.each(Object.entries(model.mutants))('finds that a rule is missing: %s (%s)', (mutant) => {
    expect(caught(model, mutant, { runs: 2000, seed: 1 })).toBeDefined()
  })

  it('has no schedule of a mutant that it does not have', () => {
    expect(Object.keys(recordedOf(model)).filter((name) => !(name in model.mutants))).toEqual([])
  })
})
