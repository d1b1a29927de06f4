/** Small simulations of an ordered log: the rules of strong keys, transactions and locks have their mutants here. */
import { expect, test } from 'vitest'
import { type FaultKind, simulate } from '../../testing/index.ts'

const SMALL = { order: 'simulated', seconds: 25, replicas: 3, minimise: false } as const
const LOST_OR_CUT: readonly FaultKind[] = [
  ...(['lost answers of the log', 'lost appends', 'late answers of the log'] as const),
  ...(['cut off from the log', 'log away', 'kill'] as const),
]
const DYING: readonly FaultKind[] = ['power failure', 'death in a disk step', 'slow disk', 'disk full']

test.each([1, 2, 3, 4])('nothing that the ordered log promises is broken, under all faults (seed %i)', async (seed) => {
  const { violations } = await simulate({ ...SMALL, seed })
  expect(violations).toEqual([])
})

// Fewer kinds are met by more of what users do.
test.each([1, 2, 3])('nor where answers are lost and connections cut in the middle of it (seed %i)', async (seed) => {
  const { violations } = await simulate({ ...SMALL, seed, faults: LOST_OR_CUT })
  expect(violations).toEqual([])
})

test.each([1, 2, 3])('nor where machines die in the middle of what they write (seed %i)', async (seed) => {
  const { violations } = await simulate({ ...SMALL, seed, faults: DYING })
  expect(violations).toEqual([])
})

test.each([2, 3, 4])(
  'who has lost something of the log notices it with the next word of it (seed %i)',
  async (seed) => {
    const { violations, occurred } = await simulate({ ...SMALL, order: 'broken', seconds: 15, seed })
    expect(violations).toEqual([])
    expect(occurred.get('log broken')).toBe(1)
  },
)

test('the same seed gives the same run', async () => {
  const [one, other] = [
    await simulate({ ...SMALL, seconds: 10, seed: 7 }),
    await simulate({ ...SMALL, seconds: 10, seed: 7 }),
  ]
  expect(one.hash).toBe(other.hash)
  expect(one.history.calls.length).toBe(other.history.calls.length)
})

test('keys, a workload and data elsewhere are refused beside an ordered log, and its faults without one', async () => {
  await expect(simulate({ ...SMALL, keys: {} })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ ...SMALL, data: 'elsewhere' })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ order: 'fast' as never })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  await expect(simulate({ faults: ['log away'] })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})
