import { describe, expect, test } from 'vitest'
import {
  STREAM_CHECK_MS,
  STREAM_FAILURES_MAX,
  STREAM_IDLE_MS,
  STREAM_RETRY_MS_MAX,
  STREAM_STALL_MS,
} from '../../../adapters/mesh/streams/stream-settings.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { refused } from '../../support/refused.ts'
import { Member, frameOf, openMembers, openPair, streamWorld } from './stream-fixture.ts'

const MIB = 1024 * 1024

describe('frames', () => {
  test('arrive as they were sent, in order, from who sent them', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    const sent = [1, 1500, 300_000, 4 * MIB].map((length, i) => frameOf(i + 1, length))
    for (const frame of sent) expect(a.send(b, frame)).toBe(true)
    await world.env.advance(1000)
    expect(b.frames.map(({ bytes }) => bytes.length)).toEqual([1, 1500, 300_000, 4 * MIB])
    for (const [i, frame] of sent.entries()) expect(Buffer.compare(b.frames[i]?.bytes ?? frame, frame)).toBe(0)
    expect(new Set(b.frames.map(({ from }) => from))).toEqual(new Set([b.contact(a)]))
    expect(b.frames.some(({ bytes }) => Buffer.isBuffer(bytes))).toBe(false)
  })

  test('are not kept: the caller may use the bytes again at once', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    const bytes = Buffer.from(frameOf(1))
    a.send(b, bytes)
    bytes.fill(2)
    await world.env.advance(100)
    a.send(b, bytes)
    bytes.fill(3)
    await world.env.advance(100)
    expect(b.received).toEqual([frameOf(1), frameOf(2)])
  })

  test('go both ways on one stream', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    b.send(a, frameOf(2))
    await world.env.advance(100)
    expect([a.received, b.received]).toEqual([[frameOf(2)], [frameOf(1)]])
    expect(world.network.streams.openedCount).toBe(1)
  })

  test('both opening at once lose nothing', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    for (let i = 0; i < 20; i++) {
      a.send(b, frameOf(i))
      b.send(a, frameOf(100 + i))
      await world.env.advance(1)
    }
    await world.env.advance(100)
    expect(a.received.map((bytes) => bytes[0])).toEqual(Array.from({ length: 20 }, (_, i) => 100 + i))
    expect(b.received.map((bytes) => bytes[0])).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(world.network.streams.endCount).toBe(4)
  })

  test('many members talk to one at once', async () => {
    const world = streamWorld()
    const members = await openMembers(world, 12)
    const [one, ...others] = members as [Member, ...Member[]]
    for (const other of others) other.send(one, frameOf(1))
    await world.env.advance(2000)
    expect(new Set(one.frames.map(({ from }) => from.address)).size).toBe(11)
  })

  test('travel deflated where that is asked for, also to a member that does not deflate', async () => {
    const world = streamWorld()
    const [a, b] = [new Member(world, { compress: true }), new Member(world)]
    for (const member of [a, b]) await member.streams.open()
    let bytesCount = 0
    a.tap = (bytes) => {
      bytesCount += bytes.length
      return bytes
    }
    const random = seededRandom(2)
    const frame = Uint8Array.from({ length: 100_000 }, (_, i) => (i % 30 === 0 ? random.below(256) : 1))
    a.send(b, frame)
    await world.env.advance(100)
    expect(b.received).toEqual([frame])
    expect(bytesCount).toBeLessThan(20_000)
  })

  test('larger than the limit are the caller’s mistake, and one without bytes says nothing', async () => {
    const [a, b] = await openPair(streamWorld())
    expect(refused(() => a.send(b, new Uint8Array(4 * MIB + 1))).code).toBe('WARP_E_LIMIT')
    expect(a.send(b, new Uint8Array(0))).toBe(true)
    expect(a.queuedBytes(b)).toBe(0)
  })

  test('to a member without a session are refused', async () => {
    const [a, b] = await openPair(streamWorld())
    a.hasSessions = false
    expect(a.send(b, frameOf(1))).toBe(false)
  })
})

