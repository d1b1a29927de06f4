import { describe, expect, test } from 'vitest'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { counter, register } from '../../crdt/index.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { TestEngine } from './engine-fixture.ts'

async function historyOf(replica: TestEngine, key: string): Promise<unknown[]> {
  const payloads: unknown[] = []
  for await (const { payload } of replica.history.log(key)) payloads.push(payload)
  return payloads
}

describe('retention', () => {
  async function written(retain: 'all' | 'latest' | { versions: number } | { forMs: number }) {
    const replica = await TestEngine.open({ retain })
    for (let i = 1; i <= 10; i++) {
      await replica.set('reg:1', i)
      await replica.write('list:1', 'set', [[`${i}`]])
      await replica.env.advance(100)
    }
    await replica.engine.compact()
    return replica
  }

  test("'all' keeps everything", async () => {
    const replica = await written('all')
    expect(await historyOf(replica, 'reg:1')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(await replica.history.getAt('reg:1', { version: 1 })).toBe(1)
  })

  test("'latest' keeps the value and its version alone", async () => {
    const replica = await written('latest')
    expect(await historyOf(replica, 'reg:1')).toEqual([])
    expect(replica.get('reg:1')).toBe(10)
    expect(replica.version('reg:1')).toBe(10)
    expect(replica.get('list:1')).toHaveLength(10)
    await expect(replica.history.getAt('reg:1', { version: 9 })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_HISTORY' }),
    )
    await expect(replica.history.getAt('list:1', { timeMs: replica.env.now() - 500 })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_HISTORY' }),
    )
    expect(replica.engine.operationsCount).toBe(0)
  })

  test('{ versions } keeps so many operations', async () => {
    const replica = await written({ versions: 3 })
    expect(await historyOf(replica, 'reg:1')).toEqual([8, 9, 10])
    expect(await replica.history.getAt('reg:1', { version: 7 })).toBe(7)
    expect(await replica.history.getAt('list:1', { version: 8 })).toHaveLength(8)
    await expect(replica.history.getAt('reg:1', { version: 6 })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_HISTORY' }),
    )
    expect(replica.version('reg:1')).toBe(10)
  })

  test('{ forMs } keeps what is needed to read any moment of that time', async () => {
    const replica = await written({ forMs: 350 })
    const now = replica.env.now()
    expect(await historyOf(replica, 'reg:1')).toEqual([8, 9, 10])
    expect(await replica.history.getAt('reg:1', { timeMs: now - 350 })).toBe(7)
    expect(await replica.history.getAt('reg:1', { timeMs: now - 250 })).toBe(8)
    expect(await replica.history.getAt('list:1', { timeMs: now })).toHaveLength(10)
    await expect(replica.history.getAt('reg:1', { timeMs: now - 500 })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_HISTORY' }),
    )
    await replica.env.advance(10_000)
    await replica.engine.compact()
    expect(await historyOf(replica, 'reg:1')).toEqual([])
    expect(replica.get('reg:1')).toBe(10)
  })
})

describe('stability', () => {
  test('of a replicated log nothing is folded that some known replica may lack', async () => {
    const replica = await TestEngine.open({ isReplicated: true })
    for (let i = 1; i <= 10; i++) await replica.set('reg:1', i)
    expect((await replica.engine.compact()).droppedOperationsCount).toBe(0)
    const stable = replica.engine.applied.copy()
    await replica.set('reg:1', 11)
    replica.engine.stabilise(stable)
    expect((await replica.engine.compact()).droppedOperationsCount).toBe(10)
    expect(replica.engine.floor.get(replica.engine.replica)).toBe(10)
    expect(await historyOf(replica, 'reg:1')).toEqual([11])
  })

  test('keys of mode local need nobody else and do not raise the floor', async () => {
    const replica = await TestEngine.open({ isReplicated: true })
    for (let i = 1; i <= 10; i++) await replica.write('own:1', 'increment', [1])
    expect((await replica.engine.compact()).droppedOperationsCount).toBe(10)
    expect(replica.get('own:1')).toBe(10)
    expect(replica.engine.floor.size).toBe(0)
  })

  test('a prefix is folded only as far as everything behind it has seen it', async () => {
    const env = virtualEnv()
    const [a, b] = [
      await TestEngine.open({ env: env.fork({ label: 'a' }), isReplicated: true }),
      await TestEngine.open({ env }),
    ]
    await a.write('list:1', 'set', [['1']])
    await b.pull(a)
    await a.write('list:1', 'set', [['2']])
    await env.advance(10)
    await b.write('list:1', 'set', [['3']])
    const stable = a.engine.applied.copy()
    await a.pull(b)
    a.engine.stabilise(stable)
    await a.engine.compact()
    // '3' had not seen '2': only '1' is below both.
    expect(await historyOf(a, 'list:1')).toEqual([['2'], ['3']])
    await b.pull(a)
    expect(a.get('list:1')).toEqual(b.get('list:1'))
  })
})

test('a key that cannot be folded here does not keep others from being compacted', async () => {
  const replica = await TestEngine.open()
  const other = await TestEngine.open({ env: virtualEnv({ seed: 2 }) })
  await other.set('reg:odd', 1)
  const [envelope] = other.envelopes() as [Uint8Array]
  envelope[1] = 77
  expect(replica.admit(envelope)).toBe('applied')
  await replica.set('reg:odd', 2)
  await replica.set('reg:odd', 3)
  for (let i = 0; i < 3; i++) await replica.set('reg:1', i)
  expect((await replica.engine.compact()).droppedOperationsCount).toBeGreaterThanOrEqual(3)
  expect(await historyOf(replica, 'reg:1')).toEqual([])
})

test('two calls at once are one run and count once', async () => {
  const replica = await TestEngine.open()
  for (let i = 0; i < 10; i++) await replica.set('reg:1', i)
  const [first, second] = await Promise.all([replica.engine.compact(), replica.engine.compact()])
  expect(first).toEqual(second)
  expect(replica.engine.operationsCount).toBe(0)
  expect(replica.events.filter(({ kind }) => kind === 'compacted')).toHaveLength(1)
})

test('a compaction that is aborted is continued by the next one', async () => {
  const replica = await TestEngine.open()
  for (let i = 0; i < 400; i++) for (const value of [1, 2]) void replica.set(`reg:${i}`, value)
  const abort = new AbortController()
  const running = replica.engine.compact(abort.signal)
  abort.abort()
  await expect(running).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  expect(replica.engine.operationsCount).toBeLessThan(800)
  expect(replica.engine.operationsCount).toBeGreaterThan(0)
  await replica.engine.compact()
  expect(replica.engine.operationsCount).toBe(0)
})

test('writes go on between the steps of a compaction and none is lost', async () => {
  const files = faultyFiles()
  const replica = await TestEngine.open({ files, segmentBytes: 8192 })
  for (let i = 0; i < 300; i++) for (const value of [1, 2]) void replica.set(`reg:${i}`, value)
  const running = replica.engine.compact()
  let isDone = false
  void running.finally(() => (isDone = true))
  let round = 0
  while (!isDone) {
    for (let i = 0; i < 5; i++) void replica.write(`count:${i}`, 'increment', [1])
    void replica.set(`reg:${round % 300}`, `during ${round}`)
    if (round % 7 === 0) void replica.write(`reg:${(round * 31) % 300}`, 'delete')
    round++
    await replica.env.yield()
  }
  expect(round).toBeGreaterThan(4)
  expect(replica.get('count:4')).toBe(round)
  const before = replica.state()
  await replica.engine.compact()
  expect(replica.state()).toEqual(before)
  await replica.close()
  const again = await TestEngine.open({ files: files.kill(), segmentBytes: 8192 })
  expect(again.state()).toEqual(before)
})

describe('by itself', () => {
  test("a 'latest' key that is overwritten 200,000 times takes bounded space", async () => {
    const replica = await TestEngine.open({ segmentBytes: 262_144 })
    let bytesMax = 0
    for (let i = 0; i < 200_000; i++) {
      void replica.set('reg:1', i)
      if (i % 2000 === 0) {
        await replica.env.advance(200)
        bytesMax = Math.max(bytesMax, replica.engine.log.stats().bytes)
      }
    }
    await replica.env.advance(200)
    expect(bytesMax).toBeLessThan(1_500_000)
    expect(replica.get('reg:1')).toBe(199_999)
    expect(replica.version('reg:1')).toBe(200_000)
    await replica.close()
  })

  test('operations that become stable later are folded then', async () => {
    const replica = await TestEngine.open({ isReplicated: true })
    for (let i = 0; i < 10_000; i++) void replica.set('reg:1', i)
    await replica.env.advance(1000)
    expect(replica.engine.operationsCount).toBe(10_000)
    replica.engine.stabilise(replica.engine.applied)
    await replica.env.advance(1000)
    expect(replica.engine.operationsCount).toBe(0)
  })
})

describe('dead keys', () => {
  async function emptied(files: FaultyFiles) {
    const replica = await TestEngine.open({ files, segmentBytes: 4096 })
    for (let i = 0; i < 200; i++) {
      void replica.set(`reg:${i}`, 'value')
      void replica.set(`ttl:${i}`, 'value')
      void replica.write(`set:${i}`, 'add', ['x'])
    }
    await replica.engine.compact()
    for (let i = 0; i < 200; i++) {
      void replica.write(`reg:${i}`, 'delete')
      void replica.write(`set:${i}`, 'delete')
    }
    await replica.env.advance(5000)
    await replica.engine.compact()
    return replica
  }

  test('cost nothing: neither in memory nor in the log', async () => {
    const files = faultyFiles()
    const replica = await emptied(files)
    expect(replica.engine.store.keys.size).toBe(0)
    for (let i = 0; i < 200; i++) void replica.set('kept:1', i)
    await replica.engine.compact()
    await replica.engine.compact()
    const kinds = new Map<number, number>()
    replica.engine.log.scan(0, ({ kind }) => {
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      return true
    })
    // 200 operations on 'kept:1', a few notes in the segment that is still written to.
    expect(kinds.get(1)).toBe(200)
    expect(kinds.get(2) ?? 0).toBe(0)
    expect(kinds.get(3) ?? 0).toBeLessThan(100)
    await replica.close()
    const again = await TestEngine.open({ files: files.kill(), segmentBytes: 4096 })
    expect(again.engine.store.keys.size).toBe(1)
  })

  test('a counter that has expired reads the same afterwards, whether it has been compacted or not', async () => {
    const values = [false, true].map(async (isCompacted) => {
      const replica = await TestEngine.open()
      await replica.write('sum-ttl:1', 'increment', [5])
      await replica.write('sum-ttl:1', 'increment', [5])
      await replica.env.advance(5000)
      if (isCompacted) await replica.engine.compact()
      expect(replica.get('sum-ttl:1')).toBe(undefined)
      await replica.write('sum-ttl:1', 'increment', [1])
      return replica.get('sum-ttl:1')
    })
    const [kept, compacted] = await Promise.all(values)
    expect(compacted).toBe(kept)
  })

  test('a key written again does not see its former life', async () => {
    const replica = await TestEngine.open()
    await replica.write('set:1', 'add', ['old'])
    await replica.write('set:1', 'delete')
    await replica.write('mv:1', 'set', ['old'])
    await replica.write('mv:1', 'delete')
    await replica.engine.compact()
    await replica.write('set:1', 'add', ['new'])
    await replica.write('mv:1', 'set', ['new'])
    expect(replica.get('set:1')).toEqual(new Set(['new']))
    expect(replica.get('mv:1')).toEqual(['new'])
    expect(replica.version('set:1')).toBe(1)
    await expect(replica.history.getAt('set:1', { version: 2 })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_HISTORY' }),
    )
  })

  /** Writes `count` keys of their own, so that their records fill a segment and become garbage when they are written again. */
  function fillSegment(replica: TestEngine, name: string, count = 12): void {
    for (let i = 0; i < count; i++) void replica.set(`reg:${name}${i}`, 'x'.repeat(100))
  }

  async function empty(replica: TestEngine, name: string): Promise<void> {
    fillSegment(replica, name)
    await replica.engine.compact()
  }

  async function reopened(files: FaultyFiles, replica: TestEngine): Promise<TestEngine> {
    await replica.engine.log.settled('durable')
    // Long ago, so that nothing counts as expired.
    return TestEngine.open({ files: files.kill(), segmentBytes: 2048, env: virtualEnv({ wallMs: 1_600_000_000_000 }) })
  }

  test('a snapshot does not come back when the segments of the operations that it holds are rewritten first', async () => {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files, segmentBytes: 2048 })
    for (let i = 0; i < 3; i++) void replica.set('ttl:1', i)
    fillSegment(replica, 'a')
    await replica.engine.compact()
    // The snapshot lies in a segment that stays: everything else there is kept.
    for (let i = 0; i < 30; i++) void replica.set('kept:b', 'x'.repeat(100))
    fillSegment(replica, 'c', 20)
    await replica.env.advance(5000)
    await replica.engine.compact()
    expect(replica.engine.store.keys.find('ttl:1')).toBe(undefined)
    fillSegment(replica, 'c', 20)
    await empty(replica, 'a')
    await empty(replica, 'c')
    await empty(replica, 'a')
    expect((await reopened(files, replica)).get('ttl:1')).toBe(undefined)
  })

  test('a key that an older checkpoint knows does not come back', async () => {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files, segmentBytes: 2048 })
    void replica.set('reg:dead', 'value')
    fillSegment(replica, 'a')
    await replica.engine.checkpoint()
    void replica.write('reg:dead', 'delete')
    await replica.engine.compact()
    expect(replica.engine.store.keys.find('reg:dead')).toBe(undefined)
    fillSegment(replica, 'b')
    for (const name of ['a', 'b', 'a', 'b']) await empty(replica, name)
    const again = await reopened(files, replica)
    expect(again.engine.log.recovery.checkpointUsed).toBe(true)
    expect(again.get('reg:dead')).toBe(undefined)
    // Two checkpoints later nobody knows the key any more, and neither does the log.
    await again.engine.checkpoint()
    await again.engine.checkpoint()
    for (const name of ['a', 'b', 'a', 'b']) await empty(again, name)
    let notes = 0
    again.engine.log.scan(0, ({ kind }) => {
      if (kind === RECORD_KIND.forget) notes++
      return true
    })
    expect(notes).toBe(0)
  })

  test.each(['folded', 'forgotten'])(
    'what was %s counts as gone when the machine dies before that is written down',
    async (how) => {
      const files = memoryFiles({ persistent: true, home: 'x', bootId: '1' })
      const replica = await TestEngine.open({ files })
      for (let i = 0; i < 3; i++) void replica.set('reg:1', i)
      if (how === 'forgotten') void replica.write('reg:1', 'delete')
      const { end } = replica.engine
      await replica.engine.compact()
      await replica.engine.log.settled('durable')
      let meta = 0
      replica.engine.log.scan(end, ({ kind, position }) => {
        if (kind === RECORD_KIND.meta) meta = position >>> 0
        return true
      })
      const cut = files.copy()
      cut.bytes('segment-0000000001').fill(0, meta)
      const again = await TestEngine.open({ files: cut })
      expect(again.engine.floor.sorted()).toEqual(replica.engine.applied.sorted())
      expect(again.state()).toEqual(replica.state())
    },
  )
})

