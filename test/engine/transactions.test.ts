/** Transactions of eventual keys on their way to another replica: all of one becomes visible at once, or nothing. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { TRANSACTION_KEYS_MAX } from '../../src/limits.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import type { TransactionPart } from '../../src/operation/envelope/operation-fields.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { Admitter } from '../../src/replication/anti-entropy/admitter.ts'
import { Writer } from '../../src/store/write-road/writer.ts'
import { exportLines } from '../../src/transfer/export-lines.ts'
import { importLines } from '../../src/transfer/import-lines.ts'
import { runs } from '../../property-tests/seed.ts'
import { faultyFiles, type FaultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine, usedBytes, type FixtureOptions } from './engine-fixture.ts'

const NO_LIMIT = { operationsMax: 1e9, bytesMax: 1e9 }

function open(label: string, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ env: virtualEnv({ seed: label }), ...options })
}

/** Takes from the first account what it gives to the others. */
function move({ engine }: TestEngine, ...accounts: readonly number[]): void {
  const { store } = engine
  const intents = accounts.map((account, i) => {
    const key = `count:${account}`
    const keyspace = store.keyspaceOf(key)
    const verb = keyspace.strategy.verbs['increment']
    const parameters = [i === 0 ? 1 - accounts.length : 1]
    return { target: { key, keyspace, slot: store.keys.find(key) }, verb, parameters, lifeMs: 0 }
  })
  // A disk that fails says so to whoever waits for it.
  new Writer(store, undefined).together(intents, {}).catch(() => undefined)
}

function sum(replica: TestEngine): number {
  let all = 0
  for (let i = 0; i < 8; i++) all += Number(replica.get(`count:${i}`) ?? 0)
  return all
}

function partsOf(replica: TestEngine): (TransactionPart | undefined)[] {
  const reader = new OperationReader(replica.engine.table)
  return replica.envelopes().map((bytes) => reader.load(bytes, 0, bytes.length).part())
}

/** Offers operations as replication does, and notes each sum that anybody could see. */
function receiver(replica: TestEngine, limits = NO_LIMIT) {
  const admitter = new Admitter(replica.engine, { limits, observe: () => undefined })
  const sums = new Set<number>()
  replica.engine.store.subscribe(() => void sums.add(sum(replica)))
  const offer = (envelope: Uint8Array): void => {
    admitter.offer(envelope, 0, envelope.length)
    admitter.drain(1000)
    sums.add(sum(replica))
  }
  return { admitter, sums, offer }
}

/** Two that have seen each other's, with what they have written. */
async function written(): Promise<{ readonly a: TestEngine; readonly envelopes: Uint8Array[] }> {
  const [a, b] = [await open('a'), await open('b')]
  const [toA, toB] = [receiver(a), receiver(b)]
  move(a, 0, 1, 2)
  await a.set('reg:3', 'alone')
  for (const envelope of a.envelopes()) toB.offer(envelope)
  move(b, 1, 4)
  move(b, 5, 6, 7, 0)
  for (const envelope of b.envelopes()) toA.offer(envelope)
  move(a, 2, 4, 6)
  const envelopes = a.envelopes()
  await b.close()
  return { a, envelopes }
}

