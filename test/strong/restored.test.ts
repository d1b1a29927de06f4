/**
 * A replica that has been away for long takes a snapshot of the ordered log, and dies in the middle of that: what it shows when it is opened
 * again is of one moment.
 */
import { describe, expect, it } from 'vitest'
import { register } from '../../crdt/index.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { faultyFiles, type FaultyFiles } from '../../testing/world/faulty-files.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { Warp, WarpEvent } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { ProjectedOperation } from '../../src/projections/projection.ts'
import { openWarpOn } from '../../src/warp.ts'
import { StrongWorld } from '../support/strong-world.ts'

const KEYS = { 'account:*': { strategy: register<number>(), mode: 'strong' } } as const
const ACCOUNTS = Array.from({ length: 80 }, (_, i) => `account:${i} ${'of somebody '.repeat(5)}` as const)
const strong = { snapshotEvery: 20, timeoutMs: 1000 }
const SUM = 100 * ACCOUNTS.length

interface Behind {
  readonly world: StrongWorld
  readonly disk: FaultyFiles
  /** The other replica. */
  readonly a: Warp<typeof KEYS>
}

/** A folder that lacks what the log has let go of since, and another replica that has all. */
async function behind(isEmpty: boolean, segmentBytes?: number): Promise<Behind> {
  const world = new StrongWorld()
  const { warp: a, events } = await world.open('a', KEYS, { strong })
  await world.drive(a.setMany(ACCOUNTS.map((account) => [account, 100] as const)))
  let disk = faultyFiles({ seed: 'b' })
  if (!isEmpty) {
    const b = await opened(world, 'b', disk, { segmentBytes })
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
  return { world, disk, a }
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

describe('a projection of a replica that takes a snapshot', () => {
  it('shows what it was before until it is made anew, also where the log cannot be read for a moment', async () => {
    // So small segments that not all of them are in memory.
    const { world, disk, a } = await behind(false, 1024)
    const events: WarpEvent[] = []
    // It begins before the snapshot comes.
    world.order.troubles({ delayMs: 200 }, 'b')
    const observe = (event: WarpEvent): void => {
      events.push(event)
      if (event.kind !== 'order:restored') return
      disk.mend()
      world.order.troubles({ delayMs: 10 }, 'b')
    }
    const b = await opened(world, 'b', disk, { observe, segmentBytes: 1024 })
    const projection = await world.drive(b.project(BALANCES))
    disk.failNext('read', 'EIO', 1000)
    const sums = new Set([sumOf(projection.state)])
    const look = async (steps: number): Promise<void> => {
      for (let i = 0; i < steps; i++) {
        await world.env.advance(10)
        sums.add(sumOf(projection.state))
      }
    }
    while (!events.some(({ kind }) => kind === 'order:restored')) await look(1)
    const { position } = projection
    await world.drive(
      a.transaction(async (tx) => {
        tx.set(ACCOUNTS[1]!, ((await tx.get(ACCOUNTS[1]!)) ?? 0) - 7)
        tx.set(ACCOUNTS[50]!, ((await tx.get(ACCOUNTS[50]!)) ?? 0) + 7)
      }),
    )
    while (b.peek(ACCOUNTS[50]!) !== 107) await look(1)
    expect([projection.position, projection.state.get(ACCOUNTS[50]!)]).toEqual([position, 100])
    expect(events.filter(({ kind }) => kind === 'projection:rebuild-failed')).toHaveLength(1)
    await look(200)
    expect([...sums]).toEqual([SUM])
    expect(projection.state).toEqual(await world.drive(b.getMany(ACCOUNTS)))
  })

  it('ends with what its apply throws when it is made anew, and goes on with a rebuild', async () => {
    const { world, disk } = await behind(false)
    world.order.troubles({ delayMs: 200 }, 'b')
    let isIll = false
    const b = await opened(world, 'b', disk)
    const apply: typeof BALANCES.apply = (balances, change) => {
      if (isIll) throw new RangeError('is ill')
      return BALANCES.apply(balances, change)
    }
    const projection = await world.drive(b.project({ ...BALANCES, apply }))
    isIll = true
    await world.env.advance(5000)
    const accounts = await world.drive(b.getMany(ACCOUNTS))
    expect(() => projection.state).toThrow(expect.objectContaining({ code: 'WARP_E_MERGE' }) as Error)
    isIll = false
    await world.drive(projection.rebuild())
    expect(projection.state).toEqual(accounts)
  })
})

const BALANCES = {
  name: 'balances',
  initial: (): Map<string, number> => new Map(),
  apply: (balances: Map<string, number>, { key, value }: ProjectedOperation): Map<string, number> => {
    if (value === undefined) balances.delete(key)
    else balances.set(key, value as number)
    return balances
  },
}

function sumOf(balances: ReadonlyMap<string, number>): number {
  return [...balances.values()].reduce((all, one) => all + one, 0)
}

/** With segments so small that a state takes several. */
async function opened(
  world: StrongWorld,
  name: string,
  disk: FaultyFiles,
  {
    observe,
    segmentBytes = 4096,
  }: { readonly observe?: (event: WarpEvent) => void; readonly segmentBytes?: number | undefined } = {},
): Promise<Warp<typeof KEYS>> {
  const opening = openWarpOn(
    { env: world.env.fork({ label: name }), segmentBytes, parts: ALL_PARTS },
    {
      keys: KEYS as KeyMap,
      log: disk.store(),
      order: world.order.named(name),
      strong,
      ...(observe === undefined ? {} : { observe }),
    },
  )
  return (await world.drive(opening)) as unknown as Warp<typeof KEYS>
}

async function reopened(world: StrongWorld, disk: FaultyFiles, name: string): Promise<number | undefined> {
  try {
    const warp = await opened(world, name, disk)
    const balances = await world.drive(warp.getMany(ACCOUNTS, { consistency: 'stale' }))
    world.order.abandon(name)
    return sumOf(balances)
  } catch (error) {
    // The folder was never there.
    if (isWarpError(error)) return undefined
    throw error
  }
}
