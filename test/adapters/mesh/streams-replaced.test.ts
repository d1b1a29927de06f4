/** Streams that are replaced while both ends use them, and what becomes of the frames. */
import { expect, test } from 'vitest'
import { STREAM_RETRY_MS_MAX } from '../../../adapters/mesh/streams/stream-settings.ts'
import { frameOf, openPair, streamWorld } from './stream-fixture.ts'

const MIB = 1024 * 1024

test('a stream makes way for another one after an hour, however busy it is, and no frame is lost either way', async () => {
  const world = streamWorld(20)
  const [a, b] = await openPair(world)
  const numbers = Array.from({ length: 3 * 90 }, (_, i) => i)
  for (const i of numbers) {
    a.send(b, frameOf(i & 255))
    // In the middle of what the other one does, too.
    await world.env.advance(i % 40)
    b.send(a, frameOf(i & 255))
    await world.env.advance(40_000 - (i % 40))
  }
  await world.env.advance(STREAM_RETRY_MS_MAX)
  for (const member of [a, b]) expect(member.received.map((bytes) => bytes[0])).toEqual(numbers.map((i) => i & 255))
  // Three hours, and one in each direction.
  expect(world.network.streams.openedCount).toBe(6)
})

test('a stream that one end lets go of brings what the other one has sealed', async () => {
  const world = streamWorld(20)
  const [a, b] = await openPair(world)
  a.send(b, frameOf(1))
  await world.env.advance(200)
  // More than the system takes at once, so some of it waits when b hears that a has ended.
  b.send(a, frameOf(2, MIB))
  a.streams.renew()
  a.send(b, frameOf(3))
  await world.env.advance(1000)
  expect(a.received).toEqual([frameOf(2, MIB)])
  expect(b.received).toEqual([frameOf(1), frameOf(3)])
})
