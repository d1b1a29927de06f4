/** What callers of strong keys are told and how long they are waited for: facts that first users stumbled over. */
import { describe, expect, it } from 'vitest'
import { counter, register } from '../../crdt/index.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { StrongWorld } from '../support/strong-world.ts'

const KEYS = {
  'stock:*': { strategy: register<unknown>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
} as const
const WIDER = { ...KEYS, 'other:*': { strategy: register<number>(), mode: 'strong' } } as const

async function refusalOf(promise: Promise<unknown>): Promise<WarpError> {
  return promise.then(
    () => {
      throw new Error('was not refused')
    },
    (error: unknown) => error as WarpError,
  )
}

describe('a strong write whose answer was lost', () => {
  it('is asked for by its error', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS, { strong: { timeoutMs: 200 } })
    world.order.troubles({ slowMs: 500 }, 'a')
    await world.drive(warp.set('stock:0', 0))
    const error = await refusalOf(world.drive(warp.set('stock:1', 1)))
    expect(error).toMatchObject({ code: 'WARP_E_INDETERMINATE', outcome: 'indeterminate' })
    world.order.troubles({ slowMs: 0 }, 'a')
    await world.env.advance(1000)
    expect(await world.drive(warp.resolve(error))).toEqual({ kind: 'ok' })
    const other = new WarpError('WARP_E_CONFIG', 'of no write')
    expect((await refusalOf(world.drive(warp.resolve(other)))).code).toBe('WARP_E_CONFIG')
  })

  it('never has a cause that says that it was not sent', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS, { strong: { timeoutMs: 200 } })
    await world.drive(warp.set('stock:0', 0))
    world.order.troubles({ appendsLost: 1 })
    const given = new AbortController()
    const late = refusalOf(warp.set('stock:1', 1))
    const aborted = refusalOf(warp.set('stock:2', 1, { signal: given.signal }))
    await world.env.advance(50)
    given.abort(new Error('left'))
    for (const error of await world.drive(Promise.all([late, aborted]))) {
      expect(error.outcome).toBe('indeterminate')
      expect(String(error.cause)).toMatch(/has not answered within 200 ms$|waiting for the write was given up$/)
    }
  })
})

describe('whoever waits for the ordered log', () => {
  it('keeps the process alive, and no longer than that', async () => {
    const world = new StrongWorld()
    let heldCount = 0
    const stayAlive = (): (() => void) => {
      heldCount++
      return () => void heldCount--
    }
    const env = { ...world.env.fork({ label: 'a' }), stayAlive }
    const { warp } = await world.open('a', KEYS, { env, strong: { timeoutMs: 200 } })
    await world.drive(warp.set('stock:1', 1))
    expect(heldCount).toBe(0)
    world.order.troubles({ appendsLost: 1 })
    const waits = [warp.set('stock:1', 2), warp.get('stock:1'), warp.transaction((tx) => tx.get('stock:1'))]
    const refused = Promise.all(waits.map(refusalOf))
    await world.env.advance(10)
    expect(heldCount).toBe(3)
    await world.drive(refused)
    expect(heldCount).toBe(0)
  })

  it('keeps it alive between two tries of a transaction, of local keys as well', async () => {
    const world = new StrongWorld()
    let heldCount = 0
    const stayAlive = (): (() => void) => {
      heldCount++
      return () => void heldCount--
    }
    const env = { ...world.env.fork({ label: 'a' }), stayAlive }
    const { warp } = await world.open('a', { 'n:*': { strategy: register<number>(), mode: 'local' } }, { env })
    let tries = 0
    const run = warp.transaction(async (tx) => {
      await tx.get('n:1')
      if (tries++ === 0) await warp.set('n:1', 1)
      tx.set('n:1', 2)
    })
    await world.env.runUntilIdle()
    expect([tries, heldCount]).toEqual([1, 1])
    await world.drive(run)
    expect([tries, heldCount]).toEqual([2, 0])
  })

  it('is told why this replica stands still, if it does', async () => {
    const world = new StrongWorld()
    const a = await world.open('a', WIDER)
    const b = await world.open('b', KEYS, { strong: { timeoutMs: 200 } })
    await world.drive(a.warp.set('other:1', 1))
    const error = await refusalOf(world.drive(b.warp.get('stock:1')))
    expect(error.code).toBe('WARP_E_UNREGISTERED_KEY')
    expect(error.message).toMatch(/stands still before a record .*'other:1'.*the same strong patterns/)
  })

  it('of a lock is told that the log does not answer, and not that others hold it', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    await world.drive(warp.set('stock:1', 1))
    world.order.disconnect('a')
    const error = await refusalOf(world.drive(warp.locks.acquire('job', { ttlMs: 1000, waitMs: 300 })))
    expect(error.code).toBe('WARP_E_LOCK')
    expect(error.message).toContain('the ordered log has not answered')
  })
})

describe('a refusal', () => {
  it('names the key, and the place in what the caller gave', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    const error = await refusalOf(world.drive(warp.set('stock:1', { at: [0, () => 1] })))
    expect(error).toMatchObject({ code: 'WARP_E_UNENCODABLE', details: { key: 'stock:1', path: 'value.at[1]' } })
    expect(error.message).toContain("what is written to 'stock:1'")
  })

  it('of an option names the call that was made', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    const misspelt = { triesMx: 3 } as object
    const error = await refusalOf(world.drive(warp.update('stock:1', () => 1, misspelt)))
    expect(error.message).toBe("update: there is no option 'triesMx'; did you mean 'triesMax'?")
    expect(await world.drive(warp.get('stock:1'))).toBe(undefined)
  })

  it('shows what was expected of a key', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    const error = await refusalOf(world.drive(warp.compareAndSet('stock:1', 4 as never, 5)))
    expect(error.message).toContain("what is expected of 'stock:1' is the number 4")
  })
})

describe('an engine for locks alone', () => {
  it('needs no key pattern, where an ordered log is there', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', {})
    const lock = await world.drive(warp.locks.acquire('job', { ttlMs: 1000 }))
    expect(await world.drive(lock.release())).toBe(true)
    const without = await refusalOf(world.open('b', {}, { isOrdered: false }))
    expect(isWarpError(without, 'WARP_E_CONFIG')).toBe(true)
  })
})
