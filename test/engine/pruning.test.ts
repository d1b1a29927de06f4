/** Ids of replicas that have left are pruned: what they wrote stays what it was, wherever it is folded, and late frames change nothing. */
import { expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { encodeInto } from '../../crdt/encoding/encoding.ts'
import { counter } from '../../crdt/index.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { FORMAT_LOWEST } from '../../src/operation/envelope/formats.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine, type FixtureOptions } from './engine-fixture.ts'

const env = virtualEnv({ seed: 7 })

function open(name: string, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ env: env.fork({ label: name }), isReplicated: true, ...options })
}

const disk = (home: string) => memoryFiles({ persistent: true, home, bootId: '1' })

/** Everybody has everything, and knows it. */
function stabilise(...all: readonly TestEngine[]): void {
  for (const { engine } of all) engine.stabilise(engine.applied)
}

const settle = () => env.advance(100)
const named = ({ engine }: TestEngine): ReplicaId[] => [...engine.applied.entries()].map(([replica]) => replica).sort()
const mvOf = (replica: TestEngine) => [...((replica.get('mv:1') as readonly string[] | undefined) ?? [])].sort()
const setOf = (replica: TestEngine, key = 'set:1') => [...((replica.get(key) as Set<string> | undefined) ?? [])].sort()

function newest({ engine }: TestEngine): OperationReader {
  const reader = new OperationReader(engine.table)
  engine.scanOperations(0, ({ bytes, start, end }) => reader.load(bytes, start, end) !== undefined)
  return reader
}

/** What a replica writes that has taken over the state of `of`: one increment, and that it leaves. */
function life(replica: ReplicaId, { engine, env: { now } }: TestEngine): Uint8Array[] {
  const { table, applied } = engine
  const common = { strategy: 0, replicaBytes: table.bytes(replica), key: '', context: undefined }
  const hlc = hlcFromMs(now())
  const increment = {
    ...common,
    kind: OPERATION_KIND.update,
    strategy: counter().code,
    sequence: 1,
    key: 'count:1',
    hlc,
  }
  const leave = { ...common, kind: OPERATION_KIND.leave, sequence: 2, hlc: hlc + 1, dependencies: undefined }
  return [{ ...increment, dependencies: applied.sorted() }, leave].map((header) => {
    const writer = new ByteWriter()
    writeEnvelopeHeader(writer, { ...header, format: FORMAT_LOWEST }, table)
    if (header.kind === OPERATION_KIND.update) encodeInto(writer, 1)
    return writer.take()
  })
}

/** x has written, left and been ended by a, or by b, and all have that; a alone has pruned it. */
async function afterLeaving(options: { readonly a?: FixtureOptions; readonly by?: 'b' } = {}) {
  const [a, b, x] = [await open('a', options.a), await open('b'), await open('x')]
  await a.write('set:1', 'add', ['a'])
  await x.pull(a)
  await x.write('set:1', 'add', ['x'])
  await x.set('kept:1', 'x')
  await x.write('mv:1', 'set', ['x'])
  x.engine.leave()
  await env.advance(5)
  await a.write('mv:1', 'set', ['mine'])
  await exchange(a, x)
  await exchange(a, b)
  const { engine } = options.by === 'b' ? b : a
  engine.endIds([[x.engine.replica, x.engine.applied.get(x.engine.replica)]])
  await exchange(a, b)
  const envelopes = x.envelopes()
  stabilise(a)
  await settle()
  return { a, b, x, envelopes, left: x.engine.replica }
}

