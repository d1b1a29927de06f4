/** A state that takes more than a record holds is compacted in parts: it is there as a whole or not at all. */
import { describe, expect, test } from 'vitest'
import { custom, set } from '../../crdt/index.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { finishNow, STEP, UNBOUNDED } from '../../src/operation/budget.ts'
import type { SnapshotImport } from '../../src/membership/snapshot-ports.ts'
import { isPart, PART_BYTES, UNDIVIDED_BYTES_MAX } from '../../src/merge/snapshot-parts.ts'
import { readInSteps } from '../../src/store/read-steadily.ts'
import { TOO_LONG } from '../../src/cache/values.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { keysRetaining, TestEngine, type FixtureOptions } from './engine-fixture.ts'

const MB = 1_000_000
const HOME = { persistent: true, home: 'b', bootId: '1' }

function disk(): MemoryFiles {
  return memoryFiles(HOME)
}

/** Some elements of a size that no two sets have in common. */
function elements(count: number, bytes = MB, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `${from + i}`.padEnd(bytes, '.'))
}

async function addTo(replica: TestEngine, key: string, added: readonly string[]): Promise<void> {
  for (const element of added) await replica.write(key, 'add', [element])
}

/** A replica with a set of some MB. */
async function large(count: number, options: FixtureOptions = {}): Promise<TestEngine> {
  const replica = await TestEngine.open(options)
  await addTo(replica, 'set:1', elements(count))
  return replica
}

function elementsOf(replica: TestEngine, key = 'set:1'): readonly string[] {
  return [...(replica.get(key) as Set<string>)].sort()
}

function sorted(count: number): readonly string[] {
  return elements(count).sort()
}

interface PartsFound {
  count: number
  bytes: number
}

function partsIn({ engine: { log } }: TestEngine): PartsFound {
  const found = { count: 0, bytes: 0 }
  log.scan(0, (record) => {
    if (!isPart(record)) return true
    found.count++
    found.bytes += record.end - record.start
    return true
  })
  return found
}

function cold(replica: TestEngine, key = 'set:1'): number {
  const { keys, values } = replica.engine.store
  const slot = keys.find(key) as number
  values.drop(slot)
  return slot
}

