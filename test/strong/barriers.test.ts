/** A linearizable read asks the log how far it has come: after the call, once for all who wait, and again where the answer is lost. */
import { describe, expect, it } from 'vitest'
import { register } from '../../crdt/index.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { Barriers } from '../../src/strong/barriers.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { codeOfError, StrongWorld } from '../support/strong-world.ts'

const KEYS = { 'stock:*': { strategy: register<number>(), mode: 'strong' } } as const

interface Asked {
  readonly answer: (offset: number) => void
  readonly fail: (error: WarpError) => void
}

/** A log that answers when it is told to, and a partition that has come as far as it is told to. */
function silentLog() {
  const env = virtualEnv()
  const asked: Asked[] = []
  const waiting: { readonly offset: number; readonly reached: () => void }[] = []
  const barriers = new Barriers({
    env,
    link: { barrier: () => new Promise((answer, fail) => asked.push({ answer, fail })) },
    partition: { index: 0, reached: (offset) => new Promise((reached) => waiting.push({ offset, reached })) },
  })
  const passed: string[] = []
  const read = (name: string): void => {
    barriers.passed().then(
      () => passed.push(name),
      (error: unknown) => passed.push(`${name}: ${(error as WarpError).code} ${(error as WarpError).outcome}`),
    )
  }
  return { env, asked, waiting, read, passed }
}

const lost = (): WarpError => new WarpError('WARP_E_TRANSPORT', 'the answer was lost', { outcome: 'indeterminate' })

describe('a barrier', () => {
  it('serves all who wait for one that is asked for after their call, and nobody before the replica has come there', async () => {
    const { env, asked, waiting, read, passed } = silentLog()
    read('a')
    await env.runUntilIdle()
    expect(asked).toHaveLength(1)
    // The first one may have been carried out before these came.
    for (const name of ['b', 'c', 'd']) read(name)
    await env.runUntilIdle()
    expect(asked).toHaveLength(1)
    asked[0]!.answer(7)
    await env.runUntilIdle()
    expect(waiting.map(({ offset }) => offset)).toEqual([7])
    expect(passed).toEqual([])
    waiting[0]!.reached()
    await env.runUntilIdle()
    expect(passed).toEqual(['a'])
    expect(asked).toHaveLength(2)
    asked[1]!.answer(9)
    await env.runUntilIdle()
    waiting[1]!.reached()
    await env.runUntilIdle()
    expect(passed).toEqual(['a', 'b', 'c', 'd'])
    expect(asked).toHaveLength(2)
  })

  it('is asked for again where nobody answers, and the first answer counts', async () => {
    const { env, asked, waiting, read, passed } = silentLog()
    read('a')
    await env.advance(1000)
    expect(asked.length).toBeGreaterThan(2)
    expect(asked.length).toBeLessThan(8)
    asked[0]!.fail(lost())
    asked[2]!.answer(3)
    await env.runUntilIdle()
    waiting[0]!.reached()
    await env.runUntilIdle()
    expect(passed).toEqual(['a'])
    const { length } = asked
    await env.advance(10_000)
    expect(asked).toHaveLength(length)
  })

  it('is asked for a bounded number of times at once', async () => {
    const { env, asked, read } = silentLog()
    read('a')
    await env.advance(600_000)
    expect(asked).toHaveLength(8)
  })

  it('fails where the log is not there, and then certainly: a read has done nothing', async () => {
    const { env, asked, read, passed } = silentLog()
    read('a')
    await env.runUntilIdle()
    asked[0]!.fail(new WarpError('WARP_E_TRANSPORT', 'there is no connection'))
    await env.runUntilIdle()
    read('b')
    await env.runUntilIdle()
    asked[1]!.fail(new WarpError('WARP_E_CLOSED', 'closed', { outcome: 'indeterminate' }))
    await env.runUntilIdle()
    expect(passed).toEqual(['a: WARP_E_TRANSPORT failed', 'b: WARP_E_CLOSED failed'])
  })
})

describe('a linearizable read', () => {
  it('sees what was acknowledged before it, though this replica is slow to hear of it', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS)
    await world.drive(a.set('stock:1', 1))
    expect(await world.drive(b.get('stock:1'))).toBe(1)
    world.order.troubles({ slowMs: 2000 }, 'b')
    await world.drive(a.set('stock:1', 2))
    await world.drive(a.set('stock:1', 3))
    await world.drive(a.set('stock:1', 4))
    expect(b.peek('stock:1')).not.toBe(4)
    expect(await world.drive(b.get('stock:1', { consistency: 'stale' }))).not.toBe(4)
    for (const read of [
      () => b.get('stock:1'),
      () => b.key('stock:1').get(),
      async () => (await b.getVersioned('stock:1')).value,
      async () => (await b.getMany(['stock:1'])).get('stock:1'),
    ]) {
      expect(await world.drive(read())).toBe(4)
    }
  })

  it('is none while the log is away, and is asked for when it is back', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS, { strong: { timeoutMs: 500 } })
    await world.drive(warp.set('stock:1', 1))
    world.order.disconnect('a')
    await world.env.advance(10)
    const calls: readonly (() => Promise<unknown>)[] = [
      () => warp.get('stock:1'),
      () => warp.getVersioned('stock:1'),
      () => warp.key('stock:1').get(),
      () => warp.getMany(['stock:1']),
      () => warp.set('stock:1', 2),
      () => warp.delete('stock:1'),
      () => warp.compareAndSet('stock:1', { version: 1 }, 2),
      () => warp.update('stock:1', (value = 0) => value + 1),
      () => warp.setMany([['stock:1', 2]]),
    ]
    for (const call of calls) expect(await codeOfError(world.drive(call()))).toBe('WARP_E_TRANSPORT')
    expect(await world.drive(warp.get('stock:1', { consistency: 'stale' }))).toBe(1)
    expect(warp.peek('stock:1')).toBe(1)
    const message = 'strong keys are refused or wait: the ordered log does not answer'
    expect(warp.health().parts.order).toMatchObject({
      state: 'degraded',
      reasons: [{ code: 'order-failing', message }],
    })
    world.order.reconnect('a')
    await world.env.advance(1000)
    expect(await world.drive(warp.getVersioned('stock:1'))).toEqual({ value: 1, version: 1 })
    expect(warp.health().parts.order).toMatchObject({ state: 'ok' })
  })
})
