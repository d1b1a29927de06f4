/** Who becomes a contact, and who does not. */
import { describe, expect, test } from 'vitest'
import { clusterKeys, insecureKeys } from '../../../adapters/mesh/handshake/cluster-keys.ts'
import { OwnGreeting } from '../../../adapters/mesh/handshake/handshake.ts'
import { announcementPacket, cookieIn, knockPacket } from '../../../adapters/mesh/handshake/knock.ts'
import type { Endpoint } from '../../../adapters/mesh/sockets/network.ts'
import { PACKET } from '../../../adapters/mesh/handshake/packets.ts'
import { MESH_VERSIONS } from '../../../adapters/mesh/handshake/versions.ts'
import { KEY_TEXT, KEYS, OTHER_KEY_TEXT, PORT, contactWorld, openMember, pair } from './contact-fixture.ts'

const HELLO = new TextEncoder().encode('hello')

function typesOf(wire: readonly { readonly bytes: Uint8Array }[]): number[] {
  return wire.map(({ bytes }) => (bytes[0] === PACKET.sealed ? PACKET.sealed : (bytes[3] ?? 0)))
}

function nonceOf(seed: number): Uint8Array {
  return new Uint8Array(16).fill(seed)
}

function announcementOf(member: string, { primary } = KEYS): Uint8Array {
  return announcementPacket(primary, MESH_VERSIONS, { member, nonce: nonceOf(0) })
}

describe('a handshake', () => {
  test('makes contacts of both, who know each other by what they said of themselves', async () => {
    const { a, b } = await pair(contactWorld())
    expect(a.with(b).profile).toMatchObject({ zone: 'west', roles: ['writer'] })
    expect(b.with(a).profile).toMatchObject({ zone: 'east', roles: [] })
    expect([a.met.length, b.met.length]).toEqual([1, 1])
  })

  test('asks for a cookie before it keeps anything, and answers nothing that is larger than the question', async () => {
    const world = contactWorld()
    await pair(world)
    const { knock, greeting, cookie, welcome, sealed } = PACKET
    expect(typesOf(world.wire).slice(0, 5)).toEqual([knock, cookie, greeting, welcome, sealed])
    const [first, second, third, fourth] = world.wire.map(({ bytes }) => bytes.length)
    expect(second).toBeLessThanOrEqual(first!)
    expect(fourth).toBeLessThanOrEqual(third!)
  })

  test('comes through loss, repeats and reorder', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = contactWorld({ seed, loss: 0.3, repeat: 0.2, reorder: 0.3 })
      const { a, b } = await pair(world)
      for (let i = 0; i < 10 && a.met.length + b.met.length < 2; i++) {
        a.contacts.greet(b.endpoint)
        await world.env.advance(3000)
      }
      expect([a.met.length, b.met.length]).toEqual([1, 1])
    }
  })

  test('that nobody answers is given up after some tries', async () => {
    const world = contactWorld()
    const a = await openMember(world, { host: '10.0.0.1' })
    const nobody = { host: '10.0.0.9', port: PORT }
    a.contacts.greet(nobody)
    a.contacts.greet(nobody)
    await world.env.advance(2500)
    expect(world.wire).toHaveLength(4)
    expect(a.unanswered).toEqual([nobody])
    expect(a.contacts.counts).toMatchObject({ greetings: 0, sessions: 0 })
  })

  test('both ways at once does no harm', async () => {
    const world = contactWorld()
    const a = await openMember(world, { host: '10.0.0.1' })
    const b = await openMember(world, { host: '10.0.0.2' })
    a.contacts.greet(b.endpoint)
    b.contacts.greet(a.endpoint)
    await world.env.advance(100)
    a.contacts.send(a.with(b), HELLO)
    b.contacts.send(b.with(a), HELLO)
    await world.env.advance(100)
    expect([a.met.length, b.met.length, a.lost.length, b.lost.length]).toEqual([1, 1, 0, 0])
    expect(a.received.at(-1)?.bytes).toEqual(HELLO)
    expect(b.received.at(-1)?.bytes).toEqual(HELLO)
  })

  test('with oneself is noticed and not tried again for a while', async () => {
    const world = contactWorld()
    const a = await openMember(world, { host: '10.0.0.1' })
    a.contacts.greet(a.endpoint)
    await world.env.advance(100)
    expect(a.contacts.isSelf(a.endpoint)).toBe(true)
    const sent = world.wire.length
    a.contacts.greet(a.endpoint)
    await world.env.advance(10_000)
    expect(world.wire).toHaveLength(sent)
    expect(a.met).toEqual([])
  })
})

