/** What went wrong once, or would have: each of these is a case that ended in silence between two members who were both well. */
import { describe, expect, test } from 'vitest'
import { clusterKeys } from '../../../adapters/mesh/handshake/cluster-keys.ts'
import { type Contact, addressOf } from '../../../adapters/mesh/contacts/contact.ts'
import { ContactTable } from '../../../adapters/mesh/contacts/contact-table.ts'
import { meshTransport, type MeshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import { MESSAGE } from '../../../adapters/mesh/messages.ts'
import type { MeshOptions } from '../../../adapters/mesh/options.ts'
import { PACKET } from '../../../adapters/mesh/handshake/packets.ts'
import { Session } from '../../../adapters/mesh/contacts/session.ts'
import { encodeRecords } from '../../../adapters/mesh/membership/swim-messages.ts'
import { MEMBERSHIP_DEFAULTS, Membership } from '../../../adapters/mesh/membership/swim.ts'
import type { TransportLink } from '../../../src/index.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'
import {
  KEY_TEXT,
  OTHER_KEY_TEXT,
  PORT,
  type ContactMember,
  type ContactWorld,
  contactWorld,
  openMember,
  pair,
} from './contact-fixture.ts'

const HELLO = new TextEncoder().encode('hello')

/** Whether what each sends arrives. */
async function reach({ env }: ContactWorld, a: ContactMember, b: ContactMember): Promise<[boolean, boolean]> {
  a.received.length = b.received.length = 0
  a.contacts.send(a.with(b), HELLO)
  b.contacts.send(b.with(a), HELLO)
  await env.advance(100)
  const hasHeard = ({ received }: ContactMember): boolean => received.some(({ bytes }) => bytes.length === HELLO.length)
  return [hasHeard(b), hasHeard(a)]
}

describe('sessions of two members', () => {
  test('that greeted each other at the same time last as long as any, though each sends with the other one’s', async () => {
    const world = contactWorld()
    const a = await openMember(world, { host: '10.0.0.1' })
    const b = await openMember(world, { host: '10.0.0.2' })
    a.contacts.greet(b.endpoint)
    b.contacts.greet(a.endpoint)
    for (let minute = 0; minute < 70; minute++) {
      await world.env.advance(60_000)
      expect(await reach(world, a, b)).toEqual([true, true])
    }
    expect([a.lost, b.lost]).toEqual([[], []])
    expect(a.contacts.counts.sessions).toBeLessThanOrEqual(3)
  })

  test('one of whom has forgotten them are replaced within a minute, whoever else vouches for whom', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    // b drops a, and a does not hear of it: each thinks that the other one is there.
    b.contacts.drop(b.with(a))
    await world.env.advance(62_000)
    expect(await reach(world, a, b)).toEqual([true, true])
    expect(a.lost).toEqual([])
  })

  test('that hear each other are not replaced', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    for (let i = 0; i < 20; i++) {
      expect(await reach(world, a, b)).toEqual([true, true])
      await world.env.advance(20_000)
    }
    expect(world.wire.filter(({ bytes }) => bytes[0] !== PACKET.sealed && bytes[3] === PACKET.greeting)).toHaveLength(1)
  })

  test('are replaced by ones of a new key, also if the first handshake with it is lost', async () => {
    const world = contactWorld()
    const { a, b } = await pair(world)
    for (const member of [a, b]) member.contacts.useKeys(clusterKeys([KEY_TEXT, OTHER_KEY_TEXT], 'warp'))
    await world.env.advance(1000)
    world.network.cut('10.0.0.1', '10.0.0.2')
    for (const member of [a, b]) member.contacts.useKeys(clusterKeys([OTHER_KEY_TEXT, KEY_TEXT], 'warp'))
    await world.env.advance(5000)
    world.network.heal()
    await world.env.advance(35_000)
    for (const member of [a, b]) member.contacts.useKeys(clusterKeys(OTHER_KEY_TEXT, 'warp'))
    expect([a.lost, b.lost]).toEqual([[], []])
    expect(await reach(world, a, b)).toEqual([true, true])
  })

  test('offered and not taken up for a minute cannot be taken up any more', async () => {
    const world = contactWorld()
    const a = await openMember(world, { host: '10.0.0.1' })
    const b = await openMember(world, { host: '10.0.0.2' })
    a.contacts.greet(b.endpoint)
    const isWelcomed = (): boolean => world.wire.some(({ bytes }) => bytes[3] === PACKET.welcome)
    for (let ms = 0; ms < 100 && !isWelcomed(); ms++) await world.env.advance(1)
    // Everything that would confirm the session is held back, and delivered when nobody thinks of it any more.
    world.network.cut('10.0.0.1', '10.0.0.2', { oneWay: true })
    await world.env.advance(60_000)
    const confirming = world.wire.filter(({ from, bytes }) => from.host === '10.0.0.1' && bytes[0] === PACKET.sealed)
    expect(confirming.length).toBeGreaterThan(0)
    for (const { bytes } of confirming) world.network.inject(a.endpoint, b.endpoint, bytes)
    expect(b.met).toEqual([])
    expect(b.contacts.counts).toMatchObject({ sessions: 0, unconfirmed: 0 })
  })
})

