/** Small simulations of an ordered log: the rules of strong keys, transactions and locks have their mutants here. */
import { expect, test } from 'vitest'
import { simulate } from '../../testing/index.ts'

const SMALL = { order: 'simulated', seconds: 30, replicas: 3, minimise: false } as const

test.each([1, 2, 3, 4, 5, 6])(
  'nothing that the ordered log promises is broken, under all faults (seed %i)',
  async (seed) => {
    const { violations } = await simulate({ ...SMALL, seed })
    expect(violations).toEqual([])
  },
)

test.each([1, 2, 3, 4, 5, 6])(
  'who has lost something of the log notices it with the next word of it (seed %i)',
  async (seed) => {
    const { violations, occurred } = await simulate({ ...SMALL, order: 'broken', seconds: 15, seed })
    expect(violations).toEqual([])
    expect(occurred.get('log broken')).toBe(1)
  },
)

test('the same seed gives the same run', async () => {
  const [one, other] = [await simulate({ ...SMALL, seed: 7 }), await simulate({ ...SMALL, seed: 7 })]
  expect(one.hash).toBe(other.hash)
  expect(one.history.calls.length).toBe(other.history.calls.length)
})

test('keys, a workload and data elsewhere are refused beside an ordered log, and its faults without one', async () => {
  await expect(simulate({ ...SMALL, keys: {} })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ ...SMALL, data: 'elsewhere' })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ order: 'fast' as never })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ faults: ['log away'] })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})
