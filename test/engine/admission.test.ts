import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { WarpError } from '../../crdt/warp-error.ts'
import { DOCUMENT_BYTES_MAX } from '../../src/limits.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine, usedBytes } from './engine-fixture.ts'

const YEAR_MS = 365 * 86_400_000

async function pair(wallOffsetMs = 0) {
  const env = virtualEnv({ seed: 4 })
  const a = await TestEngine.open({ env: env.fork({ label: 'a' }), retain: 'all' })
  const b = await TestEngine.open({ env: env.fork({ label: 'b', wallOffsetMs }), retain: 'all' })
  return { a, b, env }
}

test('an operation offered again is a duplicate and changes nothing', async () => {
  const { a, b } = await pair()
  await a.write('count:1', 'increment', [1])
  const [envelope] = a.envelopes() as [Uint8Array]
  expect(b.admit(envelope)).toBe('applied')
  const { end } = b.engine
  expect(b.admit(envelope)).toBe('duplicate')
  expect(a.admit(envelope)).toBe('duplicate')
  expect(b.engine.end).toBe(end)
  expect(b.get('count:1')).toBe(1)
  expect(b.engine.admission).toMatchObject({ admittedCount: 1, duplicatesCount: 1 })
})

test('operations of one writer go in in their order', async () => {
  const { a, b } = await pair()
  for (let i = 1; i <= 3; i++) await a.set('reg:1', i)
  const [first, second, third] = a.envelopes() as [Uint8Array, Uint8Array, Uint8Array]
  expect(b.admit(second)).toBe('early')
  expect(b.admit(third)).toBe('early')
  expect(b.engine.applied.size).toBe(0)
  expect([first, second, third].map((envelope) => b.admit(envelope))).toEqual(['applied', 'applied', 'applied'])
})

// a: reg:1 ──► b: reg:2 ──► c may not see reg:2 before reg:1, though they are different keys.
test('an operation waits for what its writer had seen, on any key', async () => {
  const { a, b, env } = await pair()
  const c = await TestEngine.open({ env: env.fork({ label: 'c' }) })
  await a.set('reg:1', 'cause')
  await b.pull(a)
  await b.set('reg:2', 'effect')
  const [cause] = a.envelopes() as [Uint8Array]
  const effect = b.envelopes()[1] as Uint8Array
  expect(c.admit(effect)).toBe('early')
  expect(c.get('reg:2')).toBe(undefined)
  expect(c.admit(cause)).toBe('applied')
  expect(c.admit(effect)).toBe('applied')
})

test('a write that has seen another one wins over it, though its wall clock is behind', async () => {
  const { a, b } = await pair(-400)
  await a.set('reg:1', 'seen')
  await b.pull(a)
  await b.set('reg:1', 'written upon it')
  await a.pull(b)
  expect([a.get('reg:1'), b.get('reg:1')]).toEqual(['written upon it', 'written upon it'])
})

test('an operation from the future is not applied, does not move the clock, and goes in when its time has come', async () => {
  const { a, b, env } = await pair(3_600_000)
  await b.set('reg:1', 'late')
  const [envelope] = b.envelopes() as [Uint8Array]
  const { last } = a.engine.store.clock
  expect(a.admit(envelope)).toBe('drift')
  expect(a.engine.store.clock.last).toBe(last)
  expect(a.get('reg:1')).toBe(undefined)
  expect(a.engine.applied.size).toBe(0)
  expect(a.engine.admission.driftingCount).toBe(1)
  await env.advance(3_600_000 - 501)
  expect(a.admit(envelope)).toBe('drift')
  await env.advance(1)
  expect(a.admit(envelope)).toBe('applied')
  await a.set('reg:1', 'after')
  await b.pull(a)
  expect(b.get('reg:1')).toBe('after')
})

test('our own id with a dot that we never used is a clone: we go on under another name and lose nothing', async () => {
  const files = memoryFiles({ persistent: true, bootId: '1' })
  const original = await TestEngine.open({ files })
  await original.set('reg:1', 'before')
  const clone = await TestEngine.open({ files: files.copy() })
  expect(clone.engine.replica).toBe(original.engine.replica)
  await clone.set('reg:2', 'by the clone')
  const former = original.engine.replica
  await clone.engine.log.settled('logged')
  const envelope = clone.envelopes()[1] as Uint8Array
  expect(original.admit(envelope)).toBe('clone')
  expect(original.events).toEqual([{ kind: 'identity:changed', from: former, to: original.engine.replica }])
  expect(original.admit(envelope)).toBe('applied')
  expect((await original.set('reg:2', 'after')).dot).toEqual({ replica: original.engine.replica, sequence: 1 })
  await exchange(original, clone)
  expect(original.state()).toEqual(clone.state())
  expect(clone.get('reg:2')).toBe('after')
})

test('our own dot with other content is a clone', async () => {
  const files = memoryFiles({ persistent: true, bootId: '1' })
  const original = await TestEngine.open({ files })
  await original.set('reg:0', 0)
  const clone = await TestEngine.open({ files: files.copy() })
  await original.set('reg:1', 'mine')
  await clone.set('reg:1', 'theirs')
  await clone.engine.log.settled('logged')
  const [same, other] = clone.envelopes() as [Uint8Array, Uint8Array]
  expect(original.admit(same)).toBe('duplicate')
  const former = original.engine.replica
  expect(original.admit(other)).toBe('clone')
  expect(original.engine.replica).not.toBe(former)
})

