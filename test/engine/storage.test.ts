import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { nodeEnv } from '../../adapters/node/node-env.ts'
import { counter, register } from '../../crdt/index.ts'
import { openWarpOn, type Warp } from '../../src/index.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { smallDisk } from '../support/small-disk.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { TestEngine, usedBytes } from './engine-fixture.ts'

async function fill(replica: TestEngine): Promise<never> {
  for (;;) await replica.set('kept:1', '')
}

describe('a full disk', () => {
  test('refuses a write, of which nothing is there, and takes writes again when there is space', async () => {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files, segmentBytes: 4096, retain: 'all' })
    await replica.set('reg:1', 0)
    files.spaceBytes = usedBytes(files)
    let written = 0
    let failure: unknown
    for (let i = 1; failure === undefined && i < 1000; i++) {
      await replica.set('reg:1', i).then(
        () => (written = i),
        (error: unknown) => (failure = error),
      )
    }
    expect(failure).toMatchObject({ code: 'WARP_E_STORAGE_FULL', outcome: 'failed' })
    expect(replica.get('reg:1')).toBe(written)
    expect(replica.version('reg:1')).toBe(written + 1)
    await expect(replica.write('count:new', 'increment', [1])).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
    expect(replica.engine.store.keys.find('count:new')).toBe(undefined)
    files.spaceBytes = Infinity
    const { dot } = await replica.set('reg:1', 'again')
    expect(dot?.sequence).toBe(written + 2)
    const again = await TestEngine.open({ files: files.kill(), segmentBytes: 4096, retain: 'all' })
    expect(again.state()).toEqual(replica.state())
  })

  test('lets compaction fail without harm, and what it had done stays right', async () => {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files, segmentBytes: 4096 })
    for (let i = 0; i < 300; i++) await replica.set(`reg:${i % 20}`, 'x'.repeat(50))
    for (let i = 0; i < 5; i++) await replica.write(`reg:${i}`, 'delete')
    files.spaceBytes = usedBytes(files)
    await expect(fill(replica)).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
    const before = replica.state()
    await expect(replica.engine.compact()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
    expect(replica.state()).toEqual(before)
    files.spaceBytes = Infinity
    await replica.engine.compact()
    expect(replica.state()).toEqual(before)
    expect(replica.engine.operationsCount).toBeLessThanOrEqual(replica.version('kept:1') + 15)
    const again = await TestEngine.open({ files: files.kill(), segmentBytes: 4096 })
    expect(again.state()).toEqual(before)
  })
})

describe('a full disk', () => {
  test('is compacted with the space that was kept for that, is opened and is read', async () => {
    const files = faultyFiles()
    const open = (on: FaultyFiles): Promise<TestEngine> => TestEngine.open({ files: on, segmentBytes: 16_384 })
    const replica = await open(files)
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await replica.set(`reg:${i % 20}`, `${i}`.repeat(20))
    }
    await write(400)
    await replica.engine.compact()
    await write(400)
    files.spaceBytes = usedBytes(files)
    await expect(fill(replica)).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
    const before = replica.state()
    const again = await open(files.kill())
    expect(again.state()).toEqual(before)
    const { freedBytes } = await again.engine.compact()
    expect(freedBytes).toBeGreaterThan(16_384)
    expect(again.state()).toEqual(before)
    await again.set('reg:1', 'there is room again')
    await again.engine.close()
  })
})

describe('closing', () => {
  test('on a full disk resolves when all is stored; the checkpoint that is missing is an event', async () => {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files })
    await replica.write('reg:1', 'set', ['stored'], { ack: 'durable' })
    files.spaceBytes = usedBytes(files)
    await replica.engine.close()
    expect(replica.events).toContainEqual({
      kind: 'maintenance:failed',
      error: expect.objectContaining({ code: 'WARP_E_STORAGE_FULL' }) as Error,
    })
    const again = await TestEngine.open({ files: files.kill() })
    expect(again.get('reg:1')).toBe('stored')
  })

  test('rejects where something that was written is not stored', async () => {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files })
    await replica.set('reg:1', 'lost')
    files.failNext('sync', 'EIO')
    await expect(replica.engine.close()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
  })
})

