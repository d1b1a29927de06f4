/** What strangers, and whoever sits on the way, can do to the streams: end them, and nothing else. */
import { expect, test } from 'vitest'
import type { ByteStream } from '../../../adapters/mesh/sockets/network.ts'
import { ANSWER_BYTES, PREAMBLE_BYTES } from '../../../adapters/mesh/streams/stream-preamble.ts'
import {
  STREAMS_UNPROVED_MAX,
  STREAMS_UNPROVED_PER_HOST_MAX,
  STREAM_HANDSHAKE_MS,
} from '../../../adapters/mesh/streams/stream-settings.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { type Member, type World, frameOf, openPair, streamWorld } from './stream-fixture.ts'

const MINUTE_MS = 60_000

interface Stranger {
  readonly stream: ByteStream
  readonly heard: Uint8Array[]
  isOpen: boolean
}

/** A stream that a machine outside of the cluster opens to `to`. */
function stranger(world: World, to: Member, host = '10.9.9.9'): Stranger {
  const heard: Uint8Array[] = []
  const self: { -readonly [Key in keyof Stranger]?: Stranger[Key] } = { heard, isOpen: true }
  const stream = world.network.machine(host).connect(to.endpoint, host, {
    onBytes: (bytes) => heard.push(bytes),
    onClose: () => {
      self.isOpen = false
    },
  })
  return Object.assign(self, { stream }) as Stranger
}

/** What `a` sends to `b` for one frame, chunk by chunk, as somebody on the way sees it. */
async function recorded(world: World, a: Member, b: Member): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  a.tap = (bytes) => {
    chunks.push(Uint8Array.from(bytes))
    return bytes
  }
  a.send(b, frameOf(1))
  await world.env.advance(100)
  a.tap = undefined
  return chunks
}

test('somebody who plays a recorded stream again is answered once, delivers nothing and disturbs nothing', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const [preamble, ...records] = await recorded(world, a, b)
  const again = stranger(world, b, a.endpoint.host)
  again.stream.write([preamble ?? frameOf(0)])
  await world.env.advance(10)
  expect(again.heard.map(({ length }) => length)).toEqual([ANSWER_BYTES])
  again.stream.write(records)
  await world.env.advance(10)
  expect([again.isOpen, b.received, b.refusedCount]).toEqual([false, [frameOf(1)], 1])
  b.send(a, frameOf(2))
  await world.env.advance(10)
  expect(a.received).toEqual([frameOf(2)])
  expect(world.network.streams.openedCount).toBe(2)
})

test('a recorded preamble alone holds a place for 5 s, and is never sent to', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const [preamble] = await recorded(world, a, b)
  a.streams.drop(a.contact(b))
  const again = stranger(world, b, a.endpoint.host)
  again.stream.write([preamble ?? frameOf(0)])
  await world.env.advance(100)
  b.send(a, frameOf(2))
  await world.env.advance(STREAM_HANDSHAKE_MS)
  expect(again.isOpen).toBe(false)
  expect(again.heard.map(({ length }) => length)).toEqual([ANSWER_BYTES])
  expect(a.received).toEqual([frameOf(2)])
})

test('a stream that has not proved whose it is goes when that contact does', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const [preamble] = await recorded(world, a, b)
  const again = stranger(world, b, a.endpoint.host)
  again.stream.write([preamble ?? frameOf(0)])
  await world.env.advance(10)
  expect(again.isOpen).toBe(true)
  b.streams.drop(b.contact(a))
  await world.env.advance(10)
  expect(again.isOpen).toBe(false)
})

test('a preamble played from another address is not answered', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const [preamble] = await recorded(world, a, b)
  const again = stranger(world, b)
  again.stream.write([preamble ?? frameOf(0)])
  await world.env.advance(100)
  expect([again.heard, again.isOpen, b.refusedCount]).toEqual([[], false, 1])
})

test('anything right behind a preamble is refused: nobody can know the keys yet', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const [preamble] = await recorded(world, a, b)
  const again = stranger(world, b, a.endpoint.host)
  again.stream.write([Buffer.concat([preamble ?? frameOf(0), Uint8Array.of(0)])])
  await world.env.advance(100)
  expect([again.heard, again.isOpen, b.refusedCount]).toEqual([[], false, 1])
})

