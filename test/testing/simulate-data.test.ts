/** Small simulations of data that is kept elsewhere: the rules of the data layer have their mutants here. */
import { expect, test } from 'vitest'
import { UNNOTICED } from '../../testing/checkers/data/leases.ts'
import { DATA_FAULT_KINDS, FAULT_KINDS, simulate } from '../../testing/index.ts'

const SMALL = { data: 'elsewhere', seconds: 60, replicas: 3, minimise: false } as const

test('nothing stale is read, and no row loses anything, under all faults', async () => {
  for (const seed of [1, 2, 3]) {
    const { violations } = await simulate({ ...SMALL, seed })
    expect(violations, `seed ${seed}`).toEqual([])
  }
})

test('leases that nobody renews are dead in time, where processes notice how much of it passes', async () => {
  const faults = [...FAULT_KINDS, ...DATA_FAULT_KINDS].filter((kind) => !UNNOTICED.includes(kind))
  for (const seed of [1, 2]) {
    const { violations, occurred } = await simulate({ ...SMALL, seconds: 90, seed, faults })
    expect(violations, `seed ${seed}`).toEqual([])
    expect(occurred.get('reads of keys whose lease had run out'), `seed ${seed}`).toBeGreaterThan(0)
  }
})

test('keys and workload of the caller are refused beside data that is kept elsewhere', async () => {
  await expect(simulate({ ...SMALL, keys: {} })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ data: 'nowhere' as never })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ faults: ['slow store'] })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})
