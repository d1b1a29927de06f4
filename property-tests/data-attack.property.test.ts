/** An attack on the data layer with everything that its calls can do: see `data-attack.ts`. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { byExtent } from '../test/support/extent.ts'
import { Attack } from './data-attack.ts'
import { config, focused, steps } from './data-attack-draws.ts'
import { configs as modelConfigs } from '../test/models/data-layer/store/model.ts'
import { engineConfig, engineSteps } from './data-schedules.ts'
import { SEED } from './seed.ts'

const RUNS = byExtent({ some: 15, all: 300, soak: 10_000 })

/** Nobody waits for these. */
const unhandled: unknown[] = []
const note = (error: unknown): void => void unhandled.push(error)

beforeAll(() => process.on('unhandledRejection', note))
afterAll(() => process.off('unhandledRejection', note))

test('nothing overwritten is read, no write is lost, a key is loaded once, memory is bounded', async () => {
  await fc.assert(
    fc.asyncProperty(config, steps, fc.integer({ min: 1, max: 1_000_000 }), async (chosen, drawn, seed) => {
      const attack = new Attack(chosen, seed)
      await attack.open()
      for (const one of focused(chosen, drawn)) await attack.do(one)
      await attack.end()
      expect(unhandled).toEqual([])
    }),
    { numRuns: RUNS, seed: SEED },
  )
})

test('the schedules of the model run on engines, and nothing is lost, stale or open', async () => {
  await fc.assert(
    fc.asyncProperty(
      modelConfigs,
      fc.array(fc.nat(0x7fffffff), { minLength: 1, maxLength: 90, size: 'max' }),
      async (chosen, drawn) => {
        const attack = new Attack(engineConfig(chosen), chosen.salt + 1, { isHeld: true })
        await attack.open()
        for (const one of engineSteps(chosen, drawn)) await attack.do(one)
        await attack.end()
        expect(unhandled).toEqual([])
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
})
