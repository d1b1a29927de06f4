/** Writes that wait for real replicas over a network in memory. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, type Dot } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

test('a write with acks waits for replicas that are cut off, and settles when they are back', async () => {
  const env = virtualEnv({ seed: 7 })
  const network = memoryNetwork({ seed: 7, env })
  const open = (name: string) =>
    openWarp({
      keys: { 'r:*': register<string>() },
      transports: [network.transport(name)],
      env: env.fork({ label: name }),
    })
  const [a, b, c] = [await open('a'), await open('b'), await open('c')]
  await env.advance(5000)
  const both = a.set('r:1', 'one', { acks: { replicas: 3 } })
  await env.advance(5000)
  const dot = { replica: a.replica, sequence: 1 }
  // Their logs are in memory: nobody holds more than that.
  const acks = { replicas: 3, zones: 1, level: 'memory', countSelf: true }
  expect(await both).toEqual({ dot, version: 1, ack: 'memory', acks })
  expect([b.peek('r:1'), c.peek('r:1')]).toEqual(['one', 'one'])
  network.cut('a', 'c')
  network.cut('b', 'c')
  const second = a.write('r:1', 'two') as Dot
  let isSettled = false
  const settled = a.settled(second, { acks: { replicas: 2, countSelf: false } }).then((reached) => {
    isSettled = true
    return reached
  })
  await env.advance(5000)
  expect([isSettled, b.peek('r:1'), c.peek('r:1')]).toEqual([false, 'two', 'one'])
  network.heal('a', 'c')
  network.heal('b', 'c')
  await env.advance(30_000)
  expect(isSettled).toBe(true)
  expect(await settled).toEqual({ ack: 'memory', acks: { replicas: 2, zones: 1, level: 'memory', countSelf: false } })
  await closeAll(env, [a, b, c])
})