test('a full disk refuses foreign operations and takes them later', async () => {
  const files = faultyFiles()
  const env = virtualEnv()
  const a = await TestEngine.open({ env: env.fork({ label: 'a' }) })
  const b = await TestEngine.open({ files, env, segmentBytes: 4096, retain: 'all' })
  for (let i = 0; i < 100; i++) await a.set(`reg:${i}`, 'x'.repeat(200))
  files.spaceBytes = usedBytes(files)
  const verdicts = a.envelopes().map((envelope) => b.admit(envelope))
  const applied = verdicts.indexOf('full')
  expect(applied).toBeGreaterThan(0)
  expect(b.engine.applied.get(a.engine.replica)).toBe(applied)
  expect(b.get(`reg:${applied}`)).toBe(undefined)
  files.spaceBytes = Infinity
  await b.pull(a)
  expect(b.state()).toEqual(a.state())
})

test('an operation whose key cannot be looked up in the log is taken in once, and the fold finds out whose the key is', async () => {
  const { a, b } = await pair()
  // Of a key that began with a delete the table does not know who writes it.
  await b.write('count:1', 'increment', [1])
  await b.write('count:1', 'delete')
  await a.pull(b)
  a.engine.store.keys.settleStrategy(a.engine.store.keys.find('count:1') as number, 0)
  await b.write('count:1', 'increment', [5])
  const failure = new WarpError('WARP_E_STORAGE', 'the storage failed while reading')
  const reading = vi.spyOn(a.engine.store.values, 'writtenBy').mockImplementationOnce(() => {
    throw failure
  })
  const [, , envelope] = b.envelopes()
  const { admittedCount } = a.engine.admission
  expect(a.admit(envelope as Uint8Array)).toBe('applied')
  expect(reading).toHaveBeenCalledTimes(1)
  expect(a.admit(envelope as Uint8Array)).toBe('duplicate')
  expect(a.engine.admission.admittedCount).toBe(admittedCount + 1)
  expect([a.envelopes().length, a.get('count:1')]).toEqual([3, 5])
})

test('any bytes are either taken in or refused as malformed', async () => {
  const { a, b } = await pair()
  await b.set('reg:1', 'x')
  await a.pull(b)
  await a.set('reg:1', 'value')
  await a.write('set:1', 'add', ['x'])
  const envelopes = a.envelopes()
  const property = fc.property(
    fc.nat(2),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    fc.nat(40),
    (which, edits, cut) => {
      const bytes = (envelopes[which] as Uint8Array).slice()
      for (const [at, byte] of edits) bytes[at % bytes.length] = byte
      try {
        b.engine.admit(bytes, 0, Math.max(1, bytes.length - cut))
      } catch (error) {
        expect(error).toMatchObject({ code: 'WARP_E_PROTOCOL' })
      }
    },
  )
  fc.assert(property, { numRuns: 2000 })
})

test('an operation beyond the limits of size is refused, whoever wrote it', async () => {
  const { a, b } = await pair()
  await a.set('reg:1', 'value')
  const [envelope] = a.envelopes() as [Uint8Array]
  const larger = new Uint8Array(envelope.length + DOCUMENT_BYTES_MAX)
  larger.set(envelope)
  expect(() => b.admit(larger)).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  expect(b.engine.applied.size).toBe(0)
})

test('a key that is not text is malformed', async () => {
  const { a, b } = await pair()
  await a.set('reg:1', 'value')
  const [envelope] = a.envelopes() as [Uint8Array]
  const { keyStart } = new OperationReader(new ReplicaTable()).load(envelope, 0, envelope.length)
  envelope[keyStart] = 0xff
  expect(() => b.admit(envelope)).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  expect(b.engine.applied.size).toBe(0)
})

test(
  'what was written later, having seen the earlier, wins whatever the clocks say',
  { timeout: 600_000 },
  async () => {
    const offsets = fc.array(
      fc.oneof(fc.integer({ min: -10 * YEAR_MS, max: 10 * YEAR_MS }), fc.integer({ min: -400, max: 400 })),
      {
        minLength: 2,
        maxLength: 4,
      },
    )
    const writes = fc.array(fc.tuple(fc.nat(3), fc.constantFrom('reg:1', 'mv:1', 'list:1'), fc.nat(3)), {
      minLength: 1,
      maxLength: 12,
    })
    let drifted = 0
    const property = fc.asyncProperty(fc.nat(), offsets, writes, async (seed, offsetsMs, plan) => {
      const env = virtualEnv({ seed })
      const replicas = await Promise.all(
        offsetsMs.map((wallOffsetMs, i) =>
          TestEngine.open({ env: env.fork({ label: `${i}`, wallOffsetMs }), retain: 'all' }),
        ),
      )
      for (const [i, [who, key, from]] of plan.entries()) {
        const writer = replicas[who % replicas.length] as TestEngine
        const verdicts = await writer.pull(replicas[from % replicas.length] as TestEngine)
        drifted += verdicts.filter((verdict) => verdict === 'drift').length
        const value = key === 'list:1' ? [`${i}`] : `${i}`
        await writer.set(key, value)
        // It has seen all that it holds, so nothing of that can stand above it.
        const now = writer.get(key)
        expect(key === 'reg:1' ? now : key === 'mv:1' ? (now as string[])[0] : (now as string[]).at(-1)).toBe(`${i}`)
        if (key === 'mv:1') expect(now).toHaveLength(1)
      }
      for (const replica of replicas) {
        for (const other of replicas)
          drifted += (await replica.pull(other)).filter((verdict) => verdict === 'drift').length
      }
    })
    await fc.assert(property, { numRuns: 150 })
    expect(drifted).toBeGreaterThan(10)
  },
)
