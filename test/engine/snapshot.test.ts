import { expect, test } from 'vitest'
import { register } from '../../crdt/index.ts'
import type { WarpError } from '../../crdt/warp-error.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine, type FixtureOptions } from './engine-fixture.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'

const env = virtualEnv({ seed: 3 })

function open(name: string, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ env: env.fork({ label: name }), ...options })
}

/** `b` is behind what `a` has compacted: it has seen the beginning, and not the end. */
async function behind() {
  const a = await open('a')
  const b = await open('b', { files: memoryFiles({ persistent: true, home: 'b', bootId: '1' }) })
  await a.set('reg:1', 'old')
  await a.set('reg:gone', 'x')
  await a.write('count:1', 'increment', [5])
  await a.write('set:1', 'add', ['x', 'y'])
  await a.write('text:1', 'insert', [0, 'hello'])
  await a.set('mv:1', 'first')
  await exchange(a, b)
  await a.set('reg:1', 'new')
  await a.write('reg:gone', 'delete')
  await a.write('count:1', 'increment', [10])
  await a.write('set:1', 'remove', ['x'])
  await a.write('text:1', 'insert', [5, ' world'])
  await a.set('mv:1', 'by a')
  return { a, b }
}

test('a replica that takes over a snapshot reads what its peer reads, and deleted keys disappear', async () => {
  const { a, b } = await behind()
  await a.engine.compact()
  expect(b.engine.applied.dominates(a.engine.floor)).toBe(false)
  b.install(a)
  expect(b.state()).toEqual(a.state())
  expect(b.get('reg:gone')).toBe(undefined)
  expect(b.engine.floor.sorted()).toEqual(a.engine.floor.sorted())
  expect(b.events).toEqual([])
})

test('a snapshot holds nothing of what a key was before it was forgotten', async () => {
  const [a, b] = [await open('a'), await open('b')]
  await a.write('count:1', 'increment', [5])
  await a.write('count:1', 'delete')
  await a.engine.compact()
  expect(a.version('count:1')).toBe(0)
  await a.write('count:1', 'increment', [1])
  b.install(a)
  expect(b.state()).toEqual(a.state())
  expect(b.version('count:1')).toBe(1)
})

test.each([1, 7, 64, 100_000])('chunks may be cut anywhere: %i bytes', async (chunkBytes) => {
  const { a, b } = await behind()
  await a.engine.compact()
  await a.set('reg:long', 'x'.repeat(3000))
  b.install(a, chunkBytes)
  expect(b.state()).toEqual(a.state())
})

test('what was written to keys that are not registered any more is issued again as what it was', async () => {
  const a = await open('a')
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const b = await open('b', { files })
  await b.write('count:1', 'increment', [5])
  await b.write('text:1', 'insert', [0, 'hello'])
  await b.close()
  const again = await open('b', { files, keyspaces: new Keyspaces({ 'reg:*': register<unknown>() }) })
  again.install(a)
  await a.pull(again)
  expect([a.get('count:1'), a.get('text:1')]).toEqual([5, 'hello'])
})

test('what the snapshot does not hold of the own operations is issued again under a new identity and counts once', async () => {
  const { a, b } = await behind()
  const former = b.engine.replica
  await b.set('reg:mine', 'b')
  await b.write('count:1', 'increment', [100])
  await b.write('set:1', 'add', ['z'])
  await b.write('text:1', 'insert', [0, 'AB'])
  await b.write('text:1', 'insert', [1, '-'])
  await b.write('text:1', 'remove', [0, 1])
  await b.set('mv:1', 'by b')
  await a.engine.compact()
  b.install(a)
  expect(b.engine.replica).not.toBe(former)
  expect(b.events).toEqual([{ kind: 'identity:changed', from: former, to: b.engine.replica }])
  expect(b.get('count:1')).toBe(115)
  expect(b.get('set:1')).toEqual(new Set(['y', 'z']))
  expect(b.get('reg:mine')).toBe('b')
  expect(b.get('text:1')).toBe('-Bhello world')
  expect([...(b.get('mv:1') as string[])].sort()).toEqual(['by a', 'by b'])
  expect(b.engine.applied.get(former)).toBe(0)
  await exchange(a, b)
  expect(a.get('count:1')).toBe(115)
  expect(a.state()).toEqual(b.state())
  await exchange(a, b)
  expect(a.state()).toEqual(b.state())
})

