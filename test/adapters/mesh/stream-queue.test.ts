import { expect, test } from 'vitest'
import { StreamQueue } from '../../../adapters/mesh/streams/stream-queue.ts'

test('frames come out in the order in which they went in', () => {
  const queue = new StreamQueue(1_000_000)
  const taken: number[] = []
  for (let i = 0; i < 500; i++) {
    queue.push(new Uint8Array([i & 255]))
    if (i % 3 === 0) taken.push(queue.shift()?.[0] ?? -1)
  }
  for (let frame = queue.shift(); frame !== undefined; frame = queue.shift()) taken.push(frame[0] ?? -1)
  expect(taken).toEqual(Array.from({ length: 500 }, (_, i) => i & 255))
  expect([queue.isEmpty, queue.bytes]).toEqual([true, 0])
})

test('it is full at its bound and not before, what waits elsewhere included', () => {
  const queue = new StreamQueue(1000)
  queue.push(new Uint8Array(600))
  expect([queue.fits(400, 0), queue.fits(401, 0), queue.fits(300, 100), queue.fits(300, 101)]).toEqual([
    true,
    false,
    true,
    false,
  ])
})

test('clearing it forgets everything', () => {
  const queue = new StreamQueue(1000)
  queue.push(new Uint8Array(600))
  queue.clear()
  expect([queue.isEmpty, queue.bytes, queue.shift()]).toEqual([true, 0, undefined])
})

test('a frame that has been taken is not held any more', async () => {
  const MIB = 1024 * 1024
  const queue = new StreamQueue(100 * MIB)
  // What a collection frees is given back in a later turn.
  const held = async (): Promise<number> => {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return process.memoryUsage().arrayBuffers
  }
  const before = await held()
  for (let i = 0; i < 20; i++) queue.push(new Uint8Array(MIB))
  expect((await held()) - before).toBeGreaterThan(19 * MIB)
  for (let i = 0; i < 19; i++) queue.shift()
  expect((await held()) - before).toBeLessThan(3 * MIB)
  expect(queue.isEmpty).toBe(false)
})
