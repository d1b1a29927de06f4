/** Locks without an ordered log: of one process, or refused. */
import { expect, it } from 'vitest'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp, type Lock, type Warp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'
import { refusalOf } from '../../support/refusal-of.ts'

const KEYS = { 'k:*': register<string>() }
const TTL = { ttlMs: 1000 }

async function alone(env: VirtualEnv = virtualEnv()): Promise<{ env: VirtualEnv; warp: Warp<KeyMap> }> {
  return { env, warp: (await openWarp({ keys: KEYS, env })) as unknown as Warp<KeyMap> }
}

it('a process alone has locks of its own, which expire and queue as all do', async () => {
  const { env, warp } = await alone()
  const first = await warp.locks.acquire('x', TTL)
  let second: Lock | undefined
  void warp.locks.acquire('x', TTL).then((lock) => (second = lock))
  expect(await warp.locks.tryAcquire('x', TTL)).toBeUndefined()
  await env.advance(900)
  await first.renew()
  await env.advance(900)
  expect(second).toBeUndefined()
  await env.advance(150)
  expect(first.lost.aborted).toBe(true)
  expect(second?.token).toBeGreaterThan(first.token)
  await second?.release()
  expect(warp.locks.list()).toEqual([])
  expect(await warp.locks.withLock('x', ({ token }) => token, { ...TTL, maxMs: 1000 })).toBeGreaterThan(second!.token)
  for await (const term of warp.elect('leader', TTL)) {
    expect(warp.locks.info('leader').holders).toMatchObject([{ token: term.token, isOwn: true }])
    break
  }
  await warp.close()
  await expect(warp.locks.acquire('x', TTL)).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  expect(() => warp.elect('x', TTL)).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
})

it('its tokens are greater than those of the process before it, and a clock that is set changes no lock', async () => {
  const { env, warp } = await alone()
  const first = await warp.locks.acquire('x', TTL)
  env.jumpWall(3_600_000)
  expect(await warp.locks.tryAcquire('x', TTL)).toBeUndefined()
  env.jumpWall(-3_600_000)
  await env.advance(1000)
  const second = await warp.locks.acquire('x', TTL)
  await warp.close()
  await env.advance(10)
  const { warp: again } = await alone(env)
  expect((await again.locks.acquire('x', TTL)).token).toBeGreaterThan(second.token)
  expect(second.token).toBeGreaterThan(first.token)
  await again.close()
})

it('with transports, and without anybody who orders, every call is refused and says what to do', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys: KEYS, env, transports: [memoryNetwork({ env }).transport('a')] })
  const refused = {
    code: 'WARP_E_LINEARIZABLE_UNSUPPORTED',
    message: expect.stringContaining('openWarp({ order })') as string,
  }
  await expect(warp.locks.acquire('x', TTL)).rejects.toMatchObject(refused)
  await expect(warp.locks.tryAcquire('x', TTL)).rejects.toMatchObject(refused)
  await expect(warp.locks.withLock('x', () => 1, { ...TTL, maxMs: 1000 })).rejects.toMatchObject(refused)
  expect(() => warp.locks.info('x')).toThrow(expect.objectContaining(refused))
  expect(() => warp.locks.list()).toThrow(expect.objectContaining(refused))
  expect(() => warp.elect('x', TTL)).toThrow(expect.objectContaining(refused))
  const closing = warp.close()
  await env.advance(5000)
  await closing
})

it('who asks for locks again and again lets the event loop turn', async () => {
  await using warp = await openWarp({ keys: KEYS })
  let hasTurned = false
  const timer = setTimeout(() => (hasTurned = true), 1)
  for (let i = 0; i < 1_000_000 && !hasTurned; i++) await warp.locks.tryAcquire('x', { ttlMs: 60_000 })
  clearTimeout(timer)
  expect(hasTurned).toBe(true)
})

it('an engine that was opened without that part says so', async () => {
  const { openWarpOn } = await import('../../../src/warp.ts')
  const { nodeEnv } = await import('../../../adapters/node/node-env.ts')
  const warp = await openWarpOn({ env: nodeEnv() }, { keys: KEYS })
  expect(await refusalOf(() => warp.locks.acquire('x', TTL))).toContain("needs the part 'strong'")
  await warp.close()
})
