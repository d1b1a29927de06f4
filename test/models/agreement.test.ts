/**
 * The model of membership and the engine agree: the same random schedules through both, and at rest
 * the same writes count, and nobody is known but those who are there.
 */
import { expect, test } from 'vitest'
import { SEED } from '../../property-tests/seed.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { byExtent } from '../support/extent.ts'
import { OnEngines } from './on-engines.ts'
import { OnModel } from './on-model.ts'
import { drawSchedule, textOf } from './schedules.ts'

const SCHEDULES = byExtent({ some: 3, all: 40, soak: 1000 })
const STEPS = 30

test('the model of membership and the engine come to the same, whoever comes and goes', async () => {
  for (let i = 0; i < SCHEDULES; i++) {
    const seed = `${SEED} ${i}`
    const machines = seededRandom(`${seed} machines`).between(2, 4)
    const steps = drawSchedule(seed, machines, STEPS)
    const [model, engines] = [new OnModel(machines), await OnEngines.of(seed, machines)]
    const said = `schedule '${seed}' of ${machines} machines: ${steps.map(textOf).join('; ')}`
    for (const step of steps) {
      model.step(step)
      await engines.step(step)
    }
    const [wanted, found] = [model.outcome(), await engines.outcome()]
    const left = (values: readonly number[] = []) => values.filter((number) => !wanted.reported.includes(number))
    for (const [key, values] of Object.entries(wanted.values))
      expect([key, left(found.values[key])], said).toEqual([key, left(values)])
    expect(found.knownCounts, said).toEqual(wanted.knownCounts)
    await engines.close()
  }
})