describe('towards a peer that does not take them', () => {
  test('no more than the queue holds is kept, and sending says so', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world, { queueBytesMax: 5 * MIB })
    a.send(b, frameOf(1))
    await world.env.advance(100)
    world.network.cut(a.endpoint.host, b.endpoint.host)
    let takenCount = 0
    while (a.send(b, frameOf(2, 256 * 1024))) takenCount++
    await world.env.advance(100)
    while (a.send(b, frameOf(2, 256 * 1024))) takenCount++
    // The fake system's window takes one frame more.
    expect([takenCount >= 18, takenCount <= 22, a.queuedBytes(b) <= 5 * MIB]).toEqual([true, true, true])
    world.network.heal()
    await world.env.advance(1000)
    expect(b.frames).toHaveLength(1 + takenCount)
    expect(a.queuedBytes(b)).toBe(0)
  })

  test('the same frames go out once the peer listens', async () => {
    const world = streamWorld()
    const [a, b] = [new Member(world), new Member(world)]
    await a.streams.open()
    a.send(b, frameOf(1))
    await world.env.advance(200)
    await b.streams.open()
    await world.env.advance(1000)
    expect(b.received).toEqual([frameOf(1)])
  })

  test('tries become rare, and after some failures what waits is let go of and somebody is told, once', async () => {
    const world = streamWorld()
    const [a, b] = [new Member(world), new Member(world)]
    await a.streams.open()
    a.send(b, frameOf(1))
    await world.env.advance(STREAM_RETRY_MS_MAX)
    expect(a.opened).toHaveLength(STREAM_FAILURES_MAX)
    expect(a.queuedBytes(b)).toBe(0)
    for (let i = 0; i < 100; i++) {
      a.send(b, frameOf(2))
      await world.env.advance(1000)
    }
    expect(a.opened.length).toBeLessThan(STREAM_FAILURES_MAX + 45)
    expect(a.reports.map(({ kind }) => kind)).toEqual(['peer:unreachable'])
    await b.streams.open()
    a.send(b, frameOf(3))
    await world.env.advance(2 * STREAM_RETRY_MS_MAX)
    expect(b.received.at(-1)).toEqual(frameOf(3))
  })

  test('a handshake that gets no answer is given up after 5 s', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.tap = () => undefined
    a.send(b, frameOf(1))
    await world.env.advance(4990)
    expect(a.opened).toHaveLength(1)
    a.tap = undefined
    await world.env.advance(200)
    expect([a.opened.length, b.received]).toEqual([2, [frameOf(1)]])
  })

  test('a stream whose bytes the system does not take for 30 s is given up', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    world.network.cut(a.endpoint.host, b.endpoint.host)
    while (a.send(b, frameOf(2, MIB)));
    await world.env.advance(STREAM_STALL_MS + STREAM_CHECK_MS)
    expect(a.opened.length).toBeGreaterThan(1)
    await world.env.advance(2 * STREAM_STALL_MS)
    expect(a.queuedBytes(b)).toBe(0)
  })
})

describe('a stream', () => {
  test('that breaks while frames wait is opened again', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    for (let i = 0; i < 6; i++) a.send(b, frameOf(2, MIB))
    a.opened[0]?.destroy()
    await world.env.advance(1000)
    // What had been sealed for the broken stream is lost; what waited behind it is not.
    expect(b.frames.length).toBeGreaterThanOrEqual(5)
    expect(a.queuedBytes(b)).toBe(0)
    expect(world.network.streams.openedCount).toBe(2)
  })

  test('that breaks while nothing waits is not', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    a.opened[0]?.destroy()
    await world.env.advance(STREAM_IDLE_MS)
    expect(world.network.streams).toMatchObject({ openedCount: 1, endCount: 0 })
    b.send(a, frameOf(2))
    await world.env.advance(100)
    expect(a.received).toEqual([frameOf(2)])
  })

  test('without traffic is ended after a minute, at both ends, without a trace', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(STREAM_IDLE_MS - STREAM_CHECK_MS)
    expect(world.network.streams.endCount).toBe(2)
    b.send(a, frameOf(2))
    await world.env.advance(STREAM_IDLE_MS - STREAM_CHECK_MS)
    expect(world.network.streams.endCount).toBe(2)
    await world.env.advance(2 * STREAM_CHECK_MS)
    expect(world.network.streams.endCount).toBe(0)
    await world.env.advance(2 * STREAM_IDLE_MS)
    expect([world.env.timerCount, a.refusedCount, b.refusedCount]).toEqual([0, 0, 0])
    a.send(b, frameOf(3))
    await world.env.advance(100)
    expect(b.received).toEqual([frameOf(1), frameOf(3)])
  })

  test('that has used its key up makes way for another one', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world, { recordsMax: 10 })
    for (let i = 0; i < 95; i++) {
      a.send(b, frameOf(i))
      await world.env.advance(1000)
    }
    await world.env.advance(STREAM_RETRY_MS_MAX)
    expect(b.received.map((bytes) => bytes[0])).toEqual(Array.from({ length: 95 }, (_, i) => i))
    expect(world.network.streams.openedCount).toBeGreaterThan(9)
  })

  test('with half a frame and no progress for 30 s is destroyed', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    let bytesLeft = 3000
    a.tap = (bytes) => {
      const part = bytes.subarray(0, Math.min(bytes.length, bytesLeft))
      bytesLeft -= part.length
      return part.length > 0 ? part : undefined
    }
    a.send(b, frameOf(2))
    await world.env.advance(STREAM_STALL_MS - STREAM_CHECK_MS)
    expect(world.network.streams.endCount).toBe(2)
    await world.env.advance(2 * STREAM_CHECK_MS)
    expect(world.network.streams.endCount).toBe(0)
    expect(b.received).toEqual([frameOf(1)])
  })

  test('outlives the session that it began with', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    a.hasSessions = b.hasSessions = false
    a.send(b, frameOf(2))
    b.send(a, frameOf(3))
    await world.env.advance(100)
    expect([a.received, b.received]).toEqual([[frameOf(3)], [frameOf(1), frameOf(2)]])
  })
})

