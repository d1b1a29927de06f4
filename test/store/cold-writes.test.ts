/** Writes to keys with a long history that is not in memory: they wait until it has been folded, in steps and in order. */
import { expect, test } from 'vitest'
import { readInSteps } from '../../src/store/read-steadily.ts'
import { STEP } from '../../src/operation/budget.ts'
import type { Slot } from '../../src/keys/key-table.ts'
import { NO_OPTIONS, Writer } from '../../src/store/write-road/writer.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from '../engine/engine-fixture.ts'

const LENGTH = 5000

/** A list and a counter of so many operations, of which nothing is in memory. */
async function cold(): Promise<{ one: TestEngine; turns: number[]; slot: (key: string) => Slot }> {
  const env = virtualEnv()
  /** Records read in each turn of the event loop. */
  const turns: number[] = [0]
  const counted = { ...env, yield: () => env.yield().then(() => void turns.push(0)) }
  const one = await TestEngine.open({ retain: 'all', env: counted })
  for (let i = 0; i < LENGTH; i++) {
    void one.write('count:1', 'increment')
    void one.write('text:1', 'push', ['x'])
  }
  const { log, keys, values } = one.engine.store
  const slot = (key: string): Slot => keys.find(key) as Slot
  for (const key of ['count:1', 'text:1']) values.drop(slot(key))
  await one.env.runUntilIdle()
  const record = log.record.bind(log)
  log.record = (position) => {
    turns[turns.length - 1]!++
    return record(position)
  }
  turns.splice(0, Infinity, 0)
  return { one, turns, slot }
}

test('a verb folds a cold key with a long history in steps', async () => {
  const { one, turns } = await cold()
  const written = one.write('text:1', 'push', ['!'])
  const receipt = await written
  expect(receipt.version).toBe(LENGTH + 1)
  // To see that it is long takes a step, by the caller and behind it.
  expect(Math.max(...turns)).toBeLessThanOrEqual(2 * STEP.operations + 3)
  expect(one.get('text:1')).toBe('x'.repeat(LENGTH) + '!')
  await one.close()
})

test('thousands of writes that waited for a cold key are made in several turns', async () => {
  const { one, turns } = await cold()
  const committed: number[] = []
  const commit = one.engine.store.log.commit.bind(one.engine.store.log)
  one.engine.store.log.commit = (...given) => {
    committed[turns.length] = (committed[turns.length] ?? 0) + 1
    return commit(...given)
  }
  const count = 3000
  await Promise.all(Array.from({ length: count }, () => one.write('text:1', 'push', ['!'])))
  expect(one.get('text:1')).toBe('x'.repeat(LENGTH) + '!'.repeat(count))
  expect(Math.max(...committed.filter((made) => made > 0))).toBeLessThanOrEqual(1100)
  await one.close()
})

test('writes of one key keep their order, and a read that is asked for after them shows them', async () => {
  const { one, slot } = await cold()
  const versions: number[] = []
  const note = ({ version }: { version: number }): void => void versions.push(version)
  for (const letter of ['a', 'b']) void one.write('text:1', 'push', [letter]).then(note)
  void one.write('text:1', 'delete').then(note)
  const last = one.write('text:1', 'push', ['c']).then(note)
  expect(await readInSteps(one.engine.store, slot('text:1'), () => undefined)).toBe('c')
  await last
  expect(versions).toEqual([1, 2, 3, 4].map((i) => LENGTH + i))
  await one.close()
})

test('what a verb was given is what it was when the call was made', async () => {
  const env = virtualEnv()
  const one = await TestEngine.open({ retain: 'all', env })
  for (let i = 0; i < 2000; i++) void one.set('list:1', [`${i}`])
  const { store } = one.engine
  store.values.drop(store.keys.find('list:1') as Slot)
  const given = ['now']
  const written = one.set('list:1', given)
  given[0] = 'later'
  await written
  expect((one.get('list:1') as string[]).at(-1)).toBe('now')
  await one.close()
})

test('a write that was asked for before the engine closes is there', async () => {
  const { one, slot } = await cold()
  const written = one.write('count:1', 'increment')
  const closed = one.close()
  await expect(one.write('count:1', 'increment')).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  await closed
  await expect(written).resolves.toMatchObject({ version: LENGTH + 1 })
  expect(one.engine.store.keys.version[slot('count:1')]).toBe(LENGTH + 1)
})

test('a write that waits is given up by its signal', async () => {
  const { one } = await cold()
  const abort = new AbortController()
  const written = one.write('count:1', 'increment', [1], { signal: abort.signal })
  abort.abort()
  await expect(written).rejects.toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'failed' })
  await expect(one.write('count:1', 'increment')).resolves.toMatchObject({ version: LENGTH + 1 })
  await one.close()
})

test('a write that does not wait, of another key, is made at once', async () => {
  const { one } = await cold()
  const waits = one.write('text:1', 'push', ['!'])
  void one.set('reg:1', 'at once')
  expect(one.get('reg:1')).toBe('at once')
  await waits
  await one.close()
})

test('several keys that are set at once wait for the one that is long, and are set at once', async () => {
  const one = await TestEngine.open({ retain: 'all' })
  for (let i = 0; i < 2000; i++) void one.set('list:1', ['x'])
  const { store } = one.engine
  store.values.drop(store.keys.find('list:1') as Slot)
  const settings = ['list:1', 'reg:1'].map((key) => ({
    target: { key, keyspace: store.keyspaceOf(key), slot: store.keys.find(key) },
    value: ['y'],
  }))
  const set = new Writer(store, undefined).setAll(settings, NO_OPTIONS)
  expect(one.get('reg:1')).toBeUndefined()
  const behind = one.set('list:1', ['z'])
  expect(await set).toMatchObject([{ version: 2001 }, { version: 1 }])
  await behind
  expect(one.get('list:1')).toEqual([...Array<string>(2000).fill('x'), 'y', 'z'])
  await one.close()
})
