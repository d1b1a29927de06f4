/**
 * A replica that has been away for long takes a snapshot of the ordered log, and dies in the middle of that: what it shows when it is opened
 * again is of one moment.
 */
import { describe, expect, it } from 'vitest'
import { register } from '../../crdt/index.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { faultyFiles, type FaultyFiles } from '../../testing/world/faulty-files.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { Warp } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { openWarpOn } from '../../src/warp.ts'
import { StrongWorld } from '../support/strong-world.ts'

const KEYS = { 'account:*': { strategy: register<number>(), mode: 'strong' } } as const
const ACCOUNTS = Array.from({ length: 80 }, (_, i) => `account:${i} ${'of somebody '.repeat(5)}` as const)
const strong = { snapshotEvery: 20, timeoutMs: 1000 }
const SUM = 100 * ACCOUNTS.length

/** A folder that lacks what the log has let go of since, and another replica that has all. */
async function behind(isEmpty: boolean): Promise<{ readonly world: StrongWorld; readonly disk: FaultyFiles }> {
  const world = new StrongWorld()
  const { warp: a, events } = await world.open('a', KEYS, { strong })
  await world.drive(a.setMany(ACCOUNTS.map((account) => [account, 100] as const)))
  let disk = faultyFiles({ seed: 'b' })
  if (!isEmpty) {
    const b = await opened(world, 'b', disk)
    await world.drive(b.getMany(ACCOUNTS))
    await world.drive(b.close())
    disk = disk.kill()
  }
  // One of them is deleted, so the snapshot says of a key that it is gone.
  await world.drive(
    a.transaction((tx) => {
      tx.delete(ACCOUNTS[0]!)
      tx.set(ACCOUNTS[1]!, 200)
    }),
  )
  for (let i = 0; i < 60; i++) {
    const [from, to] = [ACCOUNTS[1 + (i % 11)]!, ACCOUNTS[1 + ((i * 5 + 2) % 11)]!]
    await world.drive(
      a.transaction(async (tx) => {
        const [one = 0, other = 0] = [await tx.get(from), await tx.get(to)]
        if (from === to) return
        tx.set(from, one - 1)
        tx.set(to, other + 1)
      }),
    )
  }
  await world.env.advance(5000)
  expect(events.map(({ kind }) => kind)).toContain('order:saved')
  return { world, disk }
}

describe('a replica that takes a snapshot', () => {
  it.each([
    ['an empty folder', true],
    ['a folder of before', false],
  ])('with %s and dies at any step shows all of one state', async (_, isEmpty) => {
    const { world, disk } = await behind(isEmpty)
    const copies: FaultyFiles[] = []
    disk.onStep = () => void copies.push(disk.copy(`copy ${copies.length}`))
    const warp = await opened(world, 'b', disk)
    await world.drive(warp.getMany(ACCOUNTS))
    await world.env.advance(1000)
    const sums = new Set<number>()
    // The log is far away: what is shown is what the folder holds.
    world.order.troubles({ delayMs: 100 })
    for (const [i, copy] of copies.entries()) {
      for (const how of ['kill', 'crash'] as const) {
        const again = await reopened(world, copy.copy(`${how} ${i}`)[how](), `${how} ${i}`)
        if (again !== undefined) sums.add(again)
      }
    }
    expect([...sums].sort((one, other) => one - other)).toEqual(isEmpty ? [0, SUM] : [SUM])
    expect(copies.length).toBeGreaterThan(5)
  })
})

/** With segments so small that a state takes several. */
async function opened(world: StrongWorld, name: string, disk: FaultyFiles): Promise<Warp<typeof KEYS>> {
  const opening = openWarpOn(
    { env: world.env.fork({ label: name }), segmentBytes: 4096, parts: ALL_PARTS },
    { keys: KEYS as KeyMap, log: disk.store(), order: world.order.named(name), strong },
  )
  return (await world.drive(opening)) as unknown as Warp<typeof KEYS>
}

async function reopened(world: StrongWorld, disk: FaultyFiles, name: string): Promise<number | undefined> {
  try {
    const warp = await opened(world, name, disk)
    const balances = await world.drive(warp.getMany(ACCOUNTS, { consistency: 'stale' }))
    const sum = [...balances.values()].reduce((all, one) => all + one, 0)
    world.order.abandon(name)
    return sum
  } catch (error) {
    // The folder was never there.
    if (isWarpError(error)) return undefined
    throw error
  }
}