describe('letting go', () => {
  test('a dropped contact leaves no stream, no bytes and no timer', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    world.network.cut(a.endpoint.host, b.endpoint.host)
    while (a.send(b, frameOf(2, MIB)));
    a.streams.drop(a.contact(b))
    b.streams.drop(b.contact(a))
    expect(a.queuedBytes(b)).toBe(0)
    expect(world.network.streams.endCount).toBe(0)
    world.network.heal()
    await world.env.advance(100)
    expect([world.env.timerCount, b.received]).toEqual([0, [frameOf(1)]])
  })

  test('a contact dropped while its stream begins leaves nothing either', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(1)
    a.streams.drop(a.contact(b))
    await world.env.advance(10_000)
    expect([world.network.streams.endCount, world.env.timerCount, b.frames.length]).toEqual([0, 0, 0])
  })

  test('a contact dropped from within a frame hears no other one', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    b.whenFrame = () => b.streams.drop(b.contact(a))
    // All in one piece, as a socket may hand them over.
    const chunks: Uint8Array[] = []
    a.tap = (bytes) => {
      chunks.push(bytes)
      return undefined
    }
    for (let i = 0; i < 3; i++) a.send(b, frameOf(2))
    await world.env.advance(10)
    a.tap = undefined
    a.opened[0]?.write([Buffer.concat(chunks)])
    await world.env.advance(10)
    expect(b.received).toEqual([frameOf(1), frameOf(2)])
  })

  test('a contact dropped between two tries is not tried again', async () => {
    const world = streamWorld()
    const [a, b] = [new Member(world), new Member(world)]
    a.send(b, frameOf(1))
    await world.env.advance(10)
    expect([a.opened.length, world.env.timerCount]).toEqual([1, 1])
    a.streams.drop(a.contact(b))
    expect(world.env.timerCount).toBe(0)
  })

  test('a contact dropped while one stream ends and another one begins leaves neither', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world, { recordsMax: 3 })
    a.send(b, frameOf(1))
    await world.env.advance(10)
    world.network.cut(a.endpoint.host, b.endpoint.host)
    for (let i = 0; i < 3; i++) a.send(b, frameOf(2, MIB))
    await world.env.advance(10)
    expect(a.opened).toHaveLength(2)
    a.streams.drop(a.contact(b))
    // What is left is b's end of the first one, and its timer.
    expect([world.network.streams.endCount, world.env.timerCount]).toEqual([1, 1])
  })

  test('what waits for a contact whose session is gone when its stream breaks is let go of', async () => {
    const world = streamWorld()
    const [a, b] = [new Member(world), new Member(world)]
    a.send(b, frameOf(1))
    await world.env.advance(10)
    a.hasSessions = false
    await world.env.advance(1000)
    expect([a.opened.length, a.queuedBytes(b), world.env.timerCount]).toEqual([1, 0, 0])
  })

  test('closing sends what waits, and settles', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    for (let i = 0; i < 6; i++) a.send(b, frameOf(2, MIB))
    const closed = a.streams.close()
    expect(a.send(b, frameOf(3))).toBe(false)
    await world.env.advance(100)
    await closed
    expect(b.frames).toHaveLength(7)
    expect(a.streams.close()).toBe(a.streams.close())
    expect([world.network.streams.endCount, world.env.timerCount]).toEqual([0, 0])
  })

  test('closing waits a second for a peer that does not take it, and no longer', async () => {
    const world = streamWorld()
    const [a, b] = await openPair(world)
    a.send(b, frameOf(1))
    await world.env.advance(100)
    world.network.cut(a.endpoint.host, b.endpoint.host)
    while (a.send(b, frameOf(2, MIB)));
    const closed = a.streams.close()
    await world.env.advance(1000)
    await closed
    expect(a.queuedBytes(b)).toBe(0)
  })

  test('a port that is taken is an error of opening', async () => {
    const world = streamWorld()
    const [a] = await openPair(world)
    await expect(a.streams.open()).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
  })
})
