import { afterEach, describe, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import type { PrimaryStore } from '../../../src/ports/primary-store.ts'
import { StoreWorld, add } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

describe('writing through', () => {
  test('the promise waits for the store, and then everybody has it', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { writes: 'through' })
    world.store.set({ latencyMs: 20 })
    const write = a!.set('k:1', 1)
    await world.env.advance(10)
    expect(a!.peek('k:1')).toBeUndefined()
    await world.env.advance(100)
    expect(await write).toMatchObject({ version: 1 })
    expect(world.row('k:1')).toBe(1)
    expect(a!.peek('k:1')).toBe(1)
    await world.env.advance(1000)
    const read = b!.get('k:1')
    await world.env.advance(100)
    expect(await read).toBe(1)
  })

  test('a signal ends the wait at once, and what was begun comes to its end', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { writes: 'through', storeTimeoutMs: 2000 })
    world.store.stall()
    const controller = new AbortController()
    const outcomes: unknown[] = []
    const given = (error: unknown): void => void outcomes.push(error)
    a!.set('k:1', 1, { signal: controller.signal }).catch(given)
    a!.set('k:1', 2, { signal: controller.signal }).catch(given)
    await world.env.advance(100)
    controller.abort()
    await world.env.runUntilIdle()
    expect(outcomes).toMatchObject([
      { code: 'WARP_E_ABORTED', outcome: 'indeterminate' },
      { code: 'WARP_E_ABORTED', outcome: 'indeterminate' },
    ])
    world.store.resume()
    await world.env.advance(20_000)
    // The first one was with the store, the second one had not begun.
    const row = world.row('k:1')
    expect(row).not.toBe(2)
    for (const warp of [a!, b!]) {
      const read = warp.get('k:1')
      await world.env.advance(100)
      expect(await read).toBe(row)
    }
    await a!.set('k:1', 3)
    expect(world.row('k:1')).toBe(3)
  })

  test('L: what the store refuses was never there, and the error is the one of the store', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { writes: 'through' })
    await a!.set('k:1', 'good')
    const refusal = new RangeError('constraint')
    world.store.refuse((_key, value) => (new TextDecoder().decode(value) === '"bad"' ? refusal : undefined))
    await expect(a!.set('k:1', 'bad')).rejects.toMatchObject({
      code: 'WARP_E_STORE',
      outcome: 'failed',
      details: { key: 'k:1', failure: 'rejected' },
      cause: { cause: refusal },
    })
    await world.env.advance(1000)
    for (const warp of [a, b]) expect(await warp!.get('k:1')).toBe('good')
    const seen: string[] = []
    for await (const { key } of a!.log('k:1')) seen.push(key)
    expect(seen).toHaveLength(1)
  })

  test('who waits for the store keeps the process alive, also between two tries', async () => {
    world = new StoreWorld()
    let heldCount = 0
    const stayAlive = (): (() => void) => {
      heldCount++
      return () => heldCount--
    }
    const { warp } = await world.join('a', { alone: true, writes: 'through', stayAlive })
    await warp.set('k:1', 'before')
    world.put('k:1', 'of an outsider')
    const write = warp.set('k:1', 'after')
    await world.env.advance(5)
    expect(world.store.stats().writes).toBe(2) // the second one was refused: the row is another one
    expect(heldCount).toBe(1)
    await world.env.advance(100)
    expect(await write).toMatchObject({ version: 2 })
    expect(heldCount).toBe(0)
  })

  test('a lost answer is no conflict with oneself: the row tells', async () => {
    world = new StoreWorld()
    const [a] = await world.joinAll(['a'], { writes: 'through', strategy: counter() })
    world.store.set({ lostReply: 1 })
    const write = add(a, 'k:1', 5)
    await world.env.runUntilIdle()
    world.store.set({ lostReply: 0 })
    await world.env.advance(100)
    await write
    expect(world.row('k:1')).toBe(5)
    expect(await a!.get('k:1')).toBe(5)
  })

  test('a store that hangs makes the write indeterminate; later it is there, or it never will be', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { writes: 'through', storeTimeoutMs: 100, hardTimeoutMs: 300 })
    await a!.set('k:1', 'before')
    world.store.stall()
    const write = a!.set('k:1', 'late').then(
      () => 'done',
      (error: unknown) => error,
    )
    await world.env.advance(1000)
    expect(await write).toMatchObject({ code: 'WARP_E_STORE', outcome: 'indeterminate' })
    expect(a!.peek('k:1')).toBe('before')
    world.store.resume()
    await world.env.advance(30_000)
    expect(a!.stats().stores).toMatchObject([{ unstoredKeysCount: 0 }])
    const row = world.row('k:1')
    for (const warp of [a, b]) expect(await warp!.get('k:1')).toBe(row)
  })

  test('two writes of one moment have one order, in the row and here', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      world = new StoreWorld(seed)
      const [a, b] = await world.joinAll(['a', 'b'], { writes: 'through' })
      const writes = [a!.set('k:1', 'a'), b!.set('k:1', 'b')]
      await world.env.advance(1000)
      await Promise.all(writes)
      await world.env.advance(10_000)
      const row = world.row('k:1')
      for (const warp of [a, b]) expect([warp!.peek('k:1'), await warp!.get('k:1')]).toEqual([row, row])
      await world.close()
    }
  })

  test('a refusal after a try that was given up is believed behind a fence', async () => {
    world = new StoreWorld()
    const inner = world.store
    let landLate = (): Promise<unknown> => Promise.resolve()
    let writes = 0
    const store: PrimaryStore = {
      ...{ name: inner.name, comparesAndSets: true, codec: inner.codec },
      readRows: (keys, request) => inner.readRows(keys, request),
      compareAndSet: (changes, request) => {
        if (++writes > 1) return inner.compareAndSet(changes, request)
        landLate = () => inner.compareAndSet(changes, { signal: new AbortController().signal })
        return new Promise((_resolve, reject) => {
          request.signal.addEventListener('abort', () => reject(new Error('given up')))
        })
      },
      purge: (rows, request) => inner.purge(rows, request),
      listKeys: (request) => inner.listKeys(request),
    }
    const [a] = await world.joinAll(['a'], { writes: 'through', store, storeTimeoutMs: 100 })
    inner.refuse(() => (writes === 2 ? new Error('constraint') : undefined))
    const refused = expect(a!.set('k:1', 'value')).rejects.toMatchObject({ code: 'WARP_E_STORE', outcome: 'failed' })
    await world.env.advance(2000)
    await refused
    await landLate()
    expect(world.row('k:1')).toBeUndefined()
    expect(writes).toBe(3)
  })

  test('writes of one key from everywhere at once all count', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { writes: 'through', strategy: counter() })
    world.store.set({ latencyMs: 3, jitterMs: 5 })
    const writes = [a, b, a, b, a, b].map((warp) => add(warp, 'k:1', 1))
    await world.env.advance(5000)
    await Promise.all(writes)
    expect(world.row('k:1')).toBe(6)
    await world.env.advance(10_000)
    for (const warp of [a, b]) {
      const read = warp!.get('k:1')
      await world.env.advance(100)
      expect(await read).toBe(6)
    }
  })

  test('write and setMany do not wait for a store, and say so', async () => {
    world = new StoreWorld()
    const [a] = await world.joinAll(['a'], { writes: 'through' })
    expect(() => a!.write('k:1', 1)).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
    await expect(a!.setMany([['k:1', 1]])).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  })
})
