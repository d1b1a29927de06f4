/**
 * From format 2 on, old folders open. The fixture is what the first build of format 2 left behind: a log with keys of every
 * strategy, a compaction, a checkpoint, a group, an own life and a projection's checkpoint, whose process was killed; and a
 * log in which half of a peer's state had arrived. `WRITE_FIXTURES=1` writes it anew, which only a change of format 2 before
 * its release may ask for.
 */
import { gunzipSync, gzipSync } from 'node:zlib'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { counter, register } from '../../crdt/index.ts'
import { openWarpOn } from '../../src/warp.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { Warp } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { everyStrategy, plain } from '../support/every-strategy.ts'
import { openEngine } from '../support/open-engine.ts'

const FIXTURE = new URL('../fixtures/log-format-2.json.gz', import.meta.url)
const NOW_MS = Date.UTC(2027, 0, 1)
const BOOT = { persistent: true, bootId: 'boot', home: 'home' } as const

interface Fixture {
  /** Contents of the files in base64, by name. */
  readonly killed: Readonly<Record<string, string>>
  readonly values: Readonly<Record<string, unknown>>
  readonly half: Readonly<Record<string, string>>
}

function keys() {
  return { ...everyStrategy(), 'pair:*': register<number>(), 'lease:*': register<string>() }
}

function openOn(files: LogFiles): Promise<Warp<KeyMap>> {
  const platform = { env: virtualEnv({ wallMs: NOW_MS }), parts: ALL_PARTS, segmentBytes: 16_384 }
  const log = { name: 'fixture', open: () => Promise.resolve(files) }
  return openWarpOn<KeyMap>(platform, { keys: keys(), log })
}

const hits = {
  name: 'pairs',
  initial: (): number => 0,
  apply: (count: number): number => count + 1,
  checkpoint: { every: 10, encode: (count: number) => count, decode: (state: unknown) => state as number },
}

async function makeKilled(): Promise<Pick<Fixture, 'killed' | 'values'>> {
  const files = memoryFiles(BOOT)
  const first = await openOn(files)
  const lines = readFileSync(new URL('../fixtures/export-format-1.jsonl', import.meta.url), 'utf8')
  await first.import(
    (async function* () {
      yield lines
    })(),
  )
  const handle = await first.project(hits)
  for (let i = 0; i < 30; i++) await first.set('pair:a', i)
  await first.setMany([
    ['pair:a', 100],
    ['pair:b', 200],
  ])
  await first.set('lease:1', 'held', { ttlMs: 1_000_000_000_000 })
  await first.delete('register:2').catch(() => undefined)
  await first.compact()
  await handle.close()
  await first.close()
  const killed = files.copy(BOOT)
  const last = await openOn(killed)
  await last.setMany([
    ['pair:a', 101],
    ['pair:c', 300],
  ])
  const values: Record<string, unknown> = {}
  for await (const key of last.keys('*')) values[key] = plain(await last.get(key))
  return { killed: contents(killed.copy()), values }
}

async function makeHalf(): Promise<Fixture['half']> {
  const source = await openEngine({ 'count:*': counter() })
  for (let i = 0; i < 50; i++) await source.write(`count:${i}`, 'increment', i)
  const files = memoryFiles(BOOT)
  const target = await openEngine({ 'count:*': counter() }, { files, segmentBytes: 16_384 })
  await target.write('count:1', 'increment', 1000)
  const state = source.engine.exportSnapshot(200)
  const half = target.engine.beginSnapshot(state.vector)
  for (let i = 0; i < 3; i++) half.chunk(state.next() as Uint8Array)
  await target.engine.log.settled('logged')
  return contents(files.copy())
}

function contents(files: ReturnType<typeof memoryFiles>): Record<string, string> {
  return Object.fromEntries(files.list().map((name) => [name, Buffer.from(files.bytes(name)).toString('base64')]))
}

function restored(stored: Readonly<Record<string, string>>): LogFiles {
  const files = memoryFiles(BOOT)
  for (const [name, text] of Object.entries(stored)) void files.create(name).write(0, Buffer.from(text, 'base64'))
  return files
}

function read(): Fixture {
  return JSON.parse(gunzipSync(readFileSync(FIXTURE)).toString('utf8')) as Fixture
}

if (process.env['WRITE_FIXTURES'] === '1') {
  const fixture: Fixture = { ...(await makeKilled()), half: await makeHalf() }
  writeFileSync(FIXTURE, gzipSync(JSON.stringify(fixture), { level: 9 }))
}

test('a log of format 2 whose process was killed opens with the values that it had, and is written to, compacted and opened again', async () => {
  const { killed, values } = read()
  expect(Object.keys(values).length).toBeGreaterThan(20)
  const files = restored(killed)
  const warp = await openOn(files)
  for (const [key, value] of Object.entries(values)) expect([key, plain(await warp.get(key))]).toEqual([key, value])
  expect(await warp.getMany(['pair:a', 'pair:b', 'pair:c'])).toEqual(
    new Map([
      ['pair:a', 101],
      ['pair:b', 200],
      ['pair:c', 300],
    ]),
  )
  const handle = await warp.project(hits)
  expect(handle.state).toBeGreaterThan(30)
  await warp.set('pair:a', 102)
  await warp.compact()
  await warp.close()
})

test('a log of format 2 in which half of a state had arrived opens with what it had written itself', async () => {
  const opened = await openEngine({ 'count:*': counter() }, { files: restored(read().half), segmentBytes: 16_384 })
  expect(opened.read('count:1')).toBe(1000)
  expect(opened.read('count:2')).toBe(undefined)
  await opened.engine.close()
})
