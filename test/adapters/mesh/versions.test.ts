/** Members of builds that do not exist yet: what they agree on, and what nobody on the way can make them agree on. */
import { expect, test } from 'vitest'
import { OwnGreeting } from '../../../adapters/mesh/handshake/handshake.ts'
import { cookieIn, knockPacket } from '../../../adapters/mesh/handshake/knock.ts'
import { type OpenPacketType, PACKET, authenticate } from '../../../adapters/mesh/handshake/packets.ts'
import type { Versions } from '../../../adapters/mesh/handshake/versions.ts'
import { KEYS, type ContactMember, type ContactWorld, PORT, contactWorld, openMember } from './contact-fixture.ts'

const [TODAY, BOTH, LATER] = [
  { oldest: 2, newest: 2 },
  { oldest: 2, newest: 3 },
  { oldest: 3, newest: 4 },
]
const HELLO = new TextEncoder().encode('hello')
const OLDEST_AT = 8
const NEWEST_AT = 9

interface Two {
  readonly world: ContactWorld
  readonly a: ContactMember
  readonly b: ContactMember
}

async function two(ofA: Versions, ofB: Versions): Promise<Two> {
  const world = contactWorld()
  const a = await openMember(world, { host: '10.0.0.1', versions: ofA })
  const b = await openMember(world, { host: '10.0.0.2', versions: ofB })
  return { world, a, b }
}

async function meet({ world, a, b }: Two): Promise<void> {
  a.contacts.greet(b.endpoint)
  await world.env.advance(3000)
}

/** `a` greets `b`, and somebody on the way changes packets of one type and puts a MAC on them that fits. */
async function meetThrough(pair: Two, type: OpenPacketType, change: (bytes: Uint8Array) => void): Promise<void> {
  const { world, a, b } = pair
  world.network.cut('10.0.0.1', '10.0.0.2')
  let nonce = new Uint8Array()
  world.network.onWire = (from, to, bytes) => {
    if (bytes[3] === PACKET.knock && bytes[0] === 0x57) nonce = bytes.slice(14, 30)
    const passed = bytes.slice()
    if (bytes[0] === 0x57 && bytes[3] === PACKET[type]) {
      change(passed)
      authenticate(KEYS.primary, passed, type === 'cookie' || type === 'welcome' ? nonce : undefined)
    }
    world.env.schedule(1, () => world.network.inject(from, to, passed))
  }
  a.contacts.greet(b.endpoint)
  await world.env.advance(3000)
}

test.each([
  ['today’s and today’s', TODAY, TODAY, 2],
  ['today’s and one that speaks both', TODAY, BOTH, 2],
  ['two that speak both', BOTH, BOTH, 3],
  ['one that speaks both and a later one', BOTH, LATER, 3],
  ['two later ones', LATER, LATER, 4],
])('%s agree on the greatest version in common, whoever greets', async (_, one, other, version) => {
  for (const pair of [await two(one, other), await two(other, one)]) {
    await meet(pair)
    const { world, a, b } = pair
    a.contacts.send(a.with(b), HELLO)
    await world.env.advance(10)
    expect(b.received.at(-1)?.bytes).toEqual(HELLO)
    expect(world.wire.at(-1)?.bytes[1]).toBe(version)
    const secret = a.contacts.streamSecret(a.with(b))
    expect(secret?.version).toBe(version)
    expect(b.contacts.streamByIndex(secret?.index ?? 0, a.endpoint.host)?.version).toBe(version)
  }
})

test('with no version in common both say so, naming what each speaks, and nobody becomes a contact', async () => {
  const pair = await two(TODAY, LATER)
  await meet(pair)
  const { a, b } = pair
  const error = { code: 'WARP_E_PROTOCOL' }
  expect(a.reports).toMatchObject([
    {
      kind: 'peer:refused',
      address: '10.0.0.2:7946',
      error: { ...error, details: { theirs: 'versions 3 to 4', ours: 'version 2' } },
    },
  ])
  expect(b.reports).toMatchObject([
    {
      kind: 'peer:refused',
      address: '10.0.0.1:7946',
      error: { ...error, details: { theirs: 'version 2', ours: 'versions 3 to 4' } },
    },
  ])
  expect([a.met, b.met, a.unanswered]).toEqual([[], [], [b.endpoint]])
  expect(a.contacts.counts).toMatchObject({ greetings: 0, sessions: 0 })
  expect(b.contacts.counts).toMatchObject({ unconfirmed: 0, sessions: 0 })
})

test.each<[OpenPacketType, string]>([
  ['knock', 'the greeter'],
  ['cookie', 'the greeted one'],
  ['greeting', 'the greeter'],
])('a %s that says less than %s speaks is never followed by a session', async (type) => {
  const pair = await two(BOTH, BOTH)
  await meetThrough(pair, type, (bytes) => {
    bytes[NEWEST_AT] = 2
    if (type === 'greeting') bytes[2] = 2
  })
  const { a, b } = pair
  // A knock is only asked for a cookie; what counts is said again in the greeting.
  if (type === 'knock') expect(a.contacts.streamSecret(a.with(b))?.version).toBe(3)
  else expect([a.met, b.met]).toEqual([[], []])
})

test('who changes what is said on the way, and has no key, is not heard', async () => {
  const pair = await two(BOTH, BOTH)
  const { world, a, b } = pair
  world.network.cut('10.0.0.1', '10.0.0.2')
  world.network.onWire = (from, to, bytes) => {
    const passed = bytes.slice()
    if (bytes[0] === 0x57) passed[OLDEST_AT] = passed[NEWEST_AT] = 2
    world.network.inject(from, to, passed)
  }
  await meet(pair)
  expect([a.met, b.met, a.unanswered]).toEqual([[], [], [b.endpoint]])
})

test('a greeting in a lower version than both speak is not answered, even from somebody with the key', async () => {
  const world = contactWorld()
  const b = await openMember(world, { host: '10.0.0.2', versions: BOTH })
  const from = { host: '10.0.0.1', port: PORT }
  const profile = { member: 'a'.repeat(16), zone: '', roles: [] }
  const answers = [3, 2].map((version) => {
    const knock = { index: version, nonce: new Uint8Array(16).fill(version) }
    world.network.inject(from, b.endpoint, knockPacket(KEYS.primary, BOTH, knock))
    const cookie = cookieIn(world.wire.at(-1)?.bytes ?? HELLO)
    const agreed = { version, greeter: BOTH, greeted: BOTH }
    const privateKey = new Uint8Array(32).fill(version)
    const greeting = new OwnGreeting({ key: KEYS.primary, agreed, knock, profile, privateKey })
    world.network.inject(from, b.endpoint, greeting.packet(cookie))
    return world.wire.at(-1)?.bytes[3]
  })
  expect(answers).toEqual([PACKET.welcome, PACKET.cookie])
  expect(b.contacts.counts.unconfirmed).toBe(1)
})
