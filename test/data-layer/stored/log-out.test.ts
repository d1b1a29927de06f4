/** "Log this user out everywhere", where the rows go too: delete them, and revoke the lease then. */
import { afterEach, expect, test } from 'vitest'
import { StoreWorld, type AnyWarp } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

test.each(['behind', 'through'] as const)(
  'whoever has heard of the end loads nothing of what was deleted before it: %s',
  async (writes) => {
    world = new StoreWorld()
    const [a, b] = (await world.joinAll(['a', 'b'], { writes, flushDelayMs: 3_600_000 })) as [AnyWarp, AnyWarp]
    const keys = ['k:42:name', 'k:42:cart']
    for (const key of keys) world.put(key, 'old')
    const lease = await a.leases.grant({ ttlMs: 3_600_000 })
    await a.leases.attach(lease.id, 'k:42:*')
    await world.env.advance(300)
    for (const warp of [a, b]) await warp.getMany(keys)
    expect(keys.map((key) => b.peek(key))).toEqual(['old', 'old'])
    let isOver = false
    const told = world.members[1]!.events
    const isHeard = (): boolean => told.some(({ kind }) => kind === 'lease:ended')
    const out = (async () => {
      for (const key of keys) await a.delete(key)
      await a.leases.revoke(lease.id)
      isOver = true
    })()
    while (!isOver || !isHeard()) await world.env.advance(1)
    await out
    // The rows are there as long as nobody has written the deletes behind.
    expect(keys.map((key) => world.row(key))).toEqual(writes === 'behind' ? ['old', 'old'] : [undefined, undefined])
    for (const warp of [a, b])
      for (const key of keys) {
        const reading = warp.get(key)
        await world.env.advance(10)
        expect(await reading).toBeUndefined()
      }
  },
)