describe('payloads', () => {
  test('arrive whole, and nothing of them is on the wire', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const payload = new Uint8Array(a.contacts.payloadBytesMax).fill(0x61)
    a.contacts.send(a.with(b), payload)
    await world.env.advance(10)
    expect(b.received.at(-1)?.bytes).toEqual(payload)
    const onWire = world.wire.at(-1)?.bytes ?? new Uint8Array()
    expect(onWire).toHaveLength(1200)
    expect(Buffer.from(onWire).includes('aaaa')).toBe(false)
  })

  test('that come again are taken once', async () => {
    const world = contactWorld({ repeat: 1 })
    const { a, b } = await pair(world)
    for (let i = 0; i < 100; i++) a.contacts.send(a.with(b), HELLO)
    await world.env.advance(200)
    expect(b.received.filter(({ bytes }) => bytes.length === HELLO.length)).toHaveLength(100)
    expect(b.reports).toMatchObject([{ kind: 'packets:refused', forgedCount: 0, malformedCount: 0 }])
  })

  test('from another address than the contact’s are not taken', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    world.network.cut('10.0.0.1', '10.0.0.2')
    a.contacts.send(a.with(b), HELLO)
    const packet = world.wire.at(-1)?.bytes ?? new Uint8Array()
    b.received.length = 0
    world.network.inject({ host: '10.0.0.3', port: PORT }, b.endpoint, packet)
    world.network.inject({ host: '10.0.0.1', port: PORT + 1 }, b.endpoint, packet)
    expect(b.received).toEqual([])
    world.network.inject(a.endpoint, b.endpoint, packet)
    expect(b.received).toHaveLength(1)
  })
})

describe('a session', () => {
  test('is replaced after an hour, without a gap', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const before = a.contacts.streamSecret(a.with(b))
    await world.env.advance(3_600_000 + 60_000)
    const after = a.contacts.streamSecret(a.with(b))
    expect(after?.index).not.toBe(before?.index)
    b.contacts.send(b.with(a), HELLO)
    await world.env.advance(10)
    expect(a.received.at(-1)?.bytes).toEqual(HELLO)
    expect([a.lost, b.lost, a.met.length, b.met.length]).toEqual([[], [], 1, 1])
    await world.env.advance(10 * 3_600_000)
    expect(a.contacts.counts.sessions).toBeLessThanOrEqual(3)
  })

  test('offered and never used is forgotten, and changes nothing', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    // The greeting with its cookie, sent again by somebody who has seen it and can hear the answer.
    const greeting = world.wire[2]?.bytes ?? new Uint8Array()
    for (let i = 0; i < 50; i++) world.network.inject(a.endpoint, b.endpoint, greeting)
    expect(b.contacts.counts.unconfirmed).toBe(1)
    await world.env.advance(6000)
    const c = await openMember(world, { host: '10.0.0.3' })
    c.contacts.greet(b.endpoint)
    await world.env.advance(100)
    expect(b.contacts.counts).toMatchObject({ contacts: 2, unconfirmed: 0, sessions: 2 })
    expect(b.met).toHaveLength(2)
  })

  test('is offered to one address a few times, even to somebody with the key', async () => {
    const world = contactWorld()
    const b = await openMember(world, { host: '10.0.0.2' })
    const from = { host: '10.0.0.1', port: PORT }
    const profile = { member: 'abcdefabcdefabcd', zone: '', roles: [] }
    const agreed = { version: MESH_VERSIONS.newest, greeter: MESH_VERSIONS, greeted: MESH_VERSIONS }
    for (let i = 1; i <= 20; i++) {
      const knock = { index: i, nonce: nonceOf(i) }
      world.network.inject(from, b.endpoint, knockPacket(KEYS.primary, MESH_VERSIONS, knock))
      const cookie = cookieIn(world.wire.at(-1)?.bytes ?? new Uint8Array())
      const privateKey = new Uint8Array(32).fill(i)
      const greeting = new OwnGreeting({ key: KEYS.primary, agreed, knock, profile, privateKey })
      world.network.inject(from, b.endpoint, greeting.packet(cookie))
    }
    expect(b.contacts.counts).toMatchObject({ unconfirmed: 4, sessions: 4, contacts: 0 })
    expect(typesOf(world.wire).filter((type) => type === PACKET.welcome)).toHaveLength(4)
  })

  test('is offered for a cookie of the same address only, and for some seconds', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const greeting = world.wire[2]?.bytes ?? new Uint8Array()
    const answerTo = (from: Endpoint): number | undefined => {
      world.network.inject(from, b.endpoint, greeting)
      return typesOf(world.wire).at(-1)
    }
    expect(answerTo(a.endpoint)).toBe(PACKET.welcome)
    expect(answerTo({ host: '10.0.0.1', port: PORT + 1 })).toBe(PACKET.cookie)
    expect(answerTo({ host: '10.0.0.3', port: PORT })).toBe(PACKET.cookie)
    await world.env.advance(11_000)
    expect(answerTo(a.endpoint)).toBe(PACKET.welcome)
    await world.env.advance(10_000)
    expect(answerTo(a.endpoint)).toBe(PACKET.cookie)
  })

  test('gives streams a secret that both ends find, and strangers do not', async () => {
    const { a, b } = await pair(contactWorld())
    const mine = a.contacts.streamSecret(a.with(b))
    expect(mine).toBeDefined()
    const { index } = mine ?? { index: 0 }
    expect(b.contacts.streamByIndex(index, '10.0.0.1')).toEqual({ contact: b.with(a), ...mine })
    expect(b.contacts.streamByIndex(index, '10.0.0.3')).toBeUndefined()
    expect(b.contacts.streamByIndex(index + 1, '10.0.0.1')).toBeUndefined()
  })
})

