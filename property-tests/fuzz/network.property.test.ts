/**
 * What comes from peers: frames, snapshot streams, messages of the mesh, records of streams. Datagrams and streams of those who do not hold the
 * key have tests of their own (test/adapters/mesh/hostile.test.ts).
 */
import { createSecretKey } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { answerGreeting } from '../../adapters/mesh/handshake/handshake.ts'
import { knockIn } from '../../adapters/mesh/handshake/knock.ts'
import { PACKET, authenticate, readHead } from '../../adapters/mesh/handshake/packets.ts'
import { MESH_VERSIONS } from '../../adapters/mesh/handshake/versions.ts'
import { MESSAGE, type MessageKind, readMessages, writeMessage } from '../../adapters/mesh/messages.ts'
import type { MemberRecord } from '../../adapters/mesh/membership/member-record.ts'
import { Opening, answerTo, indexIn } from '../../adapters/mesh/streams/stream-preamble.ts'
import { RecordReader, RecordWriter } from '../../adapters/mesh/streams/stream-records.ts'
import {
  decodeAck,
  decodePing,
  decodePingRequest,
  decodeRecords,
  encodeAck,
  encodePing,
  encodePingRequest,
  encodeRecords,
} from '../../adapters/mesh/membership/swim-messages.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { FrameDecoder } from '../../src/replication/wire/frame-decoder.ts'
import { FrameEncoder } from '../../src/replication/wire/frame-encoder.ts'
import { OperationsBatch } from '../../src/replication/wire/operations-batch.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { REPLICA_IDS } from '../../testing/laws/reference-replica.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { KEYS, contactWorld, pair } from '../../test/adapters/mesh/contact-fixture.ts'
import { TestEngine } from '../../test/engine/engine-fixture.ts'
import { fuzz, INPUTS } from './fuzz.ts'
import { type Recorded, recordedLog } from './operations.ts'

const [A, B] = REPLICA_IDS as [(typeof REPLICA_IDS)[number], (typeof REPLICA_IDS)[number]]

let recorded: Recorded

const LEASE = '00112233445566ff'

beforeAll(async () => {
  recorded = await recordedLog()
})