test('void operations are told to nobody', async () => {
  const { a, b } = await behind()
  const former = b.engine.replica
  await b.write('count:1', 'increment', [100])
  await a.engine.compact()
  b.install(a)
  await b.engine.outlet.settled()
  const writers = new Set<string>()
  b.engine.scanOperations(0, ({ replica }) => {
    writers.add(replica)
    return true
  })
  expect(writers).toEqual(new Set([a.engine.replica, b.engine.replica]))
  expect(writers.has(former)).toBe(false)
})

test('foreign operations that the snapshot lacks are kept under their names', async () => {
  const { a, b } = await behind()
  const c = await open('c')
  await exchange(b, c)
  await c.write('count:1', 'increment', [1000])
  await a.pull(c)
  await c.write('count:1', 'increment', [2000])
  await b.pull(c)
  await a.engine.compact()
  b.install(a)
  expect(b.get('count:1')).toBe(3015)
  expect(b.engine.applied.get(c.engine.replica)).toBe(2)
  expect(b.events).toEqual([])
  await a.pull(b)
  await a.pull(c)
  expect(a.state()).toEqual(b.state())
})

test('a replica that writes for the first time without having seen what was compacted has to resync', async () => {
  const { a } = await behind()
  const stranger = await open('stranger')
  await stranger.set('reg:gone', 'again')
  await a.engine.compact()
  expect(await a.pull(stranger)).toEqual(['resync'])
  stranger.install(a)
  expect(await a.pull(stranger)).toEqual(['applied'])
  expect(a.get('reg:gone')).toBe('again')
  expect(stranger.state()).toEqual(a.state())
})

test('the snapshot carries the floor, so whoever took it over can serve what lies beyond', async () => {
  const { a, b } = await behind()
  const c = await open('c')
  await exchange(a, c)
  await a.engine.compact()
  for (let i = 0; i < 20; i++) await a.set(`reg:${i % 3}`, i)
  b.install(a)
  await c.pull(b)
  expect(c.state()).toEqual(a.state())
  const sequences: number[] = []
  b.engine.scanOperations(b.engine.positionAfter(a.engine.replica, 14), ({ replica, sequence }) => {
    if (replica === a.engine.replica) sequences.push(sequence)
    return true
  })
  expect(sequences).toEqual([...sequences].sort((x, y) => x - y))
})

test('an export whose source is itself replaced ends in an error, not in a part', async () => {
  const { a, b } = await behind()
  const c = await open('c')
  const source = a.engine.exportSnapshot(20)
  const target = c.engine.beginSnapshot(source.vector)
  target.chunk(source.next() as Uint8Array)
  a.install(b)
  const rest = (): void => {
    for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) target.chunk(chunk)
  }
  expect(rest).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  target.abandon()
  expect(c.engine.applied.size).toBe(0)
})

test('writes at the exporter during the export arrive afterwards, once', async () => {
  const { a, b } = await behind()
  await a.engine.compact()
  const source = a.engine.exportSnapshot(10)
  const target = b.engine.beginSnapshot(source.vector)
  for (let chunk = source.next(), i = 0; chunk !== undefined; chunk = source.next(), i++) {
    if (i % 10 === 0) await a.write('count:1', 'increment', [1000])
    if (i === 5) await a.set('reg:during', 1)
    target.chunk(chunk)
  }
  target.finish()
  expect(b.get('count:1')).toBe(15)
  expect(b.get('reg:during')).toBe(undefined)
  await b.pull(a)
  expect(b.state()).toEqual(a.state())
})

