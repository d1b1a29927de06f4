/** Several keys set as one: all or nothing, here and after a crash, and seen at once. */
import { expect, test } from 'vitest'
import { VALUE_BYTES_MAX } from '../../src/limits.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { type Setting, Writer } from '../../src/store/write-road/writer.ts'
import { TestEngine } from '../engine/engine-fixture.ts'

function settingsOf(replica: TestEngine, values: Readonly<Record<string, unknown>>): Setting[] {
  const { store } = replica.engine
  return Object.entries(values).map(([key, value]) => ({
    target: { key, keyspace: store.keyspaceOf(key), slot: store.keys.find(key) },
    value,
  }))
}

const tooLarge = 'x'.repeat(VALUE_BYTES_MAX + 1)

test('a group is numbered without a gap, and each of its operations says which it is', async () => {
  const replica = await TestEngine.open()
  await replica.set('reg:1', 'before')
  const receipts = await new Writer(replica.engine.store, undefined).setAll(
    settingsOf(replica, { 'reg:1': 'one', 'ttl:2': 'two', 'mv:3': 'three' }),
    {},
  )
  const { replica: id } = replica.engine
  expect(receipts).toEqual([
    { dot: { replica: id, sequence: 2 }, version: 2, ack: 'memory' },
    { dot: { replica: id, sequence: 3 }, version: 1, ack: 'memory' },
    { dot: { replica: id, sequence: 4 }, version: 1, ack: 'memory' },
  ])
  expect(['reg:1', 'ttl:2', 'mv:3'].map((key) => replica.get(key))).toEqual(['one', 'two', ['three']])
  const other = await TestEngine.open({ env: replica.env.fork({ label: 'other' }) })
  await other.pull(replica)
  expect(other.state()).toEqual(replica.state())
  await Promise.all([replica.close(), other.close()])
})

test('a group of which one value is refused has not happened at all', async () => {
  const replica = await TestEngine.open()
  const writer = new Writer(replica.engine.store, undefined)
  await replica.set('reg:1', 'before')
  const before = { state: replica.state(), end: replica.engine.log.end, count: replica.engine.operationsCount }
  const settings = settingsOf(replica, { 'reg:1': 'one', 'reg:2': tooLarge, 'reg:3': 'three' })
  await expect(writer.setAll(settings, {})).rejects.toMatchObject({ code: 'WARP_E_LIMIT', outcome: 'failed' })
  const { engine } = replica
  expect({ state: replica.state(), end: engine.log.end, count: engine.operationsCount }).toEqual(before)
  // What is written afterwards takes the numbers that were given back, and reaches the others.
  await replica.set('reg:4', 'after')
  const other = await TestEngine.open({ env: replica.env.fork({ label: 'other' }) })
  await other.pull(replica)
  expect(other.state()).toEqual(replica.state())
  await Promise.all([replica.close(), other.close()])
})

test('readers and subscribers see a group at once', async () => {
  const replica = await TestEngine.open()
  const seen: unknown[] = []
  replica.engine.store.subscribe(() => seen.push([replica.get('reg:1'), replica.get('reg:2')]))
  const settings = settingsOf(replica, { 'reg:1': 1, 'reg:2': 2 })
  await new Writer(replica.engine.store, undefined).setAll(settings, {})
  expect(seen).toEqual([
    [1, 2],
    [1, 2],
  ])
  await replica.close()
})

test('a group with several operations of one key, as a later room writes it, is a chain like any other', async () => {
  const replica = await TestEngine.open()
  const { store } = replica.engine
  const keyspace = store.keyspaceOf('count:1')
  const draft = (payload: number) => ({
    ...{ key: 'count:1', keyspace, slot: store.keys.find('count:1'), payload },
    kind: OPERATION_KIND.update,
  })
  store.appendAll([draft(1), draft(2)])
  store.appendAll([draft(3), draft(4)])
  expect([replica.get('count:1'), replica.version('count:1')]).toEqual([10, 4])
  await replica.close()
})

test('a group that is durable is there as a whole after reopening', async () => {
  const whole = memoryFiles({ persistent: true, bootId: 'boot', home: 'home' })
  const replica = await TestEngine.open({ files: whole })
  await replica.set('reg:1', 'before')
  await replica.engine.log.settled('durable')
  const settings = settingsOf(replica, { 'reg:1': 'one', 'reg:2': 'two', 'reg:3': 'three' })
  const done = new Writer(replica.engine.store, 'durable').setAll(settings, {})
  await done
  const again = await TestEngine.open({ files: whole.copy({ persistent: true, bootId: 'boot', home: 'home' }) })
  expect(['reg:1', 'reg:2', 'reg:3'].map((key) => again.get(key))).toEqual(['one', 'two', 'three'])
  await Promise.all([replica.close(), again.close()])
})

test('keys of two modes, and one key twice, are not set as one', async () => {
  const replica = await TestEngine.open()
  const writer = new Writer(replica.engine.store, undefined)
  const { store } = replica.engine
  const local = { key: 'own:1', keyspace: store.keyspaceOf('own:1'), slot: undefined }
  const [shared] = settingsOf(replica, { 'reg:1': 1 }) as [Setting]
  const end = replica.engine.log.end
  await expect(writer.setAll([shared, { target: local, value: 1 }], {})).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  await expect(writer.setAll([shared, shared], {})).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  expect(await writer.setAll([], {})).toEqual([])
  expect(replica.engine.log.end).toBe(end)
  await replica.close()
})

test('a value whose getter compacts while it is being written is written whole, and so is the next one', async () => {
  const replica = await TestEngine.open()
  for (let i = 0; i < 100; i++) await replica.set('reg:1', i)
  const compactions: Promise<unknown>[] = []
  const sly = {
    get a() {
      compactions.push(replica.engine.compact())
      return 1
    },
  }
  // Compaction works in steps, and its first one begins when the write is over.
  await replica.set('reg:2', sly)
  expect(replica.get('reg:2')).toEqual({ a: 1 })
  await replica.set('reg:3', 'after')
  expect(replica.engine.identity.writers.shared.sequence).toBe(102)
  expect(replica.engine.applied.get(replica.engine.replica)).toBe(102)
  expect(replica.envelopes().length).toBeGreaterThan(0)
  expect(replica.get('reg:3')).toBe('after')
  expect(await Promise.all(compactions)).not.toEqual([])
  await replica.close()
})
