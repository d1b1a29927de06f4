import { expect, test } from 'vitest'
import { type MemoryFiles, memoryFiles } from '../../src/log/files/memory-files.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { append, openQuickly, sampleTexts, texts } from './log-fixture.ts'

const FIRST = 'checkpoint-0000000001'
const SECOND = 'checkpoint-0000000002'

/** 100 records, a checkpoint, 100 records, another one, 100 records. */
async function withTwoCheckpoints(): Promise<{ files: MemoryFiles; written: string[] }> {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  const written = sampleTexts(300)
  for (const [i, text] of written.entries()) {
    append(log, text)
    if (i === 99 || i === 199) await log.writeCheckpoint(Uint8Array.of(i + 1))
  }
  await log.close()
  return { files, written }
}

function flip(files: MemoryFiles, name: string, at: number): void {
  const bytes = files.bytes(name)
  bytes[at] = (bytes[at] ?? 0) ^ 1
}

test('opening reads what came after the newest checkpoint', async () => {
  const { files, written } = await withTwoCheckpoints()
  const { log, restored, replayed } = await openQuickly(files)
  expect(restored).toEqual(Uint8Array.of(200))
  expect(replayed.map(({ text }) => text)).toEqual(written.slice(200))
  expect(log.recovery).toMatchObject({ clean: true, checkpointUsed: true, replayed: 100 })
  expect(texts(log)).toEqual(written)
})

test('every bit of a checkpoint counts: a damaged one is passed over for the older one, and told', async () => {
  const { files, written } = await withTwoCheckpoints()
  for (let at = 0; at < files.bytes(SECOND).length; at++) {
    const copy = files.copy()
    flip(copy, SECOND, at)
    const { restored, replayed, events } = await openQuickly(copy)
    expect(restored).toEqual(Uint8Array.of(100))
    expect(replayed.map(({ text }) => text)).toEqual(written.slice(100))
    expect(events).toContainEqual(expect.objectContaining({ kind: 'checkpoint-ignored', name: SECOND }))
  }
})

test('with both checkpoints damaged the whole log is read', async () => {
  const { files, written } = await withTwoCheckpoints()
  flip(files, FIRST, 70)
  flip(files, SECOND, 70)
  const { log, restored, replayed } = await openQuickly(files)
  expect(restored).toBeUndefined()
  expect(replayed.map(({ text }) => text)).toEqual(written)
  expect(log.recovery.checkpointUsed).toBe(false)
})

test('the newest two are kept', async () => {
  const { files } = await withTwoCheckpoints()
  const { log } = await openQuickly(files)
  await log.writeCheckpoint(Uint8Array.of(3))
  expect(files.list().filter((name) => name.startsWith('checkpoint'))).toEqual([SECOND, 'checkpoint-0000000003'])
})

test('a log that holds less than its checkpoint says is damaged', async () => {
  const { files } = await withTwoCheckpoints()
  const last =
    files
      .list()
      .filter((name) => name.startsWith('segment'))
      .at(-1) ?? ''
  files.remove(last)
  await expect(openQuickly(files)).rejects.toMatchObject({ code: 'WARP_E_LOG_CORRUPT' })
})

test('a checkpoint is not trusted beyond where it stands: what was written after it is replayed', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  append(log, 'before')
  const saved = log.writeCheckpoint(Uint8Array.of(1))
  append(log, 'while it was written')
  await saved
  await log.settled('logged')
  const { replayed } = await openQuickly(files.copy())
  expect(replayed.map(({ text }) => text)).toEqual(['while it was written'])
})

test('what a checkpoint covers is durable before the checkpoint is there', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  append(log, 'one')
  const from = files.steps
  await log.writeCheckpoint(Uint8Array.of(1))
  expect(files.journal.slice(from)).toEqual([
    'write',
    'sync',
    'create',
    'write',
    'write',
    'sync',
    'rename',
    'syncNames',
  ])
  expect(log.durableThrough).toBe(log.end)
})