test('a frame', async () => {
  const table = new ReplicaTable()
  const sender = { replica: A, session: 7 }
  const encoder = new FrameEncoder(table, () => sender)
  const vector = VersionVector.from([
    [A, 300],
    [B, 1],
  ])
  const batch = new OperationsBatch(table)
  batch.begin(sender, 5)
  for (const envelope of recorded.envelopes.slice(0, 4)) batch.add(envelope, 0, envelope.length)
  const chunk = {
    transfer: 9,
    offer: 1,
    index: 0,
    last: true,
    refused: false,
    vector,
    bytes: recorded.stream.subarray(0, 50),
  }
  const decoder = new FrameDecoder()
  await fuzz({
    name: 'frame',
    corpus: [
      encoder
        .digest(
          { reply: false, applied: vector, floor: vector, stable: new VersionVector(), heard: [B], retired: [[B, 0]] },
          300,
        )
        .slice(),
      encoder
        .digestChange({
          ...{ reply: true, asks: 'whole', anchor: 300, count: 2, announcesAll: false },
          risen: { applied: vector, floor: new VersionVector(), stable: vector },
        })
        .slice(),
      encoder.request(3, [{ replica: A, from: 1, to: 1000 }]).slice(),
      encoder.snapshotRequest({ transfer: 9, acknowledged: 2, from: 3, count: 16 }).slice(),
      encoder.snapshotChunk(chunk).slice(),
      batch.finish(true).slice(),
      encoder
        .hello({
          ...{
            asks: true,
            isPersistent: false,
            readsChanges: true,
            readsConfirmations: true,
            readsLeases: true,
            answersLoads: true,
            tellsCopies: true,
            readsMessages: true,
            carriesNothing: true,
          },
          ...{ highest: 2, written: 2, name: 'web-1', zone: 'eu', region: 'eu', relayed: ['eu', 'us'] },
        })
        .slice(),
      encoder.wanted([{ replica: A, level: 'durable', through: 300 }]).slice(),
      encoder.held([{ replica: B, memory: 300, logged: 128, durable: 0 }]).slice(),
      encoder.loadRequest({ number: 7, isSecond: false, key: 'user:1', need: vector }).slice(),
      encoder.loadFill({ number: 7, answer: { kind: 'working' } }).slice(),
      encoder
        .loadFill({
          number: 7,
          answer: { kind: 'fill', begin: vector, value: Uint8Array.of(0xa1, 0x78), leftMs: 5000, tags: ['a', 'é'] },
        })
        .slice(),
      encoder
        .loadFill({
          number: 8,
          answer: {
            kind: 'fill',
            begin: vector,
            value: undefined,
            leftMs: 0,
            tags: [],
            row: { meta: Uint8Array.of(5), token: Uint8Array.of(6, 7), known: vector },
          },
        })
        .slice(),
      encoder
        .rowsStored([
          { key: 'user:1', vector },
          { key: 'é', vector: new VersionVector() },
        ])
        .slice(),
      encoder.holdingsWanted({ number: 7, wanted: { kind: 'keys', pattern: 'user:*', from: 300 } }).slice(),
      encoder.holdingsWanted({ number: 8, wanted: { kind: 'copies', keys: ['user:1', 'é'] } }).slice(),
      encoder.holdingsTold({ number: 7, told: { kind: 'keys', keys: ['user:1', 'é'], next: 300 } }).slice(),
      encoder
        .holdingsTold({
          number: 8,
          told: {
            ...{ kind: 'copies', begin: vector, lookedCount: 3 },
            copies: [
              [0, { value: Uint8Array.of(0xa1, 0x78), leftMs: 5000, tags: ['a', 'é'] }],
              [
                2,
                {
                  value: undefined,
                  leftMs: 0,
                  tags: [],
                  row: { meta: undefined, token: new Uint8Array(0), known: vector },
                },
              ],
            ],
          },
        })
        .slice(),
      encoder.leaseWanted({ number: 7, leases: [LEASE, LEASE] }).slice(),
      encoder
        .leaseLeft({ number: 7, lefts: [{ lease: LEASE, renewal: { replica: A, sequence: 300 }, leftMs: 1_800_000 }] })
        .slice(),
      encoder
        .message({ channel: 'é', stream: 2, number: 300, timeMs: 1_700_000_000_000, bytes: Uint8Array.of(1) })
        .slice(),
      encoder.messageHeads([{ channel: 'chat:1', stream: 2, number: 300, agoMs: 5000 }]).slice(),
      encoder.confirmation({ replica: B, applied: 300, own: 5, stable: 290 }).slice(),
      encoder.rollCall({ anchor: 300, acknowledged: 300, stable: 292, announced: 290, through: [[0, 7]] }).slice(),
    ],
    decode: (bytes) => decoder.decode(bytes),
  })
})

const ROUNDS = 4

/** A stream that is taken in part is put aside in the log; none is finished, so the state stays what it is. */
test('a stream of snapshots', async () => {
  const { stream } = recorded
  const pieces = Array.from({ length: 8 }, (_, i) => stream.slice(0, Math.ceil((stream.length * (i + 1)) / 8)))
  const vector = VersionVector.from([[A, 30]])
  for (let round = 0; round < ROUNDS; round++) {
    const target = await TestEngine.open({ env: virtualEnv({ seed: 5 }) })
    await target.set('reg:own', 'as it was')
    const before = target.state()
    await fuzz({
      name: `snapshot stream ${round}`,
      inputs: INPUTS / ROUNDS,
      corpus: pieces,
      decode(bytes) {
        const taking = target.engine.beginSnapshot(vector)
        try {
          taking.chunk(bytes)
        } finally {
          taking.abandon()
        }
      },
      refusals: ['WARP_E_PROTOCOL', 'WARP_E_CLOCK_DRIFT'],
    })
    expect(target.state()).toEqual(before)
  }
})

const members: readonly MemberRecord[] = [
  { profile: { member: A, zone: 'east', roles: ['writer', 'é'] }, state: 'alive', incarnation: 3 },
  {
    profile: { member: B, zone: '', roles: [] },
    state: 'suspect',
    incarnation: 0xffff_ffff,
    endpoint: { host: '10.0.0.1', port: 7946 },
  },
  {
    profile: { member: A, zone: 'z', roles: [] },
    state: 'left',
    incarnation: 0,
    endpoint: { host: 'fd00::1', port: 1 },
  },
]

const readers: Readonly<Partial<Record<number, (body: Uint8Array) => unknown>>> = {
  [MESSAGE.ping]: decodePing,
  [MESSAGE.ack]: decodeAck,
  [MESSAGE.pingRequest]: decodePingRequest,
  [MESSAGE.records]: decodeRecords,
}