test('reads and writes at the receiver go on during the transfer, and what is written counts once', async () => {
  const { a, b } = await behind()
  await a.engine.compact()
  const source = a.engine.exportSnapshot(10)
  const target = b.engine.beginSnapshot(source.vector)
  let written = 0
  for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) {
    target.chunk(chunk)
    await b.write('count:1', 'increment', [100])
    await b.write('set:1', 'add', [`w${++written}`])
    expect(b.get('count:1')).toBe(5 + 100 * written)
    expect(b.get('reg:1')).toBe('old')
  }
  target.finish()
  expect(b.get('count:1')).toBe(15 + 100 * written)
  expect((b.get('set:1') as Set<string>).size).toBe(1 + written)
  await exchange(a, b)
  expect(a.state()).toEqual(b.state())
})

test('a transfer that is abandoned leaves everything as it was, and a later one succeeds', async () => {
  const { a, b } = await behind()
  await a.engine.compact()
  const before = b.state()
  const source = a.engine.exportSnapshot(50)
  const target = b.engine.beginSnapshot(source.vector)
  target.chunk(source.next() as Uint8Array)
  target.chunk(source.next() as Uint8Array)
  target.abandon()
  source.close()
  expect(b.state()).toEqual(before)
  expect(b.engine.applied.dominates(a.engine.floor)).toBe(false)
  b.install(a)
  expect(b.state()).toEqual(a.state())
})

test('a malformed snapshot is refused before anything changes', async () => {
  const { a, b } = await behind()
  const before = b.state()
  const source = a.engine.exportSnapshot(1_000_000)
  const bytes = source.next() as Uint8Array
  const half = b.engine.beginSnapshot(source.vector)
  half.chunk(bytes.subarray(0, bytes.length - 3))
  expect(() => half.finish()).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  half.abandon()
  for (let at = 0; at < 40; at++) {
    const damaged = bytes.slice()
    damaged[at] = 0xff
    const target = b.engine.beginSnapshot(source.vector)
    try {
      target.chunk(damaged)
    } catch (error) {
      // A damaged stamp may lie in the future.
      expect(['WARP_E_PROTOCOL', 'WARP_E_CLOCK_DRIFT']).toContain((error as WarpError).code)
    }
    target.abandon()
  }
  expect(b.state()).toEqual(before)
})

test('a snapshot that was given up is not installed any more', async () => {
  const { a, b } = await behind()
  const before = b.state()
  const source = a.engine.exportSnapshot(1_000_000)
  const target = b.engine.beginSnapshot(source.vector)
  for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) target.chunk(chunk)
  target.abandon()
  expect(() => target.finish()).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  expect(b.state()).toEqual(before)
})

test('an export that is dropped halfway lets compaction go on', async () => {
  const { a } = await behind()
  const source = a.engine.exportSnapshot(10)
  source.next()
  expect((await a.engine.compact()).droppedOperationsCount).toBe(0)
  source.close()
  source.close()
  expect(source.next()).toBe(undefined)
  expect((await a.engine.compact()).droppedOperationsCount).toBeGreaterThan(0)
})

test('nothing is compacted while a snapshot is being taken in', async () => {
  const { a, b } = await behind()
  await b.set('reg:1', 'twice')
  const target = b.engine.beginSnapshot(a.engine.applied.copy())
  expect((await b.engine.compact()).droppedOperationsCount).toBe(0)
  target.abandon()
  expect((await b.engine.compact()).droppedOperationsCount).toBeGreaterThan(0)
})

test('keys of mode local survive a snapshot', async () => {
  const { a, b } = await behind()
  await b.write('own:1', 'increment', [3])
  await a.write('own:1', 'increment', [4])
  b.install(a)
  expect(b.get('own:1')).toBe(3)
})