describe('a transaction of another replica', () => {
  it('says in each operation which one it is', async () => {
    const { a, envelopes } = await written()
    expect(envelopes).toHaveLength(13)
    expect(partsOf(a).map((part) => part && [part.index, part.count, part.id.sequence])).toEqual([
      ...[[0, 3, 1], [1, 3, 1], [2, 3, 1], undefined, [0, 2, 1], [1, 2, 1]],
      ...[
        [0, 4, 3],
        [1, 4, 3],
        [2, 4, 3],
        [3, 4, 3],
        [0, 3, 5],
        [1, 3, 5],
        [2, 3, 5],
      ],
    ])
    await a.close()
  })

  it('is seen at once, in whatever order its operations come, how often, and however little may wait', async () => {
    const { a, envelopes } = await written()
    const order = fc.array(fc.nat(envelopes.length - 1), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(order, fc.integer({ min: 3, max: 20 }), async (arriving, operationsMax) => {
        const c = await open('c')
        const { offer, sums } = receiver(c, { operationsMax, bytesMax: 1e9 })
        for (const at of arriving) offer(envelopes[at] as Uint8Array)
        // What is missing is asked for again, in its order.
        for (let round = 0; round < 50; round++) for (const envelope of envelopes) offer(envelope)
        expect([...sums]).toEqual([0])
        expect(c.state().values).toEqual(a.state().values)
        await c.close()
      }),
      runs(300),
    )
    await a.close()
  })

  it('does not come in where there is no space for all of it, and comes in later', async () => {
    const { a, envelopes } = await written()
    const files = faultyFiles({ seed: 1 })
    const c = await open('c', { files, segmentBytes: 4096 })
    const { offer, sums, admitter } = receiver(c)
    await c.set('reg:1', 'x'.repeat(90))
    files.spaceBytes = usedBytes(files)
    const isFull = (): Promise<boolean> =>
      c.set('reg:1', 'x'.repeat(90)).then(
        () => false,
        () => true,
      )
    while (!(await isFull()));
    for (const envelope of envelopes) offer(envelope)
    expect(admitter.counts.full).toBeGreaterThan(0)
    files.spaceBytes = Infinity
    for (let round = 0; round < 3; round++) for (const envelope of envelopes) offer(envelope)
    expect([...sums]).toEqual([0])
    expect(sum(c)).toBe(0)
    expect(c.get('count:6')).toBe(a.get('count:6'))
    await Promise.all([a.close(), c.close()])
  })

  it('has a part in a key that is local here, which is kept for others', async () => {
    const [a, c] = [await open('a'), await open('c')]
    move(a, 0, 1)
    const envelopes = a.envelopes().map((bytes) => {
      // As if the second key were of another mode there.
      return Uint8Array.from(Buffer.from(Buffer.from(bytes).toString('latin1').replace('count:1', 'own:111'), 'latin1'))
    })
    const { offer } = receiver(c)
    for (const envelope of envelopes) offer(envelope)
    expect([c.get('count:0'), c.get('own:111'), c.engine.applied.get(a.engine.replica)]).toEqual([-1, undefined, 2])
    expect(c.envelopes()).toEqual(envelopes)
    await Promise.all([a.close(), c.close()])
  })
})

const LATER = replicaIdFromBytes(Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 8))
const table = new ReplicaTable()
table.intern(LATER)

function made(sequence: number, nowMs: number, part?: { readonly index: number; readonly count: number }): Uint8Array {
  const writer = new ByteWriter()
  const transaction = part && { id: { replica: LATER, sequence: 1 }, ...part }
  const fields = transaction && { condition: { transaction } }
  const header = { kind: 1, strategy: 1, sequence, key: `reg:${sequence}`, hlc: hlcFromMs(nowMs) + sequence, fields }
  const rest = { replicaBytes: table.bytes(LATER), context: undefined, dependencies: undefined }
  writeEnvelopeHeader(writer, { ...header, ...rest }, table)
  writer.raw(Uint8Array.of(0xc3))
  return writer.take()
}

test.each([
  [
    'an operation of another one',
    [
      { index: 0, count: 3 },
      { index: 0, count: 2 },
      { index: 1, count: 2 },
    ],
  ],
  ['one that is of none', [{ index: 0, count: 3 }, { index: 1, count: 3 }, undefined]],
  [
    'one that says otherwise how many there are',
    [
      { index: 0, count: 3 },
      { index: 1, count: 4 },
      { index: 2, count: 3 },
    ],
  ],
])('of a transaction that goes on with %s each operation enters alone', async (_, parts) => {
  const c = await open('c')
  const { offer } = receiver(c)
  const envelopes = [...parts, undefined].map((part, i) => made(i + 1, c.env.now(), part))
  for (const envelope of envelopes) offer(envelope)
  for (const envelope of envelopes) offer(envelope)
  expect(c.engine.applied.get(LATER)).toBe(4)
  await c.close()
})

test('a transaction of more operations than there may be is refused', async () => {
  const c = await open('c')
  const { offer, admitter } = receiver(c)
  offer(made(1, c.env.now(), { index: 0, count: TRANSACTION_KEYS_MAX + 1 }))
  expect([admitter.counts.failed, c.engine.applied.get(LATER)]).toEqual([1, 0])
  await c.close()
})