test('4,200 short-lived replicas leave vectors as long as the living cluster', async () => {
  const [a, b] = [await open('a'), await open('b')]
  await a.set('reg:1', 0)
  await b.set('reg:2', 0)
  await exchange(a, b)
  for (let round = 0; round < 42; round++) {
    const ids = Array.from({ length: 100 }, (_, i) => parseReplicaId(`${round}e${i}a`.padStart(16, '0')))
    for (const short of ids)
      for (const envelope of life(short, a))
        expect([a.admit(envelope), b.admit(envelope)]).toEqual(['applied', 'applied'])
    a.engine.endIds(ids.map((short) => [short, 2] as const))
    await exchange(a, b)
    stabilise(a, b)
    await a.engine.compact()
    await settle()
  }
  const living = [a.engine.replica, b.engine.replica].sort()
  for (const one of [a, b]) {
    expect(named(one)).toEqual(living)
    expect([...one.engine.floor.entries()].length).toBeLessThanOrEqual(2)
    expect(one.get('count:1')).toBe(4200)
  }
  await b.write('count:1', 'increment', [1])
  expect(newest(b).context().length).toBeLessThanOrEqual(2)
  const d = await open('d')
  d.install(a)
  await d.pull(b)
  await d.write('count:1', 'increment', [1])
  for (const one of [a, b]) await one.pull(d)
  await a.pull(b)
  for (const one of [a, b, d]) expect([one.get('count:1'), named(one).length]).toEqual([4202, 3])
}, 60_000)

// b has folded nothing and names x still; the delete of a does not name it any more.
test('a delete takes away what a pruned replica wrote, also where that is not folded', async () => {
  const { a, b, left } = await afterLeaving()
  expect(named(a)).not.toContain(left)
  expect(named(b)).toContain(left)
  await a.write('set:1', 'delete')
  expect(
    newest(a)
      .context()
      .map(([replica]) => replica),
  ).not.toContain(left)
  await b.write('set:1', 'add', ['own'])
  await exchange(a, b)
  expect([setOf(a), setOf(b)]).toEqual([['own'], ['own']])
})

test('a delete by somebody who had not seen what a pruned replica wrote spares it', async () => {
  const { a, b } = await afterLeaving()
  const c = await open('c')
  for (const envelope of a.envelopes().slice(0, 1)) c.admit(envelope)
  expect(setOf(c)).toEqual(['a'])
  await c.write('set:1', 'delete')
  await b.pull(c)
  expect(setOf(b)).toEqual(['x'])
})

test('late frames of a pruned replica change nothing, also after a restart', async () => {
  const files = disk('a')
  const { a, envelopes, left } = await afterLeaving({ a: { files } })
  const before = a.state()
  expect(envelopes.map((envelope) => a.admit(envelope))).toEqual(envelopes.map(() => 'duplicate'))
  expect(a.state()).toEqual(before)
  await a.engine.log.settled('logged')
  const killed = await open('a', { files: files.copy() })
  await a.close()
  const closed = await open('a', { files })
  for (const again of [killed, closed]) {
    expect(again.state()).toEqual(before)
    expect(envelopes.map((envelope) => again.admit(envelope))).toEqual(envelopes.map(() => 'duplicate'))
    expect(named(again)).not.toContain(left)
    expect(again.engine.floor.sorted()).toEqual(a.engine.floor.sorted())
  }
})

test('a snapshot leaves a pruned replica out, and a delete says after a restart that it had been seen', async () => {
  const files = disk('a')
  const { a, b, left } = await afterLeaving({ a: { files }, by: 'b' })
  await a.write('set:1', 'add', ['later'])
  await b.pull(a)
  stabilise(a)
  expect((await a.engine.compact()).droppedOperationsCount).toBeGreaterThan(1)
  await a.engine.log.settled('logged')
  const again = await open('a', { files: files.copy() })
  expect(setOf(again)).toEqual(['a', 'later', 'x'])
  await settle()
  expect(mvOf(b)).toEqual(['mine', 'x'])
  const newcomer = await open('newcomer')
  newcomer.install(again)
  await newcomer.write('mv:1', 'set', ['newer'])
  await b.pull(newcomer)
  expect(mvOf(b)).toEqual(['newer'])
  await again.pull(newcomer)
  await again.write('mv:1', 'set', ['new'])
  await again.write('set:1', 'delete')
  expect(
    newest(again)
      .context()
      .map(([replica]) => replica),
  ).not.toContain(left)
  await b.pull(again)
  expect([setOf(again), setOf(b)]).toEqual([[], []])
  expect([mvOf(again), mvOf(b)]).toEqual([['new'], ['new']])
})

