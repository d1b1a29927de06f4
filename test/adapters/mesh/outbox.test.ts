/** Small messages on their way into datagrams, and out of them. */
import { describe, expect, test } from 'vitest'
import type { Contact } from '../../../adapters/mesh/contacts/contact.ts'
import { MESSAGE, readMessages, writeMessage } from '../../../adapters/mesh/messages.ts'
import { Outbox } from '../../../adapters/mesh/outbox.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

const PAYLOAD_BYTES_MAX = 100

function contactAt(address: string): Contact {
  return { profile: { member: '0', zone: '', roles: [] }, endpoint: { host: address, port: 1 }, address }
}

function outbox(): { env: ReturnType<typeof virtualEnv>; box: Outbox; sent: { to: string; bodies: number[][] }[] } {
  const env = virtualEnv()
  const sent: { to: string; bodies: number[][] }[] = []
  const box = new Outbox({
    clock: env,
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    transmit: ({ address }, payload) => {
      expect(payload.length).toBeLessThanOrEqual(PAYLOAD_BYTES_MAX)
      const bodies: number[][] = []
      expect(readMessages(payload, (_, body) => bodies.push([...body]))).toBe(true)
      sent.push({ to: address, bodies })
    },
  })
  return { env, box, sent }
}

describe('the outbox', () => {
  test('sends what was said to one contact within a turn as one datagram', async () => {
    const { env, box, sent } = outbox()
    const [a, b] = [contactAt('a'), contactAt('b')]
    box.add(a, MESSAGE.frame, Uint8Array.of(1))
    box.add(b, MESSAGE.frame, Uint8Array.of(2))
    box.add(a, MESSAGE.ping, Uint8Array.of(3))
    expect(sent).toEqual([])
    await env.runUntilIdle()
    expect(sent).toEqual([
      { to: 'a', bodies: [[1], [3]] },
      { to: 'b', bodies: [[2]] },
    ])
  })

  test('sends a datagram that is full at once, and keeps the order', async () => {
    const { env, box, sent } = outbox()
    const a = contactAt('a')
    for (let i = 0; i < 10; i++) box.add(a, MESSAGE.frame, new Uint8Array(30).fill(i))
    expect(sent.map(({ bodies }) => bodies.length)).toEqual([3, 3, 3])
    await env.runUntilIdle()
    expect(sent.flatMap(({ bodies }) => bodies.map(([first]) => first))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('takes what just fits, and says what does not', async () => {
    const { env, box, sent } = outbox()
    expect([box.fits(96), box.fits(97)]).toEqual([true, false])
    box.add(contactAt('a'), MESSAGE.frame, new Uint8Array(96))
    await env.runUntilIdle()
    expect(sent).toHaveLength(1)
  })

  test('forgets what waits for one that is dropped', async () => {
    const { env, box, sent } = outbox()
    const a = contactAt('a')
    box.add(a, MESSAGE.frame, Uint8Array.of(1))
    box.drop(a)
    await env.runUntilIdle()
    expect(sent).toEqual([])
    box.add(a, MESSAGE.frame, Uint8Array.of(2))
    await env.runUntilIdle()
    expect(sent).toEqual([{ to: 'a', bodies: [[2]] }])
  })
})

describe('messages', () => {
  test('of every length come back', () => {
    for (const length of [0, 1, 127, 128, 1160, 16_383, 16_384, 64_000]) {
      const bytes = new Uint8Array(length + 4)
      const end = writeMessage(bytes, 0, MESSAGE.frame, new Uint8Array(length).fill(5))
      const seen: number[] = []
      expect(readMessages(bytes.subarray(0, end), (kind, body) => seen.push(kind, body.length))).toBe(true)
      expect(seen).toEqual([MESSAGE.frame, length])
    }
  })

  test.each([
    ['no length', [1]],
    ['a length without an end', [1, 0x80]],
    ['a length that is too long', [1, 0x80, 0x80, 0x80, 0x00]],
    ['less than it says', [1, 3, 0, 0]],
  ])('%s: cut short', (_, bytes) => {
    expect(readMessages(Uint8Array.from(bytes), () => undefined)).toBe(false)
  })

  test('before one that is cut short are shown', () => {
    const kinds: number[] = []
    expect(readMessages(Uint8Array.of(7, 0, 99, 1, 0, 1), (kind) => kinds.push(kind))).toBe(false)
    expect(kinds).toEqual([7, 99])
  })
})
