/** Scenarios that have failed once, as small as the simulator could make them. What was wrong is in docs/faults-found.md. */
import { expect, test } from 'vitest'
import { simulate, type SimulateOptions } from '../../testing/index.ts'

const SCENARIOS: readonly (readonly [what: string, scenario: SimulateOptions])[] = [
  ['local keys after a compaction and a kill', { seed: 23, faults: ['compaction'], seconds: 60 }],
  ['a delete of a key that was forgotten by its writer', { seed: 41, faults: ['compaction'], seconds: 60 }],
  [
    'two snapshots of a key with nothing left between them',
    { seed: 275, faults: ['compaction'], replicas: 4, seconds: 90 },
  ],
  ['a folder that was copied, with local keys', { seed: 11, faults: ['clone'] }],
  ['a replica that has not joined and refuses what the others hold', { seed: 1795391448549 }],
  // The checker was wrong.
  ['a snapshot that holds what the ordered log has lost', { seed: 6, order: 'broken', seconds: 12 }],
]

test.each(SCENARIOS)('%s', async (_, scenario) => {
  const { violations } = await simulate({ ...scenario, minimise: false })
  expect(violations).toEqual([])
})