test('an operation that names a pruned replica is taken in, and one that had not seen its end is not', async () => {
  const { a, b, left } = await afterLeaving()
  // The first operation of b depends on all that b has seen.
  await b.write('set:1', 'add', ['b'])
  expect(
    newest(b)
      .dependencies()
      .map(([replica]) => replica),
  ).toContain(left)
  expect(await a.pull(b)).toContain('applied')
  expect(setOf(a)).toEqual(['a', 'b', 'x'])
  const late = await open('late')
  await late.write('set:1', 'add', ['late'])
  expect(await a.pull(late)).toContain('resync')
})

test('whoever takes over a state takes over what is pruned in it', async () => {
  const { a, b, left } = await afterLeaving()
  const c = await open('c')
  await c.pull(b)
  await c.write('set:1', 'add', ['c'])
  const [newcomer] = [await open('newcomer')]
  for (const one of [c, newcomer]) one.install(a)
  await exchange(a, c)
  await newcomer.pull(a)
  for (const one of [a, c, newcomer]) {
    expect(setOf(one)).toEqual(['a', 'c', 'x'])
    expect(named(one)).not.toContain(left)
    expect(one.get('kept:1')).toBe('x')
  }
  await newcomer.write('set:1', 'delete')
  for (const one of [a, b, c]) await one.pull(newcomer)
  await b.pull(c)
  await b.pull(newcomer)
  for (const one of [a, b, c]) expect(setOf(one)).toEqual([])
})

test('what a pruned replica wrote is folded, though nothing names it as stable any more', async () => {
  const { a } = await afterLeaving()
  const kept = a.engine.operationsCount
  expect((await a.engine.compact()).droppedOperationsCount).toBe(4)
  expect(a.engine.operationsCount).toBe(kept - 4)
})

test('who ended others may leave in its turn', async () => {
  const { a, b, x } = await afterLeaving()
  const d = await open('d')
  d.install(a)
  a.engine.leave()
  for (const one of [b, d]) await one.pull(a)
  d.engine.endIds([[a.engine.replica, a.engine.applied.get(a.engine.replica)]])
  await b.pull(d)
  stabilise(d)
  await settle()
  expect(named(d)).toEqual([d.engine.replica])
  await d.write('set:1', 'delete')
  expect(newest(d).context()).toEqual([])
  expect(named(b)).toEqual([a.engine.replica, d.engine.replica, x.engine.replica].sort())
  await b.pull(d)
  expect([setOf(b), setOf(d)]).toEqual([[], []])
})

// A folder that was put back to what it had been before the replica left: what it writes then is beyond what anybody knows.
test('who is brought back after everybody has pruned it goes on under another id, and what it writes counts', async () => {
  const files = disk('x')
  const [a, x] = [await open('a'), await open('x', { files })]
  await x.write('set:1', 'add', ['x'])
  await x.engine.log.settled('durable')
  const before = files.copy()
  x.engine.leave()
  await a.pull(x)
  const left = x.engine.replica
  a.engine.endIds([[left, 2]])
  stabilise(a)
  const again = await open('x', { files: before.copy() })
  expect(again.engine.replica).toBe(left)
  for (const element of ['y', 'z', 'more']) await again.write('set:1', 'add', [element])
  again.install(a)
  expect(again.engine.replica).not.toBe(left)
  await again.write('set:1', 'add', ['last'])
  await a.pull(again)
  for (const one of [a, again]) expect(setOf(one)).toEqual(['last', 'more', 'x', 'z'])
  const silent = await open('x', { files: before.copy() })
  silent.install(a)
  expect(silent.engine.replica).not.toBe(left)
})

test('an id is pruned only if its owner has left', async () => {
  const [a, b] = [await open('a'), await open('b')]
  await b.write('set:1', 'add', ['b'])
  await a.pull(b)
  a.engine.endIds([[b.engine.replica, 1]])
  stabilise(a)
  expect(named(a)).toContain(b.engine.replica)
  await b.write('set:1', 'add', ['more'])
  await a.pull(b)
  expect(setOf(a)).toEqual(['b', 'more'])
})