test('any byte changed on the way ends the stream, is counted, and never becomes a frame', async () => {
  const random = seededRandom(8)
  const world = streamWorld(0)
  const [a, b] = await openPair(world)
  let deliveredCount = 0
  for (let round = 0; round < PREAMBLE_BYTES + 20; round++) {
    await world.env.advance(MINUTE_MS)
    const [before, refusedBefore] = [b.frames.length, b.refusedCount]
    let at = round < PREAMBLE_BYTES ? round : PREAMBLE_BYTES + random.below(5000)
    a.tap = (bytes) => {
      const copy = Uint8Array.from(bytes)
      if (at >= 0 && at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
      at -= bytes.length
      return copy
    }
    a.send(b, frameOf(1))
    await world.env.advance(50)
    a.tap = undefined
    // A preamble that is refused is followed by another one, which is not; a frame that is refused is lost.
    if (round >= PREAMBLE_BYTES) expect(b.frames.length, `round ${round}`).toBe(before)
    else deliveredCount += b.frames.length - before
    await world.env.advance(MINUTE_MS)
    expect(b.refusedCount, `round ${round}`).toBe(refusedBefore + 1)
  }
  expect(b.received.every((bytes) => Buffer.compare(bytes, frameOf(1)) === 0)).toBe(true)
  expect(deliveredCount).toBeLessThanOrEqual(PREAMBLE_BYTES)
})

test('an answer that is not authentic ends the stream before anything else is said', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  await b.streams.close()
  // In b's place, somebody who has no key.
  const heard: number[] = []
  await world.network.machine(b.endpoint.host).listen(b.endpoint, (stream) => ({
    onBytes: (bytes) => {
      heard.push(bytes.length)
      stream.write([frameOf(7, ANSWER_BYTES)])
    },
    onClose: () => undefined,
  }))
  a.send(b, frameOf(1))
  await world.env.advance(50)
  expect([heard, a.refusedCount, a.frames.length]).toEqual([[PREAMBLE_BYTES], 1, 0])
})

test('a host has so many places for streams that have proved nothing, and gets them back after 5 s', async () => {
  const world = streamWorld()
  const [, b] = await openPair(world)
  const first = Array.from({ length: 2 * STREAMS_UNPROVED_PER_HOST_MAX }, () => stranger(world, b))
  await world.env.advance(100)
  expect(first.filter(({ isOpen }) => isOpen)).toHaveLength(STREAMS_UNPROVED_PER_HOST_MAX)
  await world.env.advance(STREAM_HANDSHAKE_MS)
  expect(first.filter(({ isOpen }) => isOpen)).toHaveLength(0)
  expect(b.reports).toEqual([])
  const second = stranger(world, b)
  await world.env.advance(100)
  expect(second.isOpen).toBe(true)
})

test('a preamble that never comes to its end is counted', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const [preamble] = await recorded(world, a, b)
  const half = stranger(world, b)
  half.stream.write([(preamble ?? frameOf(0)).subarray(0, PREAMBLE_BYTES - 1)])
  await world.env.advance(STREAM_HANDSHAKE_MS + 100)
  expect([half.isOpen, b.refusedCount]).toEqual([false, 1])
})

test('a genuine peer comes through while strangers hold all places', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  const strangers = Array.from({ length: 2 * STREAMS_UNPROVED_MAX }, (_, i) =>
    stranger(world, b, `10.8.0.${Math.floor(i / STREAMS_UNPROVED_PER_HOST_MAX)}`),
  )
  await world.env.advance(100)
  expect(strangers.filter(({ isOpen }) => isOpen)).toHaveLength(STREAMS_UNPROVED_MAX)
  a.send(b, frameOf(1))
  await world.env.advance(100)
  expect(b.received).toEqual([frameOf(1)])
})

test('a peer that opens stream after stream holds three of them', async () => {
  const world = streamWorld()
  const [a, b] = await openPair(world)
  for (let i = 0; i < 10; i++) {
    a.send(b, frameOf(i))
    await world.env.advance(100)
    // It forgets its stream without ending it.
    const forgotten = a.opened.at(-1)
    if (forgotten !== undefined) forgotten.destroy = () => undefined
    a.streams.drop(a.contact(b))
  }
  expect(b.frames).toHaveLength(10)
  expect(world.network.streams.endCount).toBeLessThanOrEqual(2 * 3 + 1)
})
