import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Presence } from '../../../adapters/broker/presence.ts'
import { PART_HEAD_BYTES, readPart } from '../../../adapters/broker/frame-parts.ts'
import { Reassembly } from '../../../adapters/broker/reassembly.ts'
import { Outgoing } from '../../../adapters/broker/packets/outgoing.ts'
import {
  type Entry,
  numberBehind,
  OtherFormat,
  PACKET_BYTES,
  type Packet,
  readPacket,
  writePacket,
} from '../../../adapters/broker/packets/packets.ts'
import { FRAME_BYTES_MAX } from '../../../src/limits.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { FakeClock } from '../broker/fake-clock.ts'

const FROM = '0123456789abcdef'
const SEED = 'packets'
const random = seededRandom(SEED)
const frameOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
const entryOf = (kind: Entry['kind'], bytes: Uint8Array = new Uint8Array()): Entry => ({ kind, bytes })

function shown(packet: Packet | undefined): unknown {
  return packet && { ...packet, entries: packet.entries.map(({ kind, bytes }) => [kind, ...bytes]) }
}

describe('packets', () => {
  test('say what they say', () => {
    const entries = [entryOf('asking'), entryOf('frame', frameOf(10)), entryOf('frame'), entryOf('bye')]
    const packet = { from: FROM, number: 0xfffffffe, entries, takesDeflated: true }
    expect(shown(readPacket(writePacket(packet)))).toEqual(shown(packet))
  })

  test('are deflated where that is understood, and worth it', () => {
    const entries = Array.from({ length: 100 }, () => entryOf('frame', frameOf(2000)))
    const packet = { from: FROM, number: 7, entries, takesDeflated: true }
    const [plain, smaller] = [writePacket(packet), writePacket(packet, true)]
    expect(smaller.length).toBeLessThan(plain.length / 4)
    for (const written of [plain, smaller]) expect(shown(readPacket(written))).toEqual(shown(packet))
    const few = { ...packet, entries: entries.slice(0, 2) }
    expect(writePacket(few, true)).toEqual(writePacket(few))
    const noise = entryOf(
      'frame',
      Uint8Array.from({ length: 10_000 }, () => random.below(256)),
    )
    expect(writePacket({ ...packet, entries: [noise] }, true)).toHaveLength(10_000 + 19)
  })

  test('of builds that leave the marks 0 are read, and those understand nothing deflated', () => {
    const packet = writePacket({ from: FROM, number: 7, entries: [entryOf('here')] })
    packet[1] = 0
    expect(readPacket(packet)?.takesDeflated).toBe(false)
  })

  test('that claim to be deflated and are not, or grow beyond a packet, are refused', () => {
    const marked = (body: Uint8Array): Buffer => {
      const head = writePacket({ from: FROM, number: 7, entries: [] })
      head[1] = 3
      return Buffer.concat([head, body])
    }
    expect(readPacket(marked(frameOf(100)))).toBeUndefined()
    expect(readPacket(marked(new Uint8Array()))).toBeUndefined()
    const ofOne = (length: number): Packet | undefined => {
      const whole = writePacket({ from: FROM, number: 7, entries: [entryOf('frame', frameOf(length))] })
      return readPacket(marked(deflateRawSync(whole.subarray(14), { level: 0 })))
    }
    expect(ofOne(PACKET_BYTES / 2)?.entries).toHaveLength(1)
    expect(ofOne(PACKET_BYTES)).toBeUndefined()
    expect(readPacket(marked(deflateRawSync(Buffer.alloc(PACKET_BYTES / 2))))).toBeUndefined()
  })

  test(`that are cut, grown or changed are refused or read, and never more than that (seed ${SEED})`, () => {
    const entries = [entryOf('frame', frameOf(50)), entryOf('part', frameOf(30)), entryOf('here')]
    const whole = writePacket({ from: FROM, number: 7, entries })
    const one = writePacket({ from: FROM, number: 7, entries: entries.slice(0, 1) })
    for (let length = 15; length < one.length; length++) expect(readPacket(one.subarray(0, length))).toBeUndefined()
    for (let i = 0; i < 20_000; i++) {
      const bytes = Buffer.from(whole)
      for (let n = random.below(4); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256)
      const cut = bytes.subarray(0, random.below(2) === 0 ? bytes.length : random.below(bytes.length + 1))
      try {
        const read = readPacket(cut)
        if (read === undefined) continue
        // Whole entries, and nothing besides.
        expect(read.entries.reduce((sum, one) => sum + 5 + one.bytes.length, 14)).toBe(cut.length)
      } catch (error) {
        expect(error).toBeInstanceOf(OtherFormat)
      }
    }
  })

  test('are numbered from 1 again behind the largest number', () => {
    expect([0, 1, 0xffffffff].map(numberBehind)).toEqual([1, 2, 1])
  })
})