test('the messages of a datagram, and the members that they tell of', async () => {
  const packed = (...messages: readonly (readonly [MessageKind, Uint8Array])[]): Uint8Array => {
    const bytes = new Uint8Array(1200)
    const end = messages.reduce((at, [kind, body]) => writeMessage(bytes, at, kind, body), 0)
    return bytes.slice(0, end)
  }
  const ping = encodePing({ sequence: 1, records: members })
  const ack = encodeAck({ sequence: 2, wallMs: 1e12, records: [] })
  const request = encodePingRequest({ sequence: 3, target: B, records: members.slice(1) })
  const [records = ping] = encodeRecords(members)
  await fuzz({
    name: 'messages',
    corpus: [
      packed([MESSAGE.ping, ping], [MESSAGE.frame, Uint8Array.of(1, 2, 3)]),
      packed([MESSAGE.ack, ack], [MESSAGE.nothing, new Uint8Array(0)]),
      packed([MESSAGE.pingRequest, request]),
      packed([MESSAGE.records, records], [MESSAGE.leave, new Uint8Array(0)]),
    ],
    decode: (bytes) => readMessages(bytes, (kind, body) => readers[kind]?.(body)),
  })
})

/** As somebody on the way who holds the key: MACs and cookies fit, whatever else is in the packets. */
test('the packets of a handshake', async () => {
  const world = contactWorld()
  const { a, b } = await pair(world)
  const packets = world.wire.filter(({ bytes }) => readHead(bytes) !== undefined).map(({ bytes }) => bytes)
  const [knock = new Uint8Array(), , greeting = knock] = packets
  const nonce = knockIn(knock).nonce
  const before = [a.contacts.counts.contacts, b.contacts.counts.contacts]
  const at = { key: KEYS.primary, knock: knockIn(knock), own: { profile: a.with(b).profile, index: 1 } }
  const agreed = { version: MESH_VERSIONS.newest, greeter: MESH_VERSIONS, greeted: MESH_VERSIONS }
  await fuzz({
    name: 'handshake',
    inputs: INPUTS / 20,
    corpus: packets,
    decode: (bytes) => {
      const isAnswer = bytes[3] === PACKET.cookie || bytes[3] === PACKET.welcome
      if (bytes.length > 26) authenticate(KEYS.primary, bytes, isAnswer ? nonce : undefined)
      const target = isAnswer ? a : b
      world.network.inject(isAnswer ? b.endpoint : a.endpoint, target.endpoint, bytes)
      world.wire.length = 0
      return readHead(bytes) !== undefined
    },
  })
  await fuzz({
    name: 'greeting',
    inputs: INPUTS / 20,
    corpus: [greeting],
    decode: (bytes) => {
      const privateKey = new Uint8Array(32).fill(1)
      const isOne = readHead(bytes)?.type === 'greeting'
      return isOne && answerGreeting(bytes, { ...at, agreed, privateKey }) !== undefined
    },
  })
  expect([a.contacts.counts.contacts, b.contacts.counts.contacts]).toEqual(before)
})

test('the beginning of a stream', async () => {
  const random = (count: number): Uint8Array => new Uint8Array(count).fill(1)
  const session = { index: 5, secret: new Uint8Array(32).fill(2), version: 2 }
  const { preamble } = new Opening(session, random)
  await fuzz({
    name: 'preamble',
    inputs: INPUTS / 50,
    corpus: [preamble],
    decode: (bytes) => indexIn(bytes) === 5 && answerTo(bytes, session, random) !== undefined,
  })
  const answer = answerTo(preamble, session, random)?.answer ?? preamble
  await fuzz({
    name: 'answer to a preamble',
    inputs: INPUTS / 50,
    corpus: [answer],
    decode: (bytes) => new Opening(session, random).takeAnswer(bytes) !== undefined,
  })
})

test('the records of a stream', async () => {
  const key = createSecretKey(new Uint8Array(32).fill(7))
  const sealed = (...frames: readonly Uint8Array[]): Uint8Array => {
    const writer = new RecordWriter(key)
    const chunks: Uint8Array[] = []
    for (const frame of frames) writer.seal(frame, false, chunks)
    writer.sealEmpty(chunks)
    return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))
  }
  let frames = 0
  await fuzz({
    name: 'stream records',
    corpus: [sealed(Uint8Array.of(1, 2, 3)), sealed(new Uint8Array(200), Uint8Array.of(4)), sealed()],
    decode: (bytes) =>
      new RecordReader({ key, frameBytesMax: 4096, onFrame: () => frames++ }).read(bytes) === undefined,
  })
  expect(frames).toBeGreaterThan(0)
})