/** Everything up to the crash, and what is there afterwards. */
async function crashed(step: number, run: (replica: TestEngine) => Promise<void>): Promise<boolean> {
  const files: FaultyFiles = faultyFiles({ seed: step })
  const replica = await open('c', { files, segmentBytes: 512 })
  files.crashAtStep(files.steps + step)
  await run(replica).catch(() => undefined)
  const hasCrashed = files.crashed
  const again = await open('c', { files: files.crash(), segmentBytes: 512 })
  expect(sum(again), `step ${step}`).toBe(0)
  await again.close()
  return hasCrashed
}

describe('a power failure at any step', () => {
  it('leaves all or nothing of what is written', async () => {
    const run = async (replica: TestEngine): Promise<void> => {
      for (let i = 0; i < 6; i++) {
        move(replica, i, 1, 2, 3, 4, 5, 6, 7)
        if (i % 2 === 0) await replica.engine.log.settled('durable')
      }
      await replica.close()
    }
    let step = 0
    while (await crashed(step, run)) step++
    expect(step).toBeGreaterThan(10)
  })

  it('leaves all or nothing of what is taken in', async () => {
    const { a, envelopes } = await written()
    const run = async (replica: TestEngine): Promise<void> => {
      const { offer } = receiver(replica)
      for (const envelope of envelopes) {
        offer(envelope)
        await replica.engine.log.settled('durable')
      }
      await replica.close()
    }
    let step = 0
    while (await crashed(step, run)) step++
    expect(step).toBeGreaterThan(10)
    await a.close()
  })
})

describe('a transaction that is issued again', () => {
  it('is one as before, and is seen at once', async () => {
    const [a, b, c] = [await open('a'), await open('b'), await open('c')]
    await a.set('reg:0', 'old')
    await b.pull(a)
    for (let i = 0; i < 5; i++) await a.set('reg:0', i)
    await a.engine.compact()
    await b.set('reg:3', 'alone')
    move(b, 0, 1, 2)
    move(b, 4, 5)
    const before = partsOf(b).filter((part) => part !== undefined)
    b.install(a)
    const parts = partsOf(b).filter((part) => part !== undefined)
    expect(parts.map(({ index, count }) => [index, count])).toEqual(before.map(({ index, count }) => [index, count]))
    expect(b.envelopes().length).toBeGreaterThan(parts.length)
    c.install(a)
    const { offer, sums } = receiver(c)
    for (const envelope of b.envelopes().reverse()) offer(envelope)
    expect([...sums]).toEqual([0])
    expect(c.state().values).toEqual(b.state().values)
    await Promise.all([a.close(), b.close(), c.close()])
  })

  it('is as many operations as could be carried over', async () => {
    const [a, b] = [await open('a'), await open('b')]
    await a.write('count:0', 'increment', [1])
    await b.pull(a)
    for (let i = 0; i < 5; i++) await a.write('count:0', 'increment', [1])
    await a.engine.compact()
    const { store } = b.engine
    const target = (key: string) => ({ key, keyspace: store.keyspaceOf(key), slot: store.keys.find(key) })
    const add = store.keyspaceOf('count:1').strategy.verbs['increment']
    // It has not seen all that has been folded there.
    const removal = { target: target('count:0'), parameters: [], lifeMs: 0 }
    const others = ['count:1', 'count:2'].map((key) => ({ target: target(key), verb: add, parameters: [1], lifeMs: 0 }))
    void new Writer(store, undefined).together([others[0]!, removal, others[1]!], {})
    b.install(a)
    expect(b.events.filter(({ kind }) => kind === 'rejoin:lost')).toHaveLength(1)
    const parts = partsOf(b).filter((part) => part !== undefined)
    expect(parts.map(({ index, count }) => [index, count])).toEqual([
      [0, 2],
      [1, 2],
    ])
    await Promise.all([a.close(), b.close()])
  })
})

test('an import shows all of a transaction at once', async () => {
  const { a } = await written()
  const { env } = a
  let text = ''
  for await (const piece of exportLines(a.engine, { env, check: () => undefined })) text += piece
  const c = await open('c', { files: memoryFiles() })
  const { sums } = receiver(c)
  async function* pieces() {
    for (const line of text.split('\n')) yield `${line}\n`
  }
  const importing = importLines(c.engine, pieces(), { env: c.env, check: () => undefined })
  await c.env.advance(100)
  expect(await importing).toMatchObject({ operationsCount: 13 })
  expect([...sums]).toEqual([0])
  expect(c.state().values).toEqual(a.state().values)
  await Promise.all([a.close(), c.close()])
})