describe('a set of 24 MB', () => {
  test('is compacted, which frees its operations, and is read back equal: in place, from the log, from a checkpoint', async () => {
    const files = disk()
    const replica = await large(24, { files })
    await addTo(replica, 'set:small', ['a', 'b'])
    await replica.engine.compact()
    expect(replica.engine.operationsCount).toBe(0)
    expect(replica.events.filter(({ kind }) => kind === 'compaction:refused')).toEqual([])
    expect(partsIn(replica).count).toBeGreaterThan((24 * MB) / PART_BYTES)
    expect(replica.engine.log.stats().bytes).toBeLessThan(24 * MB * 1.1)
    cold(replica)
    expect(elementsOf(replica)).toEqual(sorted(24))
    await replica.engine.log.settled('durable')
    const killed = await TestEngine.open({ files: files.copy(HOME) })
    expect(killed.engine.log.recovery.checkpointUsed).toBe(false)
    expect(elementsOf(killed)).toEqual(sorted(24))
    await replica.close()
    const again = await TestEngine.open({ files })
    expect(again.engine.log.recovery.checkpointUsed).toBe(true)
    expect(elementsOf(again)).toEqual(sorted(24))
    expect(elementsOf(again, 'set:small')).toEqual(['a', 'b'])
  })

  test('is read in steps: no call that cannot wait decodes it', async () => {
    const replica = await large(24)
    await replica.engine.compact()
    const slot = cold(replica)
    const { store } = replica.engine
    expect(store.values.readShort(slot)).toBe(TOO_LONG)
    expect(store.values.peek(slot)).toBeUndefined()
    expect(await readInSteps(store, slot, () => undefined)).toHaveLength(24)
    expect(store.values.peek(slot)).toHaveLength(24)
  })

  test('is written and read a part at a time', async () => {
    const env = virtualEnv()
    const bytes = [0]
    const yielding = { ...env, yield: () => env.yield().then(() => void bytes.push(0)) }
    const replica = await large(24, { env: yielding })
    const { log, store } = replica.engine
    const [commit, record] = [log.commit.bind(log), log.record.bind(log)]
    const spend = (count: number): void => void (bytes[bytes.length - 1]! += count)
    log.commit = (kind, previous, writer) => {
      const position = commit(kind, previous, writer)
      const { start, end } = record(position)
      spend(end - start)
      return position
    }
    log.record = (position) => {
      const found = record(position)
      spend(found.end - found.start)
      return found
    }
    await replica.engine.compact()
    expect(Math.max(...bytes)).toBeLessThanOrEqual(STEP.bytes + 2 * MB)
    bytes.splice(0, Infinity, 0)
    await readInSteps(store, cold(replica), () => undefined)
    expect(Math.max(...bytes)).toBeLessThanOrEqual(2 * STEP.bytes)
    expect(bytes.length).toBeGreaterThan((24 * MB) / PART_BYTES)
  })

  test('is written on, compacted again, and then its former parts are garbage', async () => {
    const files = disk()
    const replica = await large(24, { files })
    await replica.engine.compact()
    await addTo(replica, 'set:1', elements(2, MB, 24))
    await replica.write('set:1', 'remove', elements(1))
    await replica.engine.compact()
    expect(replica.engine.operationsCount).toBe(0)
    const expected = elements(26).slice(1).sort()
    expect(elementsOf(replica)).toEqual(expected)
    expect(partsIn(replica).bytes).toBeLessThan(25 * MB * 1.01)
    expect(replica.engine.log.stats().bytes).toBeLessThan(25 * MB * 1.5)
    await replica.close()
    expect(elementsOf(await TestEngine.open({ files }))).toEqual(expected)
  })

  test('is deleted, and nothing is left of it', async () => {
    const replica = await large(24, { files: disk(), segmentBytes: 65_536 })
    await replica.engine.compact()
    await replica.write('set:1', 'delete')
    await replica.set('reg:1', 'after it')
    await replica.engine.compact()
    expect(replica.get('set:1')).toBeUndefined()
    expect(partsIn(replica).count).toBe(0)
    expect(replica.engine.log.stats().bytes).toBeLessThan(MB)
  })

  test('rests after it has been written, for so long as that took ten times', async () => {
    const replica = await large(24)
    const { compactor } = replica.engine
    await compactor.runInPassing()
    expect(replica.engine.operationsCount).toBe(0)
    await addTo(replica, 'set:1', ['one', 'two'])
    await addTo(replica, 'set:small', ['one', 'two'])
    await compactor.runInPassing()
    expect(replica.engine.operationsCount).toBe(2)
    await replica.env.advance(5000)
    await compactor.runInPassing()
    expect(replica.engine.operationsCount).toBe(0)
    await addTo(replica, 'set:1', ['three', 'four'])
    await replica.engine.compact()
    expect(replica.engine.operationsCount).toBe(0)
  })

  test('may be of a key that never leaves its replica', async () => {
    const files = disk()
    const keyspaces = () => new Keyspaces({ 'set:*': { strategy: set<string>(), retain: 'latest', mode: 'local' } })
    const replica = await large(24, { files, keyspaces: keyspaces() })
    await replica.engine.compact()
    expect(replica.engine.operationsCount).toBe(0)
    await replica.engine.log.settled('durable')
    const killed = await TestEngine.open({ files: files.copy(HOME), keyspaces: keyspaces() })
    expect(elementsOf(killed)).toEqual(sorted(24))
    const other = await TestEngine.open({ keyspaces: keyspaces() })
    other.install(killed, 262_144)
    expect(other.get('set:1')).toBeUndefined()
    expect(partsIn(other).count).toBe(0)
  })
})

test('a state of some MiB stays in one record', async () => {
  const replica = await large(3)
  await replica.engine.compact()
  expect(3 * MB).toBeLessThan(UNDIVIDED_BYTES_MAX)
  expect(partsIn(replica).count).toBe(0)
  expect(replica.engine.operationsCount).toBe(0)
})

