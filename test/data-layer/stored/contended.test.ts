/** A row that is another one at each try, as if something rewrote whatever is written. */
import { afterEach, expect, test, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'
import { StoreWorld } from './world.ts'

let world: StoreWorld | undefined

afterEach(async () => {
  await world?.close()
  world = undefined
})

/** A store whose rows somebody changes before each write. */
function rewriting(of: StoreWorld): { stop: () => void; count: () => number } {
  const { store } = of
  const written = store.compareAndSet.bind(store)
  let writes = 0
  let isOver = false
  store.compareAndSet = (changes, request) => {
    writes++
    if (!isOver) for (const { key } of changes) of.put(key, `changed ${writes}`)
    return written(changes, request)
  }
  return { stop: () => (isOver = true), count: () => writes }
}

test('it is tried more and more rarely, and that is told once; afterwards the write gets there', async () => {
  world = new StoreWorld()
  const { warp, events } = await world.join('a', { alone: true })
  const rewriter = rewriting(world)
  await warp.set('k:1', 'mine')
  await world.env.advance(60_000)
  expect(rewriter.count()).toBeLessThan(40)
  const told = events.filter(({ kind }) => kind === 'primary:contended')
  expect(told).toMatchObject([{ key: 'k:1', refusalsCount: 8 }])
  rewriter.stop()
  await world.env.advance(10_000)
  expect(world.row('k:1')).toBe('mine')
  expect(warp.stats().stores?.[0]?.unstoredKeysCount).toBe(0)
})

test('without an observer the first loss of each kind is a warning of the process', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  try {
    const store = memoryStore()
    store.refuse(() => new Error('no such column'))
    const warp = await openWarp({ keys: { 'k:*': { strategy: register<number>(), store, flushDelayMs: 0 } } })
    await warp.set('k:1', 1)
    await warp.set('k:2', 2)
    await vi.waitUntil(() => (warp.stats().stores?.[0]?.rejectedCount ?? 0) === 2, { timeout: 60_000 })
    await warp.close()
    const texts = warned.mock.calls.map(([warning]) => String(warning)).filter((text) => text.includes('primary:'))
    expect(texts).toEqual([expect.stringMatching(/primary:rejected .*no such column.*observe/)])
  } finally {
    warned.mockRestore()
  }
})
