/**
 * Hostile bytes on the streams of the mesh. 100,000 inputs from one seed, each made from bytes that were genuine once: random ones, cut
 * off, bits flipped, pieces left out, repeated, exchanged. None of them may throw, become a frame that was not sent in that place, or
 * leave memory behind. Most go to a reader of
 * records, a fifth through the whole beginning of a stream.
 */
import { createSecretKey } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Contact } from '../adapters/mesh/contacts/contact.ts'
import type { ByteStream } from '../adapters/mesh/sockets/network.ts'
import { StreamConnection } from '../adapters/mesh/streams/stream-connection.ts'
import { type Handshake, answererHandshake, openerHandshake } from '../adapters/mesh/streams/stream-handshake.ts'
import { RecordReader, RecordWriter } from '../adapters/mesh/streams/stream-records.ts'
import { STREAM_SETTINGS } from '../adapters/mesh/streams/stream-settings.ts'
import { type Random, seededRandom } from '../testing/world/random.ts'
import { virtualEnv } from '../testing/world/virtual-env.ts'
import { byExtent } from '../test/support/extent.ts'
import { leastKeptBytes, PARTS } from '../test/support/kept-bytes.ts'
import { SEED, runs } from './seed.ts'

const RECORD_STREAMS = runs(80_000).numRuns
const BEGINNINGS = runs(byExtent({ some: 5000, all: 20_000, soak: 20_000 })).numRuns
const HELD_BYTES_MAX = 4 * 1024 * 1024

const key = createSecretKey(new Uint8Array(32).fill(9))
const session = { index: 5, secret: new Uint8Array(32).fill(1), version: 2 }
const contact: Contact = {
  profile: { member: '00000000000000aa', zone: '', roles: [] },
  endpoint: { host: '10.0.0.1', port: 7946 },
  address: '10.0.0.1:7946',
}

/** Frames of which no two are equal, so that a frame in a wrong place is noticed. */
function frames(random: Random): Uint8Array[] {
  return Array.from({ length: 1 + random.below(4) }, (_, i) => Uint8Array.of(i, ...random.bytes(random.below(80))))
}

function sealed(sent: readonly Uint8Array[]): Uint8Array {
  const chunks: Uint8Array[] = []
  const writer = new RecordWriter(key)
  for (const frame of sent) writer.seal(frame, false, chunks)
  return Buffer.concat(chunks)
}

/** Bytes that are not what they were made from. */
function spoilt(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length)
  const until = at + 1 + random.below(bytes.length - at)
  const part = bytes.subarray(at, until)
  switch (random.below(6)) {
    case 0:
      return random.bytes(1 + random.below(200))
    case 1:
      return bytes.subarray(0, at)
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(until)])
    case 3:
      return Buffer.concat([bytes.subarray(0, until), part, bytes.subarray(until)])
    case 4:
      return Buffer.concat([bytes.subarray(until), part, bytes.subarray(0, at)])
    default: {
      const copy = Uint8Array.from(bytes)
      for (let i = 0; i <= random.below(3); i++) {
        const bit = random.below(copy.length * 8)
        copy[bit >>> 3] = (copy[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
      }
      return copy
    }
  }
}

function inPieces(bytes: Uint8Array, random: Random, take: (piece: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length;) {
    const size = random.chance(0.5) ? bytes.length : 1 + random.below(60)
    take(bytes.subarray(at, at + size))
    at += size
  }
}

/** What is delivered is a beginning of what was sent: nothing else, nothing twice, nothing in another order. */
function isBeginning(received: readonly Uint8Array[], sent: readonly Uint8Array[]): boolean {
  return received.every((frame, i) => sent[i] !== undefined && Buffer.compare(frame, sent[i]) === 0)
}

/** Runs `one` many times, and sees to it that memory is where it was. */
async function often(count: number, one: (random: Random) => void): Promise<void> {
  const random = seededRandom(`streams ${SEED}`)
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) one(random)
  }
  run(count / 10)
  expect(await leastKeptBytes(() => run(count / PARTS))).toBeLessThan(HELD_BYTES_MAX / PARTS)
}

test('no spoilt record stream becomes a frame, throws, or leaves memory behind', async () => {
  let refusedCount = 0
  await often(RECORD_STREAMS, (random) => {
    const sent = frames(random)
    const received: Uint8Array[] = []
    const reader = new RecordReader({ key, frameBytesMax: 10_000, onFrame: (frame) => received.push(frame) })
    inPieces(spoilt(sealed(sent), random), random, (piece) => {
      if (reader.read(piece) !== undefined) refusedCount++
    })
    if (!isBeginning(received, sent)) expect(received).toEqual(sent)
  })
  expect(refusedCount).toBeGreaterThan(RECORD_STREAMS / 2)
})

