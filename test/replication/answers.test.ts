/** What a replica sends of its log to whoever asks for ranges of operations. */
import { expect, test } from 'vitest'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { Answers } from '../../src/replication/anti-entropy/answers.ts'
import { replicationSettings } from '../../src/replication/options.ts'
import { Peer } from '../../src/replication/peers.ts'
import { Post } from '../../src/replication/reception/post.ts'
import { FrameDecoder } from '../../src/replication/wire/frame-decoder.ts'
import { exchange, TestEngine } from '../engine/engine-fixture.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

function open(label: string): Promise<TestEngine> {
  return TestEngine.open({ env: virtualEnv({ seed: label }), segmentBytes: 2048, retain: 'all' })
}

/**
 * `b` has taken over the state of `a`, of which it had everything, and has rewritten the segments of
 * the state before. So what `a` has said last, that it is away, lies in front of the others in
 * the log of `b`.
 */
async function takenOver() {
  const [a, b] = [await open('a'), await open('b')]
  for (let i = 0; i < 5; i++) await a.set(`reg:${i}`, 'x'.repeat(1000))
  a.engine.away(1000)
  await exchange(a, b)
  b.install(a)
  await b.engine.compact()
  return { a, b }
}

/** The numbers of the operations of `replica` that are sent to whoever asks for a range of them, in their order. */
async function answered({ engine, env }: TestEngine, replica: ReplicaId, from: number, to: number): Promise<number[]> {
  await engine.outlet.settled()
  const sent: number[] = []
  const decoder = new FrameDecoder()
  const reader = new OperationReader(engine.table)
  const take = (frame: Uint8Array): boolean => {
    const decoded = decoder.decode(frame)
    if (decoded.kind !== 'operations') throw new Error(`${decoded.kind} in place of operations`)
    const { bytes, bounds } = decoded
    for (let i = 0; i < bounds.length; i += 2) sent.push(reader.load(bytes, bounds[i]!, bounds[i + 1]!).sequence)
    return true
  }
  const link = {
    frameBytesMax: 60_000,
    broadcast: () => undefined,
    send: (_: string, frame: Uint8Array) => take(frame),
  }
  const via = { index: 0, name: 'test', link: { ...link, close: () => Promise.resolve() } }
  const parts = { store: engine, env, settings: replicationSettings(), observe: () => undefined }
  const answers = new Answers({
    ...parts,
    post: new Post({ ...parts, self: { name: '', zone: '', region: '', relayed: [] } }),
  })
  answers.answer(new Peer(via, 'peer', 0), 1, [{ replica, from, to }])
  await env.advance(1000)
  expect(answers.count).toBe(0)
  return sent
}

test('an operation of no key that lies in front of the others of its writer ends no answer', async () => {
  const { a, b } = await takenOver()
  const places = b.envelopes().map((bytes) => new OperationReader(b.engine.table).load(bytes, 0, bytes.length).sequence)
  expect(places).toEqual([6, 1, 2, 3, 4, 5])
  expect(await answered(b, a.engine.replica, 1, 5)).toEqual([1, 2, 3, 4, 5])
  expect((await answered(b, a.engine.replica, 1, 6)).sort()).toEqual([1, 2, 3, 4, 5, 6])
  expect(await answered(b, a.engine.replica, 6, 6)).toEqual([6])
})

test('an answer ends with the last operation that was asked for', async () => {
  const { a, b } = await takenOver()
  let looks = 0
  const scan = b.engine.log.scan.bind(b.engine.log)
  b.engine.log.scan = (from, visit) => scan(from, (record) => (looks++, visit(record)))
  for (let i = 0; i < 2000; i++) await b.set('reg:9', i)
  await answered(b, a.engine.replica, 2, 3)
  const ofKeys = looks
  await answered(b, a.engine.replica, 6, 6)
  expect(ofKeys).toBeLessThan(20)
  expect(looks - ofKeys).toBeLessThan(20)
})

test('an operation is found by its dot behind one of no key that is later', async () => {
  const [a, b] = [await open('a'), await open('b')]
  await b.set('reg:1', 'x'.repeat(1500))
  b.engine.away(1000)
  await b.set('reg:2', 'y'.repeat(1500))
  await exchange(a, b)
  const { replica } = b.engine
  b.install(a)
  await b.engine.compact()
  expect(b.engine.replica).toBe(replica)
  const [own] = a.envelopes() as [Uint8Array]
  expect(b.admit(own)).toBe('duplicate')
  // Somebody else writes under that name.
  const other = own.slice()
  other[other.length - 1]! ^= 1
  expect(b.admit(other)).toBe('clone')
})
