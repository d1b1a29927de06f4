/**
 * Whatever somebody without the cluster key sends, nothing changes: 240,000 packets that are forged, replayed, truncated, flipped and
 * random, from the peer's own address and from elsewhere, at a member in the middle of its work; and bytes of the same kinds at its stream
 * port. Seeded: `SEED=... npx vitest run`.
 */
import { expect, test } from 'vitest'
import { addressOf } from '../../../adapters/mesh/contacts/contact.ts'
import { meshTransport, type MeshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import type { Endpoint, StreamHandlers } from '../../../adapters/mesh/sockets/network.ts'
import { PACKET, writeU32 } from '../../../adapters/mesh/handshake/packets.ts'
import { SEED } from '../../../property-tests/seed.ts'
import type { TransportLink, TransportReport } from '../../../src/index.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { leastKeptBytes, PARTS } from '../../support/kept-bytes.ts'
import { type Random, seededRandom } from '../../../testing/world/random.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'
import type { ContactMember } from './contact-fixture.ts'
import { KEY_TEXT, PORT, contactWorld, openMember, pair, type ContactWorld, type Sent } from './contact-fixture.ts'

const PACKETS = 120_000
const BATCH = 2000
const MIB = 1024 * 1024

/** A packet as an attacker would make it of what has been seen, or of nothing. */
function hostile(random: Random, seen: readonly Uint8Array[]): Uint8Array {
  const packet = random.pick(seen).slice()
  const kind = random.below(7)
  if (kind === 0) return random.bytes(random.below(1500))
  if (kind === 1) return packet
  if (kind === 2) return packet.slice(0, random.below(packet.length))
  if (kind === 3) return withRandomBody(random, packet)
  if (kind === 4) return Uint8Array.from([...packet, ...random.bytes(random.between(1, 64))])
  for (let flips = random.between(1, 4); flips > 0; flips--)
    packet[random.below(packet.length)]! ^= 1 << random.below(8)
  if (kind === 6 && packet[0] === PACKET.sealed) writeU32(packet, 12, random.uint32())
  return packet
}

/** The head is in order, the rest is not. */
function withRandomBody(random: Random, packet: Uint8Array): Uint8Array {
  packet.set(random.bytes(packet.length - 8), 8)
  return packet
}

function sourceOf(random: Random, peer: Endpoint): Endpoint {
  if (random.chance(0.5)) return peer
  return { host: `10.${random.below(4)}.${random.below(256)}.${random.below(256)}`, port: random.between(1, 65_535) }
}

test('forged, replayed and broken datagrams change nothing, and no answer is larger than the question', async () => {
  const random = seededRandom(SEED)
  const world = contactWorld()
  const { a, b } = await pair(world)
  for (let i = 0; i < 50; i++) {
    a.contacts.send(a.with(b), random.bytes(random.below(1000)))
    b.contacts.send(b.with(a), random.bytes(random.below(1000)))
  }
  await world.env.advance(70_000)
  const attack = new Attack(world, { victim: b, peer: a, random })
  const before = attack.state()
  const kept = await leastKeptBytes(async () => {
    for (let i = 0; i < PACKETS / BATCH / PARTS; i++) await attack.strike()
  })
  expect(kept).toBeLessThan((4 * MIB) / PARTS)
  expect(attack.state()).toEqual(before)
  expect(attack.largerAnswers).toBe(0)
  // Sessions that were offered for replayed greetings expire; nothing else was ever made.
  expect(b.contacts.counts.unconfirmed).toBeLessThanOrEqual(4)
  expect(b.reports.length).toBeLessThan(200)
  a.contacts.send(a.with(b), new TextEncoder().encode('still here'))
  await world.env.advance(10)
  expect(new TextDecoder().decode(b.received.at(-1)?.bytes)).toBe('still here')
})

class Attack {
  readonly #world: ContactWorld
  readonly #victim: ContactMember
  readonly #peer: ContactMember
  readonly #random: Random
  readonly #seen: readonly Uint8Array[]
  largerAnswers = 0

  constructor(world: ContactWorld, parts: { victim: ContactMember; peer: ContactMember; random: Random }) {
    this.#world = world
    this.#victim = parts.victim
    this.#peer = parts.peer
    this.#random = parts.random
    this.#seen = world.wire.map(({ bytes }) => bytes)
  }

  /** What must stay as it is. */
  state(): unknown {
    const { contacts, received, met, lost, unanswered, announced } = this.#victim
    const { contacts: count, greetings, ownAddresses } = contacts.counts
    const events = [received, met, lost, unanswered, announced].map(({ length }) => length)
    return { events, count, greetings, ownAddresses, secret: contacts.streamSecret(this.#victim.with(this.#peer)) }
  }

  async strike(): Promise<void> {
    const { wire, network, env } = this.#world
    const answers: Sent[] = []
    wire.length = 0
    for (let i = 0; i < BATCH; i++) {
      const from = sourceOf(this.#random, this.#peer.endpoint)
      const packet = hostile(this.#random, this.#seen)
      network.inject(from, this.#victim.endpoint, packet)
      answers.push(...wire.splice(0))
      for (const { to, bytes } of answers.splice(0)) {
        if (bytes.length > packet.length || addressOf(to) !== addressOf(from)) this.largerAnswers++
      }
    }
    await env.advance(100)
    wire.length = 0
  }
}

test('announcements that are no members’ make nobody greet', async () => {
  const random = seededRandom(SEED)
  const world = contactWorld()
  const { b } = await pair(world)
  const group = { host: '239.255.77.46', port: 7947 }
  const c = await openMember(world, { host: '10.0.0.3' })
  const heard: Uint8Array[] = []
  await world.network.machine('10.0.0.2').joinMulticast(group, '10.0.0.2', (_, bytes) => heard.push(bytes))
  c.contacts.sendAnnouncement(group)
  await world.env.advance(10)
  const [real] = heard as [Uint8Array]
  let authentic = 0
  for (let i = 0; i < 20_000; i++) {
    const packet = hostile(random, [real])
    if (Buffer.compare(packet, real) === 0) authentic++
    b.contacts.announced(sourceOf(random, c.endpoint), packet)
  }
  expect(b.announced).toHaveLength(authentic)
})

test('a mesh under fire goes on with its work, and opens no streams for anybody', async () => {
  const random = seededRandom(SEED)
  const env = virtualEnv({ seed: SEED })
  const network = new FakeMeshNetwork({ clock: env, delayMs: 1 })
  const seen: Uint8Array[] = []
  network.onWire = (_, __, bytes) => {
    if (seen.length < 500) seen.push(bytes)
  }
  const a = await openMesh(env, network, '10.0.0.1')
  const b = await openMesh(env, network, '10.0.0.2')
  await env.advance(3000)
  let batches = 0
  const fire = async (): Promise<void> => {
    for (let j = 0; j < BATCH; j++) {
      network.inject(
        sourceOf(random, { host: '10.0.0.1', port: PORT }),
        { host: '10.0.0.2', port: PORT },
        hostile(random, seen),
      )
    }
    for (let j = 0; j < 20; j++) badStream(network, random)
    a.link.broadcast(Uint8Array.of(1, batches))
    a.link.broadcast(new Uint8Array(5000).fill(batches))
    batches++
    await env.advance(200)
  }
  const kept = await leastKeptBytes(async () => {
    for (let i = 0; i < PACKETS / BATCH / PARTS; i++) await fire()
  })
  expect(kept).toBeLessThan((8 * MIB) / PARTS)
  await env.advance(2000)
  expect(b.transport.members()).toMatchObject([{ address: '10.0.0.1:7946', state: 'alive' }])
  expect(b.ups).toEqual(['10.0.0.1:7946'])
  expect(b.frames.filter((bytes) => bytes.length === 2)).toHaveLength(PACKETS / BATCH)
  expect(b.frames.filter((bytes) => bytes.length === 5000)).toHaveLength(PACKETS / BATCH)
  expect(b.frames).toHaveLength((2 * PACKETS) / BATCH)
  expect(b.reports.length).toBeLessThan(300)
  // The two of the pair's own streams, one each way at most, both ends counted.
  await env.advance(10_000)
  expect(network.streams.endCount).toBeLessThanOrEqual(4)
  await Promise.all([a.link.close(), b.link.close(), env.advance(3000)])
})

interface OpenMesh {
  readonly transport: MeshTransport
  readonly link: TransportLink
  readonly frames: Uint8Array[]
  readonly ups: string[]
  readonly reports: TransportReport[]
}

async function openMesh(env: VirtualEnv, network: FakeMeshNetwork, host: string): Promise<OpenMesh> {
  const frames: Uint8Array[] = []
  const ups: string[] = []
  const reports: TransportReport[] = []
  const transport = meshTransport({
    ...{ host, peers: ['10.0.0.1'], clusterKey: KEY_TEXT, multicast: false, network: network.machine(host) },
    clock: env.fork({ label: host }),
  })
  const link = await transport.open({
    receive: (_, bytes) => void frames.push(bytes),
    peerUp: (peer) => void ups.push(peer),
    report: (report) => void reports.push(report),
  })
  return { transport, link, frames, ups, reports }
}

/** Somebody connects, says something, and goes or stays. */
function badStream(network: FakeMeshNetwork, random: Random): void {
  const host = random.chance(0.5) ? '10.0.0.1' : `10.9.${random.below(256)}.${random.below(256)}`
  const bytes = random.bytes(random.between(3, 200))
  if (random.chance(0.5)) bytes.set(new TextEncoder().encode('Ws\u0001'))
  const handlers: StreamHandlers = { onBytes: () => undefined, onClose: () => undefined }
  const stream = network.streams.connect(host, { host: '10.0.0.2', port: PORT }, handlers)
  stream.write([bytes])
  if (random.chance(0.5)) stream.end()
}
