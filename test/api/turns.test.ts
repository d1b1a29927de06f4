/** The event loop turns during a loop of awaited calls: with the real clock, on the real loop. */
import { expect, onTestFinished, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { counter, map, register } from '../../crdt/index.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Far more than fit between two turns. */
const CALLS_MAX = 50_000

/** How many calls are made until a timer that is due at once fires. */
async function callsUntilTimer(call: () => Promise<unknown>): Promise<number> {
  let hasFired = false
  setTimeout(() => (hasFired = true), 0)
  let count = 0
  while (!hasFired && count < CALLS_MAX) {
    count++
    await call()
  }
  return count
}

const KEYS = { 'r:*': register<number>(), 'c:*': counter(), 'm:*': map(counter()) }

test('a timer fires during a loop of awaited calls, whichever call it is', async () => {
  const warp = await openWarp({ keys: KEYS })
  onTestFinished(() => warp.close())
  const [r, c, m] = [warp.key('r:1'), warp.key('c:1'), warp.key('m:1')]
  const calls = {
    set: () => warp.set('r:1', 1),
    get: () => warp.get('r:1'),
    getMany: () => warp.getMany(['r:1']),
    setMany: () => warp.setMany([['r:1', 1]]),
    delete: () => warp.delete('r:1'),
    settled: () => warp.settled(warp.write('r:2', 1)!),
    'handle.set': () => r.set(1),
    'handle.get': () => r.get(),
    increment: () => c.increment(),
    update: () => m.update('a', 'increment', 1),
    unchanged: () => warp.delete('r:unknown'),
    refused: () => warp.set('x:1' as 'r:1', 1).catch(() => undefined),
    getAt: () => warp.getAt('r:2', { version: 1 }),
    'getAt of nothing': () => warp.getAt('r:unknown', { version: 0 }),
    explain: () => warp.explain('r:unknown'),
    entries: () => warp.entries('r:2')[Symbol.asyncIterator]().next(),
    log: () => warp.log('r:2', { newestFirst: true })[Symbol.asyncIterator]().next(),
  }
  for (const [name, call] of Object.entries(calls)) {
    expect(await callsUntilTimer(call as () => Promise<unknown>), name).toBeLessThan(CALLS_MAX)
  }
})

test('a timer fires during a loop of writes that wait for the operating system', async () => {
  const warp = await openWarp({ keys: KEYS, log: fileLog({ path: temporaryFolder() }) })
  onTestFinished(() => warp.close())
  expect(await callsUntilTimer(() => warp.set('r:1', 1))).toBeLessThan(CALLS_MAX)
})
