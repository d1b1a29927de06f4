/** A log of a format that is not read is refused before a byte is touched; a later build can be taken back. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { fileLog } from '../../adapters/file/file-log.ts'
import { Log } from '../../src/log/log.ts'
import { crc32c } from '../../src/log/segments/crc32c.ts'
import { type MemoryFiles, memoryFiles } from '../../src/log/files/memory-files.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { append, openLog, openQuickly, QUICK, refusal, sampleTexts, texts } from './log-fixture.ts'
import { contents } from './units.ts'

const LATER = FORMAT_VERSION + 1

/** Gives the file's header this format, and the checksum that belongs to it. */
function setFormat(bytes: Uint8Array, format: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setUint32(8, format)
  view.setUint32(60, crc32c(bytes, 8, 60))
}

/** A log of several segments with a checkpoint, its writer killed. */
async function storedLog(): Promise<MemoryFiles> {
  const files = memoryFiles({ persistent: true, bootId: 'boot', home: 'here' })
  const { log } = await openQuickly(files)
  for (const text of sampleTexts(100)) append(log, text)
  await log.writeCheckpoint(Uint8Array.of(100))
  for (const text of sampleTexts(30)) append(log, text)
  await log.settled('logged')
  await files.create('segment-0000000001.new').write(0, Uint8Array.of(1))
  return files.copy()
}

const SEGMENTS = ['segment-0000000001', 'segment-0000000002', 'segment-0000000003']

test.each([
  ['every segment', (name: string) => name.startsWith('segment-')],
  ['the first segment alone', (name: string) => name === SEGMENTS[0]],
  ['the last segment alone, as after an upgrade that died', (name: string) => name === 'segment-0000000004'],
  ['the checkpoint alone', (name: string) => name.startsWith('checkpoint-')],
  ['all files', () => true],
] as const)('with a later format in %s, the folder is refused and not changed', async (_, isLater) => {
  const files = await storedLog()
  const changed = files.list().filter((name) => !name.endsWith('.new') && isLater(name))
  expect(changed.length).toBeGreaterThan(0)
  for (const name of changed) setFormat(files.bytes(name), LATER)
  const before = contents(files)
  await expect(openQuickly(files)).rejects.toMatchObject({
    code: 'WARP_E_LOG_VERSION',
    message: expect.stringMatching(/is of format 3, .* reads up to 2; nothing was changed; upgrade warp-engine/),
    details: { format: LATER, newest: FORMAT_VERSION },
  })
  expect(contents(files)).toEqual(before)
  const { log } = await openLog(files, { ...QUICK, format: LATER })
  expect(texts(log)).toEqual([...sampleTexts(100), ...sampleTexts(30)])
})

test.each([
  ['every file', () => true],
  ['the segments, with a checkpoint of today', (name: string) => name.startsWith('segment-')],
  ['one segment', (name: string) => name === SEGMENTS[1]],
] as const)('a folder of format 1 in %s is refused, and told how its data can be taken over', async (_, isOld) => {
  const files = await storedLog()
  for (const name of files.list()) if (!name.endsWith('.new') && isOld(name)) setFormat(files.bytes(name), 1)
  const before = contents(files)
  await expect(openQuickly(files)).rejects.toMatchObject({
    code: 'WARP_E_LOG_VERSION',
    message: expect.stringMatching(/is of format 1, .*`warp export` of warp-engine 0\.1\.0, .*`warp import`/),
    details: { format: 1, oldest: 2 },
  })
  expect(contents(files)).toEqual(before)
})

test('a folder of format 1 on a real disk is left as it was, with its lock taken away', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'warp-format-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const files = await storedLog()
  for (const [name, bytes] of contents(files)) {
    if (!name.endsWith('.new')) setFormat(bytes, 1)
    writeFileSync(path.join(folder, name), bytes)
  }
  const look = (): unknown[] => readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))])
  const before = look()
  const opening = Log.open(
    { ...QUICK, files: await fileLog({ path: folder }).open() },
    { restore: () => {}, record: () => {} },
  )
  await expect(opening).rejects.toMatchObject({ code: 'WARP_E_LOG_VERSION' })
  expect(look()).toEqual(before)
})

test('a checkpoint of format 1 is passed over, and told', async () => {
  const files = await storedLog()
  setFormat(files.bytes('checkpoint-0000000001'), 1)
  const { log, events, restored } = await openQuickly(files)
  expect(restored).toBeUndefined()
  expect(events).toContainEqual({
    kind: 'checkpoint-ignored',
    name: 'checkpoint-0000000001',
    reason: 'it is of format 1, and 2 is the oldest that is read',
  })
  expect(texts(log)).toHaveLength(130)
})

test.each([0, 1, 3, 2 ** 31])(
  'a format number that has rotted to %i is damage, and not another format',
  async (format) => {
    const files = await storedLog()
    const bytes = files.bytes('segment-0000000002')
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, format)
    const before = contents(files)
    await expect(openQuickly(files)).rejects.toMatchObject({ code: 'WARP_E_LOG_CORRUPT' })
    expect(contents(files)).toEqual(before)
  },
)

test('a later build that writes the older format can be taken back', async () => {
  const files = await storedLog()
  const { log } = await openLog(files, { ...QUICK, format: LATER })
  log.writeFormat(FORMAT_VERSION)
  for (const text of sampleTexts(100)) append(log, text)
  await log.writeCheckpoint(Uint8Array.of(230))
  await log.rewrite(2, () => true)
  append(log, 'the last one')
  await log.settled('durable')
  const { log: again, restored, replayed } = await openQuickly(files.copy())
  expect(restored).toEqual(Uint8Array.of(230))
  expect(replayed.map(({ text }) => text)).toEqual(['the last one'])
  expect(texts(again)).toHaveLength(231)
})

test('a later format begins a segment of its own, with the first record and not before', async () => {
  const files = faultyFiles()
  const { log } = await openLog(files, { ...QUICK, format: LATER, formatWritten: FORMAT_VERSION })
  while (log.segments().length < 3) append(log, 'x'.repeat(500))
  // The segment made ahead is of the older format.
  while (log.end % 2 ** 32 < 3000) append(log, 'x'.repeat(500))
  await log.settled('durable')
  log.writeFormat(LATER)
  const before = log.segments().length
  await log.writeCheckpoint(Uint8Array.of(1))
  expect(log.segments()).toHaveLength(before)
  const position = log.group(() => {
    append(log, 'of the later format')
    return append(log, 'and so is this')
  })
  expect(log.segments().length).toBeGreaterThan(before)
  await log.settled('durable')
  const disk = files.crash()
  const formats = disk
    .list()
    .filter((name) => name.startsWith('segment-'))
    .map((name) => new DataView(disk.bytes(name).buffer).getUint32(8))
  const first = Math.floor(position / 2 ** 32)
  expect(formats.slice(0, before)).toEqual(formats.slice(0, before).fill(FORMAT_VERSION))
  expect(formats[first - 1]).toBe(LATER)
  await expect(openQuickly(disk.copy('there'))).rejects.toMatchObject({ code: 'WARP_E_LOG_VERSION' })
  const again = await openLog(disk, { ...QUICK, format: LATER })
  expect(texts(again.log).slice(-2)).toEqual(['of the later format', 'and so is this'])
})

test('a format that this build does not read is not written', async () => {
  const { log } = await openQuickly(memoryFiles())
  for (const format of [1, LATER, 2.5, Number.NaN])
    expect(refusal(() => log.writeFormat(format))).toMatchObject({ code: 'WARP_E_CONFIG' })
  expect(log.format).toBe(FORMAT_VERSION)
})