describe('what waits to be published', () => {
  function played(bytesMax = 64 * 1024 * 1024) {
    const published: { readonly channel: string; readonly packet: Packet; readonly bytes: number }[] = []
    const answers: (() => void)[] = []
    const outgoing = new Outgoing({
      address: FROM,
      numbered: 'all',
      bytesMax,
      deflates: () => false,
      publish: (channel, packet) => {
        published.push({ channel, packet: readPacket(packet)!, bytes: packet.length })
        return new Promise<void>((resolve) => answers.push(resolve))
      },
      refused: () => undefined,
    })
    const answer = async (): Promise<void> => {
      for (const one of answers.splice(0)) one()
      for (let i = 0; i < 5; i++) await Promise.resolve()
    }
    return { outgoing, published, answer }
  }

  test('goes alone and at once while nothing is under way, and together behind it', async () => {
    const { outgoing, published, answer } = played()
    for (let i = 0; i < 10; i++) outgoing.frame('all', frameOf(i))
    expect(published.map(({ packet }) => packet.entries.length)).toEqual([1])
    await answer()
    expect(published.map(({ packet }) => packet.entries.length)).toEqual([1, 9])
    await answer()
    expect(outgoing.bytes).toBe(0)
  })

  test('keeps its order over channels, and numbers what goes to all', async () => {
    const { outgoing, published, answer } = played()
    for (const channel of ['all', 'all', 'one', 'all', 'all']) outgoing.frame(channel, frameOf(1))
    for (let i = 0; i < 5; i++) await answer()
    expect(published.map(({ channel, packet }) => [channel, packet.number, packet.entries.length])).toEqual([
      ['all', 1, 1],
      ['all', 2, 1],
      ['one', 0, 1],
      ['all', 3, 2],
    ])
  })

  test('goes in packets that are not too large, of which a few are under way at a time', async () => {
    const { outgoing, published, answer } = played()
    const frame = frameOf(FRAME_BYTES_MAX)
    outgoing.frame('all', frame)
    expect(published.length).toBeLessThanOrEqual(5)
    for (let i = 0; i < 20; i++) await answer()
    expect(Math.max(...published.map(({ bytes }) => bytes))).toBeLessThanOrEqual(PACKET_BYTES)
    const reassembly = new Reassembly()
    const parts = published.flatMap(({ packet }) => packet.entries)
    const read = parts.map(({ bytes }) => reassembly.add(FROM, readPart(bytes)!))
    expect(Buffer.compare(read.at(-1)!, frame)).toBe(0)
    expect(parts.every(({ bytes }) => bytes.length > PART_HEAD_BYTES)).toBe(true)
  })

  test('counts until it is answered, and no more when the connection is lost', async () => {
    const { outgoing, answer } = played(1000)
    outgoing.frame('all', frameOf(500))
    outgoing.frame('all', frameOf(300))
    expect(outgoing.hasRoomFor(500)).toBe(false)
    outgoing.lost()
    expect(outgoing.bytes).toBe(0)
    outgoing.frame('all', frameOf(500))
    await answer()
    expect(outgoing.bytes).toBe(0)
  })
})

test('who misses a numbered message is told that the peer is up anew, once', () => {
  const clock = new FakeClock()
  const ups: string[] = []
  const receiver = { receive: () => undefined, peerUp: (peer: string) => void ups.push(peer) }
  const presence = new Presence({ clock, heartbeatMs: 1000, receiver, beat: () => undefined })
  for (const number of [5, 6, 0, 7]) presence.heard('a', { number })
  expect(ups).toEqual(['a'])
  presence.heard('a', { number: 9 })
  expect(ups).toEqual(['a', 'a'])
  for (const number of [10, 0, 11]) presence.heard('a', { number })
  expect(ups).toEqual(['a', 'a'])
  presence.close()
})

test('everybody understands what is deflated only where each who is there has said so', () => {
  const presence = new Presence({
    ...{ clock: new FakeClock(), heartbeatMs: 1000, beat: () => undefined },
    receiver: { receive: () => undefined },
  })
  expect(presence.takesDeflated()).toBe(false)
  presence.heard('new', { takesDeflated: true })
  expect([presence.takesDeflated(), presence.takesDeflated('new'), presence.takesDeflated('unheard')]).toEqual([
    true,
    true,
    false,
  ])
  presence.heard('old')
  expect([presence.takesDeflated(), presence.takesDeflated('new'), presence.takesDeflated('old')]).toEqual([
    false,
    true,
    false,
  ])
  presence.left('old')
  expect(presence.takesDeflated()).toBe(true)
  presence.close()
})