describe('a member that is started again', () => {
  test('takes the place of the one that was at its address', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const former = b.with(a)
    world.network.crash('10.0.0.1')
    const again = await openMember(world, { host: '10.0.0.1' })
    again.contacts.greet(b.endpoint)
    await world.env.advance(100)
    expect(b.lost).toEqual([{ contact: former, why: 'replaced' }])
    expect(b.with(again).profile.member).not.toBe(former.profile.member)
    expect(b.contacts.of(a.with(b).profile.member)).toBeUndefined()
    expect(b.contacts.counts).toMatchObject({ contacts: 1, sessions: 1 })
  })

  test('that is dropped has no keys left', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const contact = a.with(b)
    a.contacts.drop(contact)
    a.contacts.drop(contact)
    expect(a.lost).toEqual([{ contact, why: 'dropped' }])
    expect(a.contacts.counts).toMatchObject({ contacts: 0, sessions: 0 })
    expect(a.contacts.streamSecret(contact)).toBeUndefined()
  })
})

describe('strangers', () => {
  test('with another key are never answered, and reported once a minute', async () => {
    const world = contactWorld()
    const b = await openMember(world, { host: '10.0.0.2' })
    const stranger = await openMember(world, { host: '10.0.0.1', keys: clusterKeys(OTHER_KEY_TEXT, 'warp') })
    for (let i = 0; i < 5; i++) {
      stranger.contacts.greet(b.endpoint)
      await world.env.advance(3000)
    }
    const refused = b.reports.filter(({ kind }) => kind === 'peer:refused')
    expect(refused).toMatchObject([{ address: '10.0.0.1:7946', error: { code: 'WARP_E_AUTH' } }])
    expect(world.wire.every(({ from }) => from.host === '10.0.0.1')).toBe(true)
    await world.env.advance(60_000)
    stranger.contacts.greet(b.endpoint)
    await world.env.advance(100)
    expect(b.reports.filter(({ kind }) => kind === 'peer:refused')).toHaveLength(2)
  })

  test('of another cluster with the same key are strangers too', async () => {
    const world = contactWorld()
    const b = await openMember(world, { host: '10.0.0.2' })
    const other = await openMember(world, { host: '10.0.0.1', keys: clusterKeys(KEY_TEXT, 'staging') })
    other.contacts.greet(b.endpoint)
    await world.env.advance(3000)
    expect([b.met, other.met]).toEqual([[], []])
  })

  test('of a time before versions were negotiated are reported as such', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const greeting = world.wire[0]?.bytes.slice() ?? new Uint8Array()
    greeting[2] = 1
    world.network.inject(a.endpoint, b.endpoint, greeting)
    expect(b.reports).toMatchObject([
      { kind: 'peer:refused', error: { code: 'WARP_E_PROTOCOL', details: { theirs: 'version 1', ours: 'version 2' } } },
      { kind: 'packets:refused' },
    ])
  })

  test('are reported for so many addresses a minute', async () => {
    const world = contactWorld()
    const b = await openMember(world, { host: '10.0.0.2' })
    const bytes = announcementOf('0'.repeat(16), clusterKeys(OTHER_KEY_TEXT, 'warp'))
    for (let i = 0; i < 1000; i++) b.contacts.announced({ host: `10.1.${i >> 8}.${i & 255}`, port: 1 }, bytes)
    expect(b.reports.filter(({ kind }) => kind === 'peer:refused')).toHaveLength(64)
  })
})

