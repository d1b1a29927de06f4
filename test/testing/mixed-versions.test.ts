/** Rolling upgrades in the simulator, there and back: what only they can find out about the agreement on a format. */
import { expect, test } from 'vitest'
import { simulate } from '../../testing/index.ts'

const SECONDS = 60

test.each([11, 17, 28])(
  'builds that are exchanged one by one lose nothing and cut nobody off (seed %i)',
  async (seed) => {
    const { violations, occurred } = await simulate({
      seed,
      faults: ['mixed versions'],
      seconds: SECONDS,
      minimise: false,
    })
    expect(violations).toEqual([])
    expect(occurred.get('mixed versions')).toBeGreaterThan(0)
    // All have been there from the beginning, so the format waits for them.
    expect(occurred.get('old build refused')).toBeUndefined()
  },
)