function sessionWith(member: string, host: string, localIndex: number): Session {
  const secret = new Uint8Array(32)
  return new Session({
    ...{ localIndex, remoteIndex: localIndex, keyId: 0, version: 2, isInitiator: true, bornMs: 0 },
    secrets: { sending: secret, receiving: secret, stream: secret },
    endpoint: { host, port: PORT },
    profile: { member, zone: '', roles: [] },
  })
}

test('somebody new at what was another address of a member does not end the contact with that member', () => {
  const lost: string[] = []
  const table = new ContactTable(virtualEnv(), {
    onContact: () => undefined,
    onLost: ({ address }) => void lost.push(address),
    onFull: () => undefined,
  })
  table.establish(sessionWith('b', '10.0.0.2', 1))
  const b = table.ofMember('b')
  if (b === undefined) throw new Error('it has just been established')
  table.alias(b, { host: '10.0.0.22', port: PORT })
  table.establish(sessionWith('c', '10.0.0.22', 2))
  expect(lost).toEqual([])
  expect(table.atAddress('10.0.0.22:7946')).toBe(table.ofMember('c'))
  expect(table.atAddress('10.0.0.2:7946')).toBe(b)
  table.lose(b, 'dropped')
  expect(table.atAddress('10.0.0.22:7946')).toBe(table.ofMember('c'))
})

interface OpenMesh {
  readonly transport: MeshTransport
  readonly link: TransportLink
  readonly frames: Uint8Array[]
}

async function openMesh(
  { env, network }: { readonly env: VirtualEnv; readonly network: FakeMeshNetwork },
  host: string,
  options: Partial<MeshOptions> = {},
): Promise<OpenMesh> {
  const frames: Uint8Array[] = []
  const transport = meshTransport({
    ...{ host, clusterKey: KEY_TEXT, multicast: false, network: network.machine(host) },
    clock: env.fork({ label: host }),
    ...options,
  })
  const link = await transport.open({ receive: (_, bytes) => void frames.push(bytes) })
  return { transport, link, frames }
}

function meshWorld(): { readonly env: VirtualEnv; readonly network: FakeMeshNetwork } {
  const env = virtualEnv()
  return { env, network: new FakeMeshNetwork({ clock: env, delayMs: 1 }) }
}

test.each([
  ['2001:db8::2', '[2001:DB8:0:0::2]'],
  ['2001:db8::2', '2001:db8:0:0:0:0:0:2'],
  ['10.0.0.2', '[::ffff:10.0.0.2]'],
])('a peer at %s is found, also if it is written as %s', async (host, peer) => {
  const world = meshWorld()
  await openMesh(world, host)
  const a = await openMesh(world, host.includes(':') ? '2001:db8::1' : '10.0.0.1', { peers: [peer] })
  await world.env.advance(2000)
  expect(a.transport.members()).toMatchObject([{ state: 'alive' }])
})

test('streams that were opened under a key which is not accepted any more end with it', async () => {
  const world = meshWorld()
  const b = await openMesh(world, '10.0.0.2')
  const a = await openMesh(world, '10.0.0.1', { peers: ['10.0.0.2'] })
  await world.env.advance(1000)
  a.link.broadcast(new Uint8Array(5000).fill(1))
  await world.env.advance(100)
  const opened: unknown[] = []
  const connect = world.network.streams.connect.bind(world.network.streams)
  world.network.streams.connect = (...args) => {
    opened.push(args)
    return connect(...args)
  }
  const steps = [[KEY_TEXT, OTHER_KEY_TEXT], [OTHER_KEY_TEXT, KEY_TEXT], [OTHER_KEY_TEXT]]
  for (const step of steps) {
    for (const { transport } of [a, b]) {
      transport.useKeys(step)
      await world.env.advance(500)
    }
  }
  opened.length = 0
  expect(world.network.streams.endCount).toBe(0)
  a.link.broadcast(new Uint8Array(5000).fill(2))
  await world.env.advance(1000)
  expect(opened).toHaveLength(1)
  expect(b.frames.map(({ [0]: first }) => first)).toEqual([1, 2])
})