test('a state that its strategy encodes in one go is compacted in parts as well', async () => {
  const whole = custom<string[]>((old, next) => [...old, ...next])
  const keyspaces = new Keyspaces({ 'list:*': { strategy: whole, retain: 'latest' } })
  const replica = await TestEngine.open({ keyspaces })
  for (const element of elements(18)) await replica.set('list:1', [element])
  await replica.engine.compact()
  expect(replica.engine.operationsCount).toBe(0)
  cold(replica, 'list:1')
  expect(replica.get('list:1')).toEqual(elements(18))
})

describe('whoever takes over a state', () => {
  /** `b` has written what `a` has not, and `a` has compacted what `b` has not seen. */
  async function behind(options: FixtureOptions = {}) {
    const a = await large(20, { env: virtualEnv({ seed: 'a' }) })
    await a.set('reg:1', 'of a')
    await a.set('reg:1', 'of a as well')
    await a.engine.compact()
    await addTo(a, 'set:1', ['behind the snapshot'])
    const b = await TestEngine.open({ env: virtualEnv({ seed: 'b' }), ...options })
    await addTo(b, 'set:2', ['of b'])
    return { a, b }
  }
  const LOCAL = { strategy: set<string>(), retain: 'latest', mode: 'local' } as const
  const EXPECTED = [...elements(20), 'behind the snapshot'].sort()

  test.each([65_536, 1_000_003])('has a large one as a whole (in chunks of %i bytes)', async (chunkBytes) => {
    const files = disk()
    const { a, b } = await behind({ files })
    b.install(a, chunkBytes)
    expect(elementsOf(b)).toEqual(EXPECTED)
    expect([b.get('reg:1'), elementsOf(b, 'set:2')]).toEqual(['of a as well', ['of b']])
    await b.engine.log.settled('durable')
    const killed = await TestEngine.open({ files: files.copy(HOME) })
    expect(elementsOf(killed)).toEqual(EXPECTED)
    // And it can be compacted, taken over from there, and opened.
    await b.engine.compact()
    // To fold a single one is worth nothing.
    expect(b.engine.operationsCount).toBe(1)
    cold(b)
    const c = await TestEngine.open({ env: virtualEnv({ seed: 'c' }) })
    c.install(b, chunkBytes)
    expect(elementsOf(c)).toEqual(EXPECTED)
    await b.close()
    expect(elementsOf(await TestEngine.open({ files }))).toEqual(EXPECTED)
  })

  test('leaves out one of a key that is local here', async () => {
    const { a, b } = await behind({ keyspaces: new Keyspaces({ ...keysRetaining('latest'), 'set:1': LOCAL }) })
    await addTo(b, 'set:1', ['of b alone'])
    await addTo(a, 'set:large', elements(6))
    await a.engine.compact()
    b.install(a, MB)
    expect(elementsOf(b, 'set:large')).toEqual(sorted(6))
    cold(b, 'set:large')
    expect(elementsOf(b, 'set:large')).toEqual(sorted(6))
    expect(elementsOf(b)).toEqual(['of b alone'])
    expect(partsIn(b).bytes).toBeLessThan(7 * MB)
  })

  test('keeps its own when the transfer ends within one', async () => {
    const { a, b } = await behind()
    const source = a.engine.exportSnapshot(MB)
    const target = b.engine.beginSnapshot(source.vector)
    for (let left = 5; left > 0; left--) target.chunk(source.next() as Uint8Array)
    target.abandon()
    source.close()
    expect([b.get('set:1'), elementsOf(b, 'set:2')]).toEqual([undefined, ['of b']])
    await b.engine.compact()
    b.install(a, MB)
    expect(elementsOf(b)).toEqual(EXPECTED)
  })

  test('refuses one whose parts are not all there', async () => {
    const { a, b } = await behind()
    const stream: Uint8Array[] = []
    const source = a.engine.exportSnapshot(PART_BYTES / 4)
    for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) stream.push(chunk)
    const whole = Buffer.concat(stream)
    const parts = itemsOf(whole).filter(({ type }) => type === 7)
    const last = parts.at(-1) as Item
    for (const [from, to] of [
      [last.from, last.to],
      [parts[0]?.from ?? 0, last.to],
    ] as const) {
      const target = b.engine.beginSnapshot(source.vector)
      const without = Buffer.concat([whole.subarray(0, from), whole.subarray(to)])
      expect(() => hand(without, target)).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
      target.abandon()
    }
    const target = b.engine.beginSnapshot(source.vector)
    hand(whole.subarray(0, last.to), target)
    expect(() => finishNow(target.steps(UNBOUNDED))).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
    target.abandon()
    expect(b.get('set:1')).toBeUndefined()
  })
})

