import { expect, test } from 'vitest'
import { STREAM_BUSY_MS, STREAM_STALL_MS } from '../../../adapters/mesh/streams/stream-settings.ts'
import { type Member, frameOf, openPair, streamWorld } from './stream-fixture.ts'

const MIB = 1024 * 1024

const frames = Array.from({ length: 100 }, (_, i) => frameOf(i, MIB / 4))

/** The first bytes of the frames that a member has received. */
function numbersOf(member: Member): (number | undefined)[] {
  return member.frames.map(({ bytes }) => bytes[0])
}

test('while the receiver has enough to do, frames wait at the sender, who is told when its queue is full', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  b.isBusy = true
  let sent = 0
  for (let ms = 0; ms < STREAM_STALL_MS / 2; ms += 1000) {
    while (sent < frames.length && a.send(b, frames[sent] as Uint8Array)) sent++
    await world.env.advance(1000)
  }
  expect(sent).toBeLessThan(frames.length)
  expect(b.frames.length).toBeLessThan(10)
  expect(a.queuedBytes(b)).toBeGreaterThan(MIB)
  b.isBusy = false
  while (sent < frames.length) {
    if (a.send(b, frames[sent] as Uint8Array)) sent++
    else await world.env.advance(10)
  }
  await world.env.advance(1000)
  expect(numbersOf(b)).toEqual(frames.map((frame) => frame[0]))
  expect(world.network.streams.openedCount).toBe(1)
})

test('a stream that waits leaves nothing behind when it is dropped', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  b.isBusy = true
  for (const frame of frames.slice(0, 8)) a.send(b, frame)
  await world.env.advance(100)
  const before = b.frames.length
  b.streams.drop(b.contact(a))
  b.isBusy = false
  await world.env.advance(STREAM_BUSY_MS * 10)
  expect(b.frames.length).toBe(before)
})