// Simulation seed 41. a: add ── delete ── forgets ── add ── delete; b takes the first four as one snapshot.
test('a delete takes away what is elsewhere in one snapshot with a life of the key that its writer has forgotten', async () => {
  const env = virtualEnv()
  const a = await TestEngine.open({ env: env.fork({ label: 'a' }) })
  const b = await TestEngine.open({ env: env.fork({ label: 'b' }) })
  await b.write('set:1', 'add', ['before'])
  await a.pull(b)
  await a.write('set:1', 'delete')
  await a.engine.compact()
  await a.write('set:1', 'add', ['after'])
  await b.pull(a)
  await b.engine.compact()
  expect(b.get('set:1')).toEqual(new Set(['after']))
  await a.write('set:1', 'delete')
  await b.pull(a)
  expect([a.get('set:1'), b.get('set:1')]).toEqual([undefined, undefined])
})

describe('expired keys', () => {
  const SHORT = { ttlMs: 1000 } as const
  const keys = {
    'session:*': { strategy: register<string>(), ...SHORT },
    'hits:*': { strategy: counter(), ...SHORT },
    'visit:*': { strategy: register<string>(), ...SHORT, ttl: 'sliding' as const },
    'kept:*': { strategy: register<string>(), ...SHORT, retain: 'all' as const },
  }

  async function expired(isReplicated: boolean): Promise<string[]> {
    const replica = await TestEngine.open({ keyspaces: new Keyspaces(keys), isReplicated })
    for (let i = 0; i < 50; i++) {
      for (const name of ['session', 'visit', 'kept']) await replica.set(`${name}:${i}`, 'x')
      for (let n = 0; n < 3; n++) await replica.write(`hits:${i}`, 'increment', [1])
    }
    if (isReplicated) replica.engine.stabilise(replica.engine.applied)
    await replica.env.advance(1000)
    await replica.engine.compact()
    const { keys: table } = replica.engine.store
    return [...new Set([...table.occupied()].map((slot) => String(table.keys[slot]).split(':')[0] as string))].sort()
  }

  test('go at compaction, without being asked to', async () => {
    expect(await expired(false)).toEqual(['kept'])
  })

  test('stay as one snapshot where another replica may still write into the life that is over here', async () => {
    expect(await expired(true)).toEqual(['hits', 'kept', 'visit'])
  })
})