/** One end of a stream without a network: what it writes is collected. */
interface End {
  readonly connection: StreamConnection
  readonly written: Uint8Array[]
  readonly received: Uint8Array[]
  isClosed: boolean
}

const env = virtualEnv()
/** Deferred work runs when we say so. */
const deferred: (() => void)[] = []
const clock = { ...env, defer: (run: () => void): void => void deferred.push(run) }

function runDeferred(): void {
  for (const run of deferred.splice(0)) run()
}

function endOf(handshake: Handshake): End {
  const self = { written: [] as Uint8Array[], received: [] as Uint8Array[], isClosed: false }
  const connection = new StreamConnection({
    clock,
    settings: STREAM_SETTINGS,
    handshake,
    owner: {
      onReady: () => undefined,
      onFrame: (_, frame) => self.received.push(frame),
      isBusy: () => false,
      onDrain: () => undefined,
      onRefused: () => undefined,
      onClosed: () => {
        self.isClosed = true
      },
    },
  })
  const stream: ByteStream = {
    remote: contact.endpoint,
    queuedBytes: 0,
    write: (chunks) => self.written.push(...chunks),
    pause: () => undefined,
    resume: () => undefined,
    end: () => undefined,
    destroy: () => undefined,
  }
  connection.attach(stream)
  return Object.assign(self, { connection })
}

function take(end: End): Uint8Array {
  runDeferred()
  return Buffer.concat(end.written.splice(0))
}

test('no spoilt beginning of a stream delivers a frame, throws, or leaves memory or a timer behind', async () => {
  let closedCount = 0
  await often(BEGINNINGS, (random) => {
    const opener = endOf(openerHandshake(contact, session, (count) => random.bytes(count)))
    const answerer = endOf(
      answererHandshake(
        (index) => (index === 5 ? { contact, ...session } : undefined),
        (count) => random.bytes(count),
      ),
    )
    const [spoilPreamble, spoilAnswer, spoilRest] = [random.chance(0.3), random.chance(0.3), random.chance(0.7)]
    const via = (bytes: Uint8Array, isSpoilt: boolean): Uint8Array => (isSpoilt ? spoilt(bytes, random) : bytes)
    const sent = frames(random)
    opener.connection.handlers.onOpen?.()
    inPieces(via(take(opener), spoilPreamble), random, answerer.connection.handlers.onBytes)
    const answer = take(answerer)
    if (answer.length > 0) inPieces(via(answer, spoilAnswer), random, opener.connection.handlers.onBytes)
    for (const frame of sent) opener.connection.send(frame)
    const rest = take(opener)
    if (rest.length > 0) inPieces(via(rest, spoilRest), random, answerer.connection.handlers.onBytes)
    if (!isBeginning(answerer.received, sent)) expect(answerer.received).toEqual(sent)
    if (!spoilPreamble && !spoilAnswer && !spoilRest) expect(answerer.received).toHaveLength(sent.length)
    if (answerer.isClosed || opener.isClosed) closedCount++
    opener.connection.destroy()
    answerer.connection.destroy()
  })
  expect(closedCount).toBeGreaterThan(BEGINNINGS / 3)
  expect(env.timerCount).toBe(0)
})

test('any pieces of a whole stream, its beginning included, give the same frames', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 900 })),
      (sent, sizes) => {
        const random = seededRandom(1)
        const opener = endOf(openerHandshake(contact, session, (count) => random.bytes(count)))
        const answerer = endOf(
          answererHandshake(
            () => ({ contact, ...session }),
            (count) => random.bytes(count),
          ),
        )
        const deliver = (bytes: Uint8Array, to: End): void => {
          for (let at = 0; at < bytes.length;) {
            const end = at + (sizes.next().value ?? 1)
            to.connection.handlers.onBytes(bytes.slice(at, end))
            at = end
          }
        }
        opener.connection.handlers.onOpen?.()
        deliver(take(opener), answerer)
        deliver(take(answerer), opener)
        for (const frame of sent) opener.connection.send(frame)
        deliver(take(opener), answerer)
        expect(answerer.received.map((frame) => Uint8Array.from(frame))).toEqual(sent)
        opener.connection.destroy()
        answerer.connection.destroy()
      },
    ),
    runs(300),
  )
})
