import { describe, expect, it } from 'vitest'
import { register } from '../../crdt/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { memoryNetwork, memoryOrderedLog } from '../../adapters/memory/index.ts'
import { isWarpError, type WarpError } from '../../crdt/warp-error.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

const KEYS = { 'stock:*': { strategy: register<number>(), mode: 'strong' } } as const

/** Moves time until the promise has settled. */
async function until<Result>(env: VirtualEnv, promise: Promise<Result>): Promise<Result> {
  let isSettled = false
  const noted = promise.finally(() => (isSettled = true))
  noted.catch(() => undefined)
  for (let ms = 0; !isSettled && ms < 60_000; ms += 20) await env.advance(20)
  return noted
}

function cluster() {
  const env = virtualEnv()
  const network = memoryNetwork({ env })
  const order = memoryOrderedLog({ env })
  const open = (name: string, zone: string) =>
    openWarp({ keys: KEYS, order, name, zone, env: env.fork({ label: name }), transports: [network.transport(name)] })
  return { env, network, open }
}

describe('a strong write that asks for replicas', () => {
  it('settles when so many replicas, in so many zones, hold it', async () => {
    const { env, open } = cluster()
    const [a, b] = [await open('a', 'x'), await open('b', 'y')]
    await env.advance(2000)
    const acks = { replicas: 2, zones: 2, level: 'memory' } as const
    const receipt = await until(env, a.set('stock:1', 1, { acks }))
    expect(receipt).toMatchObject({ ack: 'broker', acks: { replicas: 2, zones: 2, level: 'memory' } })
    expect(b.peek('stock:1')).toBe(1)
    await until(env, Promise.all([a.close(), b.close()]))
  })

  it('waits for one that is cut off, and says in time that it is missing', async () => {
    const { env, network, open } = cluster()
    const [a, b] = [await open('a', 'x'), await open('b', 'y')]
    await env.advance(2000)
    network.cut('a', 'b')
    const acks = { replicas: 2, zones: 2, level: 'memory', timeoutMs: 3000 } as const
    const refused = await until(
      env,
      a.set('stock:1', 1, { acks }).catch((error: unknown) => error),
    )
    expect(isWarpError(refused, 'WARP_E_QUORUM')).toBe(true)
    expect(refused).toMatchObject({ outcome: 'indeterminate' })
    // What the ordered log has counts all the same.
    expect(await until(env, b.get('stock:1'))).toBe(1)
    for (const one of [a, b]) expect(await until(env, one.resolve(refused as WarpError))).toEqual({ kind: 'ok' })
    await until(env, Promise.all([a.close(), b.close()]))
  })
})
