import { afterEach, describe, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { memoryFiles } from '../../../src/log/files/memory-files.ts'
import type { LogFile, LogFiles } from '../../../src/ports/files.ts'
import { closeAll } from '../../support/close-all.ts'
import { StoreWorld, add } from './world.ts'

let world: StoreWorld

afterEach(async () => {
  await world.close()
})

describe('what is in the store leaves the log', () => {
  test('altogether: no operation, no key, and the value comes back by a load', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, copies: { entriesMax: 10 } })
    for (let i = 0; i < 200; i++) await warp.set(`k:${i}`, i)
    await world.env.advance(1000)
    await warp.compact()
    expect(warp.stats()).toMatchObject({ log: { operationsCount: 0 }, keysCount: 0 })
    expect(await warp.get('k:3')).toBe(3)
  })

  test('by itself, while others are written: the log does not grow with the table', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, copies: { entriesMax: 100 } })
    let most = 0
    for (let i = 0; i < 30_000; i++) {
      await warp.set(`k:${i}`, i)
      if (i % 500 !== 499) continue
      await world.env.advance(200)
      most = Math.max(most, warp.stats().keysCount)
    }
    expect(world.store.size).toBe(30_000)
    expect(most).toBeLessThan(6000)
    expect(warp.stats().copies?.copiesCount).toBe(100)
  })

  test('once the store is back, though nobody writes any more', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, copies: { entriesMax: 100 } })
    world.store.stall()
    for (let i = 0; i < 10_000; i++) await warp.set(`k:${i}`, i)
    await world.env.advance(1000)
    expect(warp.stats().keysCount).toBe(10_000)
    world.store.resume()
    await world.env.advance(60_000)
    expect(world.store.size).toBe(10_000)
    expect(warp.stats().keysCount).toBeLessThan(6000)
  })

  test('not before it is there', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true })
    world.store.stall()
    await warp.set('k:1', 1)
    await warp.set('k:1', 2)
    await world.env.advance(1000)
    await warp.compact()
    expect(warp.stats()).toMatchObject({ log: { operationsCount: 2 } })
    world.store.resume()
    await world.env.advance(10_000)
    expect(world.row('k:1')).toBe(2)
    await warp.compact()
    expect(warp.stats()).toMatchObject({ log: { operationsCount: 0 } })
  })

  test('a key that is written all the time loses its beginning', async () => {
    world = new StoreWorld()
    const { warp } = await world.join('a', { alone: true, strategy: counter() })
    for (let i = 0; i < 300; i++) {
      await add(warp, 'k:1', 1)
      if (i % 50 === 49) {
        await world.env.advance(200)
        await add(warp, 'k:1', 1)
        await warp.compact()
        expect(warp.stats().log.operationsCount).toBeLessThan(60)
      }
    }
    await world.env.advance(200)
    expect(world.row('k:1')).toBe(306)
    expect(await warp.get('k:1')).toBe(306)
    await warp.compact()
    warp.invalidateLocal('k:*')
    expect(await warp.get('k:1')).toBe(306)
  })

  test('on two replicas the late increment of one still counts on top of the row', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { strategy: counter() })
    await add(a, 'k:1', 3)
    await world.env.advance(30_000)
    await a!.compact()
    await b!.compact()
    expect([a!.stats().log.operationsCount, b!.stats().log.operationsCount]).toEqual([0, 0])
    await add(b, 'k:1', 4)
    await world.env.advance(30_000)
    expect(world.row('k:1')).toBe(7)
    expect([await a!.get('k:1'), await b!.get('k:1')]).toEqual([7, 7])
  })

  test('C8: a write that was never stored survives compaction where the row has got another base', async () => {
    world = new StoreWorld()
    const [a, b] = await world.joinAll(['a', 'b'], { strategy: counter() })
    world.store.stall()
    await add(a, 'k:1', 3)
    await world.env.advance(60_000)
    await a!.compact()
    await b!.compact()
    world.put('k:1', 1000)
    world.store.resume()
    await world.env.advance(60_000)
    expect(world.row('k:1')).toBe(1003)
  })
})

describe('a log that outlives the process', () => {
  test('what was not stored is, after the next opening, once each', async () => {
    world = new StoreWorld()
    const files = memoryFiles({ persistent: true })
    const log = { name: 'memory', open: () => Promise.resolve(files) }
    const first = await world.join('a', { alone: true, strategy: counter(), log })
    await add(first.warp, 'k:stored', 1)
    await world.env.advance(200)
    world.store.stall()
    for (let i = 0; i < 500; i++) await add(first.warp, `k:${i}`, 1)
    await closeAll(world.env, [first.warp])
    world.members.length = 0
    expect(first.events.filter(({ kind }) => kind === 'primary:left')).toHaveLength(1)
    world.store.resume()
    await world.env.advance(100)
    const { warp } = await world.join('a', { alone: true, strategy: counter(), log })
    await world.env.advance(10_000)
    expect(Array.from({ length: 500 }, (_, i) => world.row(`k:${i}`))).toEqual(Array.from({ length: 500 }, () => 1))
    expect(world.row('k:stored')).toBe(1)
    expect(warp.stats().stores).toMatchObject([{ unstoredKeysCount: 0 }])
  })

  test('a write behind goes to its store only once it is in the log', async () => {
    world = new StoreWorld()
    const disk = new SlowDisk()
    const log = { name: 'memory', open: () => Promise.resolve(disk.files) }
    const { warp } = await world.join('a', { alone: true, log })
    disk.stop()
    await warp.set('k:1', 'written', { ack: 'memory' })
    // Its flush is due, reads the row, and waits with the change of it.
    await world.env.advance(3000)
    const whileItWaits = { disk: disk.waitingCount, store: world.store.stats(), row: world.row('k:1') }
    expect(warp.peek('k:1')).toBe('written')
    disk.goOn()
    expect(whileItWaits).toMatchObject({ disk: 1, store: { reads: 1, writes: 0 }, row: undefined })
    await world.env.advance(1000)
    expect(world.row('k:1')).toBe('written')
    expect(warp.stats().stores).toMatchObject([{ unstoredKeysCount: 0, flushedCount: 1 }])
  })
})

/** Files in memory whose writes can be made to wait: what is written then outlives no process. */
class SlowDisk {
  readonly files: LogFiles = memoryFiles({ persistent: true })
  #waiting: (() => void)[] | undefined

  constructor() {
    const { files } = this
    const [open, create] = [files.open.bind(files), files.create.bind(files)]
    files.open = (name) => this.#slow(open(name))
    files.create = (name) => this.#slow(create(name))
  }

  get waitingCount(): number {
    return this.#waiting?.length ?? 0
  }

  stop(): void {
    this.#waiting ??= []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const go of waiting) go()
  }

  #slow(file: LogFile): LogFile {
    const write = file.write.bind(file)
    file.write = (offset, bytes) => {
      if (this.#waiting === undefined) return write(offset, bytes)
      const waiting = this.#waiting
      return new Promise<void>((go) => waiting.push(go)).then(() => write(offset, bytes))
    }
    return file
  }
}