describe('a disk that is really full', () => {
  const keys = { 'user:*': register<string>() }

  test('refuses a write, of which nothing is there, and takes writes again when there is space (W29)', async ({
    skip,
  }) => {
    const disk = await smallDisk(4 * 2 ** 20)
    if ('whyNot' in disk) return skip(disk.whyNot)
    const filler = join(disk.path, 'filler')
    writeFileSync(filler, new Uint8Array(2 * 2 ** 20))
    const platform = { env: nodeEnv(), segmentBytes: 65_536 }
    const open = (): Promise<Warp<typeof keys>> =>
      openWarpOn(platform, { log: fileLog({ path: join(disk.path, 'log') }), keys })
    const warp = await open()
    const written: string[] = []
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 2000; i++) {
        const value = `${i} `.repeat(500)
        await warp.set(`user:${i % 20}`, value, { ack: i % 7 === 0 ? 'durable' : 'logged' })
        written[i % 20] = value
      }
    }
    await expect(fill()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL', outcome: 'failed' })
    expect(written.length).toBe(20)
    for (const [i, value] of written.entries()) expect(warp.peek(`user:${i}`)).toBe(value)
    rmSync(filler)
    await warp.set('user:20', 'again', { ack: 'durable' })
    written.push('again')
    await warp.close()
    const again = await open()
    for (const [i, value] of written.entries()) expect(await again.get(`user:${i}`)).toBe(value)
    await again.close()
  })
})

test('after a failed flush no write is accepted, and reading goes on', async () => {
  const files = faultyFiles()
  const replica = await TestEngine.open({ files })
  await replica.set('reg:1', 'stored')
  files.failNext('sync', 'EIO')
  await expect(replica.write('reg:1', 'set', ['lost?'], { ack: 'durable' })).rejects.toMatchObject({
    code: 'WARP_E_STORAGE_POISONED',
    outcome: 'indeterminate',
  })
  await expect(replica.set('reg:2', 'no')).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
  expect(replica.get('reg:1')).toBe('lost?')
  expect(replica.get('reg:2')).toBe(undefined)
  expect(replica.events.map(({ kind }) => kind)).toContain('poisoned')
  const again = await TestEngine.open({ files: files.kill() })
  expect(['stored', 'lost?']).toContain(again.get('reg:1'))
})

describe('a folder that cannot be opened is left as it is', () => {
  const keys = { 'user:*': register<string>(), 'n:*': counter() }

  async function filled(): Promise<string> {
    const path = temporaryFolder()
    const warp = await openWarp({ log: fileLog({ path }), keys })
    for (let i = 0; i < 20; i++) await warp.set(`user:${i}`, `${i}`)
    await warp.close()
    return path
  }

  function bytesOf(path: string): Record<string, string> {
    return Object.fromEntries(
      readdirSync(path)
        .filter((name) => !name.includes('lock'))
        .map((name) => [name, readFileSync(join(path, name)).toString('hex')]),
    )
  }

  async function expectRefused(path: string, code: string): Promise<void> {
    const before = bytesOf(path)
    await expect(openWarp({ log: fileLog({ path }), keys })).rejects.toMatchObject({ code })
    expect(bytesOf(path)).toEqual(before)
  }

  function edit(path: string, name: string, change: (bytes: Buffer) => void): void {
    const bytes = readFileSync(join(path, name))
    change(bytes)
    writeFileSync(join(path, name), bytes)
  }

  test('because it is somebody else’s', async () => {
    const path = temporaryFolder()
    writeFileSync(join(path, 'holiday.jpg'), 'not a log')
    await expectRefused(path, 'WARP_E_LOG_FOREIGN')
  })

  test('because it is locked; and its holder keeps it', async () => {
    const path = await filled()
    const holder = await openWarp({ log: fileLog({ path }), keys })
    await expectRefused(path, 'WARP_E_LOG_LOCKED')
    await expectRefused(path, 'WARP_E_LOG_LOCKED')
    await holder.set('user:1', 'still mine')
    await holder.close()
    const warp = await openWarp({ log: fileLog({ path }), keys })
    expect(await warp.get('user:1')).toBe('still mine')
    await warp.close()
  })

  test('because a record is damaged', async () => {
    const path = await filled()
    for (const name of readdirSync(path).filter((one) => one.startsWith('checkpoint')))
      edit(path, name, (bytes) => bytes.fill(0))
    edit(path, 'segment-0000000001', (bytes) => {
      bytes[300] = (bytes[300] ?? 0) ^ 1
    })
    await expectRefused(path, 'WARP_E_LOG_CORRUPT')
  })
})
