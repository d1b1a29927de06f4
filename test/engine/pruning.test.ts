/** Ids of replicas that have left are pruned: what they wrote stays what it was, wherever it is folded, and late frames change nothing. */
import { expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { encodeInto } from '../../crdt/encoding/encoding.ts'
import { counter } from '../../crdt/index.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { FORMAT_LOWEST } from '../../src/operation/envelope/formats.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { Holdings } from '../../src/replication/acknowledgement/holdings.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine, usedBytes, type FixtureOptions } from './engine-fixture.ts'

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

/** x has died: a alone has all of it, and has compacted past it; b has seen x:2 of 3. */
async function afterDying(options: { readonly a?: FixtureOptions } = {}) {
  const [a, b, x] = [await open('a', options.a), await open('b'), await open('x')]
  await a.write('set:1', 'add', ['a'])
  await x.pull(a)
  for (const element of ['x', 'y', 'z']) await x.write('set:1', 'add', [element])
  const envelopes = x.envelopes().slice(1)
  for (const envelope of envelopes.slice(0, 2)) a.admit(envelope)
  await b.pull(a)
  return { a, b, x, envelopes, dead: x.engine.replica }
}

test('a dead replica is pruned, and what was still to come of it is refused from then on, also after a restart', async () => {
  const files = disk('a')
  const { a, b, envelopes, dead } = await afterDying({ a: { files } })
  a.engine.retire([[dead, 2]])
  a.engine.endIds([[dead, 2]])
  await b.pull(a)
  for (const one of [a, b]) expect(one.admit(envelopes[2] as Uint8Array)).toBe('resync')
  await a.engine.log.settled('logged')
  const before = await open('a', { files: files.copy() })
  expect(before.admit(envelopes[2] as Uint8Array)).toBe('resync')
  stabilise(a, b)
  await settle()
  for (const one of [a, b]) {
    expect(named(one)).not.toContain(dead)
    expect(one.engine.retired.size).toBe(0)
    expect(envelopes.map((envelope) => one.admit(envelope))).toEqual(['duplicate', 'duplicate', 'duplicate'])
    expect(setOf(one)).toEqual(['a', 'x', 'y'])
  }
  await a.engine.log.settled('logged')
  const after = await open('a', { files: files.copy() })
  expect([named(after), after.engine.retired.size, setOf(after)]).toEqual([named(a), 0, ['a', 'x', 'y']])
})

test('who holds more of a dead replica does not take in that it has ended, and is mended by a state', async () => {
  const { a, b, envelopes, dead } = await afterDying()
  // It is known before.
  await b.write('set:1', 'add', ['b'])
  await a.pull(b)
  b.admit(envelopes[2] as Uint8Array)
  await b.write('set:1', 'add', ['void'])
  a.engine.endIds([[dead, 2]])
  expect(await b.pull(a)).toContain('resync')
  expect(setOf(b)).toEqual(['a', 'b', 'void', 'x', 'y', 'z'])
  stabilise(a)
  // It has seen what is void.
  expect(await a.pull(b)).toContain('resync')
  b.install(a)
  await exchange(a, b)
  // What it alone held is issued again.
  for (const one of [a, b])
    expect([setOf(one), named(one).includes(dead)]).toEqual([['a', 'b', 'void', 'x', 'y', 'z'], false])
})

test('the owner of an id that has ended gives it up, and goes on', async () => {
  const { a, x, dead } = await afterDying()
  await a.pull(x)
  a.engine.endIds([[dead, 3]])
  await x.pull(a)
  expect(x.engine.replica).not.toBe(dead)
  await x.write('set:1', 'add', ['more'])
  stabilise(a)
  await a.pull(x)
  expect(setOf(a)).toEqual(['a', 'more', 'x', 'y', 'z'])
})

test('what was issued again and counts under a name of a pruned id does not count twice', async () => {
  const { a, b, x, envelopes, dead } = await afterDying()
  // b, which lacks the third, gives x its state; x issues the third again.
  x.install(b)
  expect(x.engine.replica).not.toBe(dead)
  expect(setOf(x)).toEqual(['a', 'x', 'y', 'z'])
  a.admit(envelopes[2] as Uint8Array)
  a.engine.endIds([[dead, 3]])
  stabilise(a)
  await x.engine.outlet.settled()
  expect(await a.pull(x)).toContain('resync')
  await a.write('count:1', 'increment', [1])
  x.install(a)
  await exchange(a, x)
  for (const one of [a, x]) expect(setOf(one)).toEqual(['a', 'x', 'y', 'z'])
  expect(newest(x).origin()).toBe(undefined)
})

test('an operation that was issued again by one that is known, and counts under a name of a pruned id, is refused', async () => {
  const { a, left } = await afterLeaving()
  const writer = parseReplicaId('c0ffee0000000000')
  const [first] = life(writer, a)
  expect(a.admit(first as Uint8Array)).toBe('applied')
  const { table } = a.engine
  const header = {
    ...{ kind: OPERATION_KIND.update, strategy: counter().code, replicaBytes: table.bytes(writer), sequence: 2 },
    ...{ key: 'count:1', hlc: hlcFromMs(a.env.now()) + 5, context: undefined, dependencies: undefined },
  }
  const again = (origin: Dot): Uint8Array => {
    const bytes = new ByteWriter()
    writeEnvelopeHeader(bytes, { ...header, format: FORMAT_LOWEST, fields: { origin } }, table)
    encodeInto(bytes, 1)
    return bytes.take()
  }
  expect(a.admit(again({ replica: left, sequence: 1 }))).toBe('resync')
  expect(a.get('count:1')).toBe(1)
})

test('who waits until others have what it wrote under a former id learns that they have, when that is pruned', async () => {
  const { a, dead } = await afterDying()
  a.engine.endIds([[dead, 2]])
  stabilise(a)
  expect([2, 3].map((sequence) => new Holdings(a.engine).held(dead, 'memory') >= sequence)).toEqual([true, false])
})

test('what said that a replica left, and that it ended, is gone from the log when it is pruned', async () => {
  const files = disk('a')
  const { a, b, left } = await afterLeaving({ a: { files, segmentBytes: 4096 } })
  const kinds = ({ engine }: TestEngine): number[] => {
    const found: number[] = []
    const reader = new OperationReader(engine.table)
    engine.log.scan(0, ({ kind, bytes, start, end }) => {
      if (kind === RECORD_KIND.operation) found.push(reader.load(bytes, start, end).kind)
      return true
    })
    return found.filter((kind) => kind !== OPERATION_KIND.update)
  }
  expect(kinds(a)).toEqual([OPERATION_KIND.leave, OPERATION_KIND.end])
  for (let i = 0; i < 100; i++) await a.set('reg:1', 'x'.repeat(100))
  await b.pull(a)
  stabilise(a)
  await a.engine.compact()
  expect(kinds(a)).toEqual([])
  await a.engine.log.settled('logged')
  const again = await open('a', { files: files.copy(), segmentBytes: 4096 })
  expect([again.state(), named(again).includes(left)]).toEqual([a.state(), false])
  const newcomer = await open('newcomer')
  newcomer.install(again)
  expect(newcomer.get('mv:1')).toEqual(a.get('mv:1'))
})

test('that an id has ended is forgotten with the operation that said so, when that is void', async () => {
  const files = disk('a')
  const { a, b, dead } = await afterDying({ a: { files } })
  const c = await open('c')
  await c.pull(b)
  a.engine.endIds([[dead, 2]])
  // b ends the id of a before that.
  b.engine.retire([[a.engine.replica, 1]])
  a.engine.retire(b.engine.retired.entries())
  a.install(b)
  expect([a.engine.ended.has(dead), a.engine.retired.endOf(dead)]).toEqual([false, 2])
  await a.engine.log.settled('logged')
  const again = await open('a', { files: files.copy() })
  expect(again.engine.ended.has(dead)).toBe(false)
})

test('an absence that is over, and that rewriting has dropped, is not looked for when ids are pruned', async () => {
  const { a, b } = await afterLeaving({ a: { files: disk('a'), segmentBytes: 4096 } })
  a.engine.away(1000)
  for (let i = 0; i < 100; i++) await a.set('reg:1', 'x'.repeat(100))
  await b.pull(a)
  stabilise(a)
  await a.engine.compact()
  const y = await open('y')
  y.install(a)
  await y.set('reg:2', 'y')
  y.engine.leave()
  for (const one of [a, b]) await one.pull(y)
  a.engine.endIds([[y.engine.replica, 2]])
  await b.pull(a)
  stabilise(a)
  expect(named(a)).not.toContain(y.engine.replica)
})

test('an id that a full disk keeps from being noted as pruned is pruned later, and named until then', async () => {
  const files = faultyFiles({ home: 'full' })
  const [a, b, x] = [await open('a', { files, segmentBytes: 4096 }), await open('b'), await open('x')]
  await x.pull(a)
  await x.write('count:1', 'increment', [3])
  x.engine.leave()
  await exchange(a, x)
  await exchange(a, b)
  a.engine.endIds([[x.engine.replica, x.engine.applied.get(x.engine.replica)]])
  await exchange(a, b)
  files.spaceBytes = usedBytes(files)
  files.spaceBytes = usedBytes(files)
  const fill = async (): Promise<never> => {
    for (;;) await a.set('kept:1', '')
  }
  await expect(fill()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
  await exchange(a, b)
  expect(() => stabilise(a)).toThrow(/no space left/)
  expect(a.engine.ended.isPruned(x.engine.replica)).toBe(false)
  expect(named(a)).toContain(x.engine.replica)
  files.spaceBytes = Infinity
  stabilise(a)
  expect(named(a)).not.toContain(x.engine.replica)
  await a.engine.log.settled('logged')
  const again = await open('a', { files: files.kill(), segmentBytes: 4096 })
  expect([again.engine.ended.isPruned(x.engine.replica), again.get('count:1')]).toEqual([true, 3])
})
