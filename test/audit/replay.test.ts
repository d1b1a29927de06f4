import { describe, expect, test } from 'vitest'
import { replayLogOn, type ReplayedKey, type ReplayOptions } from '../../src/audit/replay.ts'
import type { MemoryFiles } from '../../src/log/files/memory-files.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { counter, custom, max, register, set } from '../../crdt/index.ts'
import { keysRetaining, TestEngine, type FixtureOptions } from '../engine/engine-fixture.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { disk, storeOf } from './prepared-logs.ts'

const KEYS: KeyMap = keysRetaining('all')
const env = virtualEnv()

async function logOf(
  write: (replica: TestEngine) => Promise<unknown>,
  options: FixtureOptions = {},
): Promise<MemoryFiles> {
  const files = disk()
  const replica = await TestEngine.open({ files, env, retain: 'all', ...options })
  await write(replica)
  await replica.close()
  return files
}

async function replayed(
  files: MemoryFiles,
  changed: KeyMap,
  options: Partial<ReplayOptions> = {},
): Promise<ReplayedKey[]> {
  const found: ReplayedKey[] = []
  const all = { log: storeOf(files), keys: KEYS, with: changed, ...options }
  for await (const one of replayLogOn({ env }, all)) found.push(one)
  return found
}

async function writeRegisters(replica: TestEngine): Promise<void> {
  for (const value of [3, 9, 4]) await replica.set('reg:1', value)
  await replica.set('reg:2', 7)
  await replica.write('set:1', 'add', ['a', 'b'])
}

test('the same patterns differ in nothing, whatever the values are', async () => {
  const files = await logOf(async (replica) => {
    await writeRegisters(replica)
    await replica.write('text:1', 'insert', [0, 'hello'])
    await replica.write('count:1', 'increment', [2])
    await replica.write('own:1', 'increment', [2])
    await replica.set('ttl:1', 'x')
    await replica.write('mv:1', 'set', ['one'])
  })
  expect(await replayed(files, KEYS)).toEqual([])
})

describe('another strategy', () => {
  test('folds the operations that are there', async () => {
    const files = await logOf(writeRegisters)
    const sum = custom<number>((old, next) => old + next)
    expect(await replayed(files, { ...KEYS, 'reg:*': sum })).toEqual([
      {
        key: 'reg:1',
        kind: 'changed',
        before: { strategy: 'register', value: 4, rejectedCount: 0 },
        after: { strategy: 'custom', value: 16, rejectedCount: 0 },
      },
    ])
  })

  test('is told to have refused what it cannot take', async () => {
    const files = await logOf(writeRegisters)
    const [first] = await replayed(files, { ...KEYS, 'set:*': max<number>() })
    expect(first).toMatchObject({ key: 'set:1', kind: 'removed', after: { value: undefined, rejectedCount: 1 } })
    expect(first?.before.value).toEqual(new Set(['a', 'b']))
  })

  test('reads what was compacted only if it takes the snapshot', async () => {
    const files = await logOf(
      async (replica) => {
        for (let i = 0; i < 200; i++) await replica.set('reg:1', i)
        await replica.engine.compact()
      },
      { retain: 'latest', segmentBytes: 1024 },
    )
    const [only] = await replayed(files, { ...KEYS, 'reg:*': custom<number>((old, next) => old + next) })
    expect(only).toMatchObject({ key: 'reg:1', kind: 'unreadable', before: { value: 199 } })
    expect(only?.after.unreadable).toContain('compacted')
    expect(await replayed(files, { ...KEYS, 'reg:*': register<number>() })).toEqual([])
  })
})

test('a pattern that is no more takes its values away, and one that is new adds some', async () => {
  const files = await logOf(writeRegisters)
  const { 'set:*': _, ...without } = KEYS
  const less: KeyMap = without
  expect((await replayed(files, less)).map(({ key, kind }) => [key, kind])).toEqual([['set:1', 'removed']])
  const more = await replayed(files, KEYS, { keys: less })
  expect(more.map(({ key, kind }) => [key, kind])).toEqual([['set:1', 'added']])
})

test('a time to live counts', async () => {
  const files = await logOf(writeRegisters)
  await env.advance(60_000)
  const found = await replayed(files, { ...KEYS, 'reg:*': { strategy: register<number>(), ttlMs: 1000 } })
  expect(found.map(({ key, kind }) => [key, kind])).toEqual([
    ['reg:1', 'removed'],
    ['reg:2', 'removed'],
  ])
})

test('a replay changes nothing, tells how far it is, and is given up when its caller does', async () => {
  const files = await logOf(writeRegisters)
  const before = files.list().map((name) => files.bytes(name).slice())
  const progress: unknown[] = []
  const log = { name: 'itself', open: () => Promise.resolve(files) }
  await replayed(files, { '*': counter() }, { log, onProgress: (one) => progress.push(one) })
  expect(files.list().map((name) => files.bytes(name))).toEqual(before)
  expect(progress).toEqual([{ done: 1, total: 3 }])
  const signal = AbortSignal.abort()
  await expect(replayed(files, { '*': set<string>() }, { signal })).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
})