describe('an announcement', () => {
  test('tells of whoever is not in contact, by where it came from', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const group = { host: '239.255.77.46', port: 7947 }
    const c = await openMember(world, { host: '10.0.0.3' })
    for (const member of [a, b, c]) {
      const { contacts, endpoint } = member
      await world.network
        .machine(endpoint.host)
        .joinMulticast(group, endpoint.host, (from, bytes) => contacts.announced(from, bytes))
    }
    a.contacts.sendAnnouncement(group)
    await world.env.advance(10)
    expect([a.announced, b.announced, c.announced]).toEqual([[], [], [a.endpoint]])
  })

  test('that is not authentic tells nothing', async () => {
    const world = contactWorld()
    const b = await openMember(world, { host: '10.0.0.2' })
    const bytes = announcementOf('0123456789abcdef')
    bytes[10]! ^= 1
    b.contacts.announced({ host: '10.0.0.1', port: PORT }, bytes)
    expect(b.announced).toEqual([])
    bytes[10]! ^= 1
    b.contacts.announced({ host: '10.0.0.1', port: PORT }, bytes)
    expect(b.announced).toHaveLength(1)
  })
})

describe('replacing the cluster key', () => {
  test('step by step, nobody loses contact', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    const steps = [[KEY_TEXT, OTHER_KEY_TEXT], [OTHER_KEY_TEXT, KEY_TEXT], [OTHER_KEY_TEXT]]
    for (const step of steps) {
      for (const member of [a, b]) {
        member.contacts.useKeys(clusterKeys(step, 'warp'))
        await world.env.advance(500)
      }
    }
    a.contacts.send(a.with(b), HELLO)
    await world.env.advance(10)
    expect(b.received.at(-1)?.bytes).toEqual(HELLO)
    expect([a.lost, b.lost]).toEqual([[], []])
  })

  test('in one step on one side only, the other side is a stranger at once', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    a.contacts.useKeys(clusterKeys(OTHER_KEY_TEXT, 'warp'))
    expect(a.lost).toMatchObject([{ why: 'dropped' }])
    b.contacts.send(b.with(a), HELLO)
    await world.env.advance(3000)
    expect(a.received.map(({ bytes }) => bytes.length)).not.toContain(HELLO.length)
    expect(b.reports).toContainEqual(expect.objectContaining({ kind: 'peer:refused' }))
  })
})

test('without a key nobody beyond loopback is greeted or answered', async () => {
  const world = contactWorld()
  const keys = insecureKeys('warp')
  const a = await openMember(world, { host: '127.0.0.1', keys })
  const b = await openMember(world, { host: '127.0.0.2', keys })
  const outside = await openMember(world, { host: '10.0.0.3', keys })
  a.contacts.greet(outside.endpoint)
  a.contacts.greet(b.endpoint)
  await world.env.advance(100)
  expect([a.met.length, b.met.length]).toEqual([1, 1])
  expect(a.unanswered).toEqual([outside.endpoint])
  expect(world.wire.every(({ to }) => to.host.startsWith('127.'))).toBe(true)
})
