import { expect, test } from 'vitest'
import { counter, map } from '../../crdt/index.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine } from '../engine/engine-fixture.ts'

const open = (seed: number) => {
  const keyspaces = new Keyspaces({ 'map:*': { strategy: map(counter()), retain: 'all' as const } })
  return TestEngine.open({ keyspaces, isReplicated: true, env: virtualEnv({ seed }) })
}

test('a removal takes away what its writer had seen of its entry, and nothing of others', async () => {
  const [a, b] = [await open(1), await open(2)]
  for (const entry of ['x1', 'x2', 'y']) await a.write('map:1', 'update', [entry, 'increment', 1])
  await exchange(a, b)
  // Each removes what the other one goes on with at the same time, and both remove one entry.
  await a.write('map:1', 'remove', ['x1'])
  await a.write('map:1', 'update', ['x2', 'increment', 10])
  await a.write('map:1', 'remove', ['y'])
  await b.write('map:1', 'remove', ['x2'])
  await b.write('map:1', 'update', ['x1', 'increment', 20])
  await b.write('map:1', 'remove', ['y'])
  await exchange(a, b)
  expect(a.get('map:1')).toEqual({ x1: 20, x2: 10 })
  expect(b.get('map:1')).toEqual({ x1: 20, x2: 10 })
})
