import { expect, test } from 'vitest'
import { StreamQueue } from '../../../adapters/mesh/stream-queue.ts'

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