test('a peer comes through while somebody else at its host holds all places for streams', async () => {
  const world = meshWorld()
  const b = await openMesh(world, '10.0.0.2')
  const a = await openMesh(world, '10.0.0.1', { peers: ['10.0.0.2'] })
  await world.env.advance(1000)
  const nothing = { onBytes: () => undefined, onClose: () => undefined }
  for (let i = 0; i < 40; i++) world.network.streams.connect('10.0.0.1', { host: '10.0.0.2', port: PORT }, nothing)
  await world.env.advance(50)
  a.link.broadcast(new Uint8Array(5000).fill(1))
  await world.env.advance(50)
  expect(b.frames).toHaveLength(1)
})

test('thirty members of one machine open their streams at once, and all come through at the first try', async () => {
  const world = meshWorld()
  const hub = await openMesh(world, '127.0.0.1', { port: 8000 })
  const others: OpenMesh[] = []
  for (let i = 1; i <= 30; i++)
    others.push(await openMesh(world, '127.0.0.1', { port: 8000 + i, peers: ['127.0.0.1:8000'] }))
  await world.env.advance(1000)
  for (const { link } of others) link.send('127.0.0.1:8000', new Uint8Array(5000))
  await world.env.advance(20)
  expect(hub.frames).toHaveLength(30)
})

test('a member on another machine is not looked for at one’s own loopback address', async () => {
  const world = meshWorld()
  const loopback = { host: '127.0.0.1', port: 7000 }
  const introduced: string[] = []
  const membership = new Membership({
    clock: world.env,
    self: { member: '0'.repeat(16), zone: '', roles: [] },
    settings: MEMBERSHIP_DEFAULTS,
    send: () => undefined,
    events: {
      onState: () => undefined,
      onIntroduced: (endpoint) => void introduced.push(addressOf(endpoint)),
      onSkewed: () => undefined,
      onMalformed: () => undefined,
    },
  })
  const contactAt = (member: string, host: string): Contact => ({
    profile: { member, zone: '', roles: [] },
    endpoint: { host, port: PORT },
    address: addressOf({ host, port: PORT }),
  })
  membership.met(contactAt('1'.repeat(16), '10.0.0.1'))
  membership.met(contactAt('2'.repeat(16), '127.0.0.1'))
  const profile = { member: '3'.repeat(16), zone: '', roles: [] }
  const [records] = encodeRecords([{ profile, state: 'alive', incarnation: 0, endpoint: loopback }])
  if (records === undefined) throw new Error('one record makes one message')
  membership.receive('1'.repeat(16), MESSAGE.records, records)
  expect(introduced).toEqual([])
  membership.receive('2'.repeat(16), MESSAGE.records, records)
  expect(introduced).toEqual([addressOf(loopback)])
})

test('an announcement that is played again makes a member knock once, not for a minute', async () => {
  const world = meshWorld()
  const group = { host: '239.255.77.46', port: 7947 }
  let packet = new Uint8Array()
  await world.network.machine('10.0.0.9').joinMulticast(group, '10.0.0.9', (_, bytes) => void (packet = bytes.slice()))
  const former = await openMesh(world, '10.0.0.1', { multicast: {} })
  await world.env.advance(1000)
  await Promise.all([former.link.close(), world.env.advance(3000)])
  const played = packet
  await openMesh(world, '10.0.0.2', { multicast: {} })
  await world.env.advance(3000)
  const knocks: string[] = []
  world.network.onWire = (_, to) => void knocks.push(addressOf(to))
  const port = await world.network.machine('10.6.6.6').bind({ host: '10.6.6.6', port: 1 }, () => undefined)
  port.sendMulticast(group, played)
  await world.env.advance(60_000)
  const knockCount = knocks.filter((address) => address === '10.6.6.6:1').length
  expect(knockCount).toBeGreaterThan(0)
  expect(knockCount).toBeLessThanOrEqual(4)
})
