/** Keys of mode `local` and operations of others that name the same key. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { memoryFiles, openWarp, type LogFiles } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/index.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'
import { TestEngine } from './engine-fixture.ts'

test('what others write to a key that is local here is handed on, and is no part of it, also after reopening', async () => {
  const env = virtualEnv({ seed: 3 })
  const network = memoryNetwork({ seed: 3, env })
  let files: LogFiles = memoryFiles({ persistent: true, bootId: 'boot', home: 'home' })
  const openLocal = () =>
    openWarp({
      keys: { 'k:*': { strategy: counter(), mode: 'local' } },
      log: { name: 'ram', open: async () => files },
      transports: [network.transport('b')],
      env: env.fork({ label: 'b' }),
    })
  const open = (name: string) =>
    openWarp({ keys: { 'k:*': counter() }, transports: [network.transport(name)], env: env.fork({ label: name }) })
  network.cut('a', 'c')
  const [a, b, c] = [await open('a'), await openLocal(), await open('c')]
  await b.key('k:1').increment(1)
  await a.key('k:1').increment(10)
  await env.advance(10_000)
  expect([await a.get('k:1'), await b.get('k:1'), await c.get('k:1')]).toEqual([10, 1, 10])
  const copy = (files as ReturnType<typeof memoryFiles>).copy({ persistent: true, bootId: 'boot', home: 'home' })
  await closeAll(env, [b])
  files = copy
  const again = await openLocal()
  expect(await again.get('k:1')).toBe(1)
  await closeAll(env, [a, again, c])
})

// Simulation seed 23: the record that says whose the local operations are had moved behind them.
test('what was written to a local key survives a compaction of what lies around it, and a kill', async () => {
  const files = faultyFiles()
  const replica = await TestEngine.open({ files, segmentBytes: 4096 })
  await replica.write('own:1', 'increment', [4])
  for (let i = 0; i < 300; i++) await replica.set('reg:1', i)
  await replica.engine.compact()
  await replica.write('own:1', 'increment', [5])
  const again = await TestEngine.open({ files: files.kill(), segmentBytes: 4096 })
  expect([again.get('own:1'), again.get('reg:1')]).toEqual([9, 299])
  await again.write('own:1', 'increment', [1])
  expect(again.get('own:1')).toBe(10)
  await again.close()
})

test('local keys never leave this replica', async () => {
  const replica = await TestEngine.open()
  await replica.write('own:1', 'increment', [1])
  await replica.set('reg:1', 'shared')
  await replica.write('own:1', 'increment', [1])
  expect(replica.envelopes()).toHaveLength(1)
  expect(replica.engine.applied.sorted()).toEqual([[replica.engine.replica, 1]])
  await replica.close()
})
