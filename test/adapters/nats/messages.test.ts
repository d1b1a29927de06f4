import { describe, expect, test } from 'vitest'
import { type Message, messagesOf, OtherFormat, readMessage, sign } from '../../../adapters/nats/transport/messages.ts'
import { Presence } from '../../../adapters/broker/presence.ts'
import { Reassembly, UNFINISHED_BYTES_MAX } from '../../../adapters/broker/reassembly.ts'
import { FRAME_BYTES_MAX, PEERS_MAX } from '../../../src/limits.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { FakeClock } from '../broker/fake-clock.ts'

const ADDRESS = '0123456789abcdef'
const random = seededRandom('messages')
const frameOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
const partsOf = (frame: Uint8Array, max: number, number = 1, from = ADDRESS): Message[] =>
  [...messagesOf(frame, from, number, max)].map((bytes) => readMessage(bytes)!)

const added = (reassembly: Reassembly, part: Message): Uint8Array | undefined => reassembly.add(part.from, part)

describe('messages', () => {
  test('say what they say', () => {
    for (const kind of ['here', 'asking', 'bye'] as const)
      expect(readMessage(sign(kind, ADDRESS))).toMatchObject({ kind, from: ADDRESS })
    expect(readMessage(sign('frame', ADDRESS, frameOf(10)))).toMatchObject({ kind: 'frame', bytes: frameOf(10) })
  })

  test('that carry a frame come to it, however little a message may have', () => {
    for (const [length, max] of [
      [0, 1024],
      [1012, 1024],
      [1013, 1024],
      [100_000, 1024],
      [FRAME_BYTES_MAX, 512 * 1024],
    ] as const) {
      const frame = frameOf(length)
      const messages = [...messagesOf(frame, ADDRESS, 1, max)]
      expect(Math.max(...messages.map(({ length: size }) => size))).toBeLessThanOrEqual(max)
      const read = messages.map((bytes) => readMessage(bytes)!)
      const reassembly = new Reassembly()
      const whole = read[0]?.kind === 'frame' ? read[0].bytes : read.map((part) => added(reassembly, part)).at(-1)
      expect(Buffer.compare(Buffer.from(whole!), Buffer.from(frame))).toBe(0)
    }
  })

  test('that are cut, grown or changed are refused or read, and never more than that', () => {
    const messages = [
      ...messagesOf(frameOf(5000), ADDRESS, 1, 1024),
      sign('here', ADDRESS),
      sign('frame', ADDRESS, frameOf(9)),
    ]
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from(messages[random.below(messages.length)]!)
      for (let n = random.below(4); n > 0; n--) bytes[random.below(Math.min(bytes.length, 30))] = random.below(256)
      const cut = bytes.subarray(0, random.below(2) === 0 ? bytes.length : random.below(bytes.length + 1))
      try {
        const message = readMessage(cut)
        if (message?.kind !== 'part') continue
        expect(message.at + message.bytes.length).toBeLessThanOrEqual(message.frameBytes)
        expect(message.frameBytes).toBeLessThanOrEqual(FRAME_BYTES_MAX)
      } catch (error) {
        expect(error).toBeInstanceOf(OtherFormat)
      }
    }
  })
})

describe('frames that come in parts', () => {
  test('are dropped when a part is missing, and the next one is whole', () => {
    const reassembly = new Reassembly()
    const [first, , third, ...rest] = partsOf(frameOf(5000), 1024)
    for (const part of [first!, third!, ...rest]) expect(added(reassembly, part)).toBeUndefined()
    const again = partsOf(frameOf(3000), 1024, 2).map((part) => added(reassembly, part))
    expect(again.at(-1)).toEqual(frameOf(3000))
  })

  test('are not mixed, with another frame or another sender', () => {
    const reassembly = new Reassembly()
    const one = partsOf(frameOf(3000), 1024, 1)
    const two = partsOf(frameOf(3000), 1024, 2)
    const other = partsOf(frameOf(2500), 1024, 1, 'fedcba9876543210')
    added(reassembly, one[0]!)
    added(reassembly, other[0]!)
    for (const part of [...two.slice(1), ...one.slice(1)]) expect(added(reassembly, part)).toBeUndefined()
    expect(
      other
        .slice(1)
        .map((part) => added(reassembly, part))
        .at(-1),
    ).toEqual(frameOf(2500))
  })

  test('take no more memory than a few of the largest, whoever begins how many', () => {
    const reassembly = new Reassembly()
    const [first, ...rest] = partsOf(frameOf(FRAME_BYTES_MAX), 512 * 1024, 1, '0'.repeat(16))
    const senders = Array.from({ length: 100 }, (_, i) => String(i))
    for (const from of senders) added(reassembly, { ...first!, from })
    // Only what was kept can be brought to its end.
    const ended = senders.filter((from) => rest.map((part) => added(reassembly, { ...part, from })).some(Boolean))
    expect(ended).toHaveLength(UNFINISHED_BYTES_MAX / FRAME_BYTES_MAX)
  })
})

describe('presence', () => {
  function present(): { clock: FakeClock; presence: Presence; told: string[]; beats: () => number } {
    const clock = new FakeClock()
    const told: string[] = []
    let beats = 0
    const presence = new Presence({
      clock,
      heartbeatMs: 1000,
      beat: () => void beats++,
      receiver: {
        receive: () => undefined,
        peerUp: (peer) => void told.push(`up ${peer}`),
        peerDown: (peer) => void told.push(`down ${peer}`),
        report: (report) => void told.push(report.kind),
      },
    })
    return { clock, presence, told, beats: () => beats }
  }

  test('beats about once a second', () => {
    const { clock, beats } = present()
    clock.advance(100_000)
    expect(beats()).toBeGreaterThanOrEqual(80)
    expect(beats()).toBeLessThanOrEqual(100)
  })

  test('who is silent is suspected after three beats and down after five; a sign of life is enough', () => {
    const { clock, presence, told } = present()
    presence.heard('a')
    clock.advance(3000)
    presence.heard('a')
    clock.advance(3500)
    expect(told).toEqual(['up a'])
    clock.advance(2000)
    expect(told).toEqual(['up a', 'peer:suspect'])
    expect(presence.peers()).toEqual([{ address: 'a', state: 'suspect' }])
    presence.heard('a')
    expect(told.at(-1)).toBe('up a')
    clock.advance(9000)
    expect(told).toEqual(['up a', 'peer:suspect', 'up a', 'peer:suspect', 'down a'])
    presence.heard('a')
    expect(told.at(-1)).toBe('up a')
  })

  test('who says goodbye is down, once', () => {
    const { presence, told } = present()
    presence.left('stranger')
    presence.heard('a')
    presence.left('a')
    presence.left('a')
    expect(told).toEqual(['up a', 'down a'])
  })

  test('those who are down are forgotten in time, and there is an end to how many are known', () => {
    const { clock, presence } = present()
    for (let i = 0; i < PEERS_MAX; i++) expect(presence.heard(`${i}`)).toBe(true)
    expect(presence.heard('one too many')).toBe(false)
    presence.left('7')
    expect(presence.heard('one too many')).toBe(true)
    clock.advance(20 * 60_000)
    expect(presence.peers()).toEqual([])
  })
})