function hand(stream: Uint8Array, target: SnapshotImport): void {
  for (let at = 0; at < stream.length; at += PART_BYTES) target.chunk(stream.subarray(at, at + PART_BYTES))
}

interface Item {
  readonly type: number
  readonly from: number
  readonly to: number
}

function itemsOf(stream: Uint8Array): Item[] {
  const items: Item[] = []
  for (let at = 0; at < stream.length;) {
    const from = at
    const type = stream[at++] as number
    let length = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = stream[at++] as number
      length += (byte & 0x7f) * scale
      if (byte < 0x80) break
    }
    at += length
    items.push({ type, from, to: at })
  }
  return items
}

describe('what is given up in the midst of a state', () => {
  test('leaves the operations, and its parts are garbage', async () => {
    const replica = await large(20, { files: disk(), segmentBytes: 65_536 })
    const { log } = replica.engine
    const controller = new AbortController()
    const commit = log.commit.bind(log)
    let parts = 0
    log.commit = (kind, previous, writer) => {
      if (kind === RECORD_KIND.snapshot && ++parts === 10) controller.abort()
      return commit(kind, previous, writer)
    }
    await expect(replica.engine.compact(controller.signal)).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
    expect(parts).toBeGreaterThanOrEqual(10)
    expect(partsIn(replica).count).toBe(parts)
    expect(replica.engine.operationsCount).toBe(20)
    log.commit = commit
    await replica.engine.compact()
    expect(replica.engine.operationsCount).toBe(0)
    expect(log.stats().bytes).toBeLessThan(20 * MB * 1.1)
    cold(replica)
    expect(elementsOf(replica)).toEqual(sorted(20))
  })

  test('by a crash leaves the operations, and its parts are garbage after the next opening', async () => {
    const files = disk()
    const replica = await large(20, { files, segmentBytes: 65_536 })
    const { log } = replica.engine
    const commit = log.commit.bind(log)
    let killed: MemoryFiles | undefined
    let parts = 0
    await log.settled('durable')
    log.commit = (kind, previous, writer) => {
      const position = commit(kind, previous, writer)
      if (kind === RECORD_KIND.snapshot && ++parts === 70)
        void log.settled('durable').then(() => (killed = files.copy(HOME)))
      return position
    }
    await replica.engine.compact()
    const again = await TestEngine.open({ files: killed as unknown as MemoryFiles, segmentBytes: 65_536 })
    expect(partsIn(again).count).toBeGreaterThan(10)
    expect(again.engine.operationsCount).toBe(20)
    expect(elementsOf(again)).toEqual(sorted(20))
    await again.engine.compact()
    expect(again.engine.operationsCount).toBe(0)
    expect(elementsOf(again)).toEqual(sorted(20))
    expect(again.engine.log.stats().bytes).toBeLessThan(20 * MB * 1.1)
  })

  /** A set that takes little more than stays in one record, so that many crashes are tried. */
  async function compactAndCrash(step: number): Promise<boolean> {
    const files: FaultyFiles = faultyFiles({ seed: step })
    const replica = await large(5, { files, segmentBytes: 1_048_576 })
    await replica.engine.log.settled('durable')
    files.crashAtStep(files.steps + step)
    await replica.engine.compact().catch(() => undefined)
    const hasCrashed = files.crashed
    const after = files.crash()
    const survived = await TestEngine.open({ files: after })
    expect(elementsOf(survived), `step ${step}`).toEqual(sorted(5))
    await survived.engine.compact()
    cold(survived)
    expect(elementsOf(survived), `step ${step}`).toEqual(sorted(5))
    return hasCrashed
  }

  test('by a power failure at one step of six leaves the state as it was', async () => {
    let step = 0
    while (await compactAndCrash(step)) step += 6
    expect(step).toBeGreaterThan(60)
  })
})
