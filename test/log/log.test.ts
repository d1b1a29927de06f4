import { expect, test } from 'vitest'
import { RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { append, openLog, sampleTexts, textAt, texts } from './log-fixture.ts'

const BOTH = [
  ['in RAM', () => memoryFiles()],
  ['on disk', () => memoryFiles({ persistent: true, bootId: 'boot', home: 'here' })],
] as const

test.each(BOTH)('%s a record is read back by its position, with its kind and its link', async (_, files) => {
  const { log } = await openLog(files())
  const first = append(log, 'one')
  const second = append(log, 'two', first)
  expect(textAt(log, second)).toBe('two')
  expect(log.record(second).previous).toBe(first)
  expect(textAt(log, first)).toBe('one')
  expect(log.record(first).kind).toBe(RECORD_KIND.operation)
})

test.each(BOTH)('%s records fill segment after segment, one larger than a segment included', async (_, files) => {
  const { log } = await openLog(files(), { segmentBytes: 262_144 })
  const written = [...sampleTexts(5000), 'x'.repeat(900_000), ...sampleTexts(100)]
  const positions = written.map((one) => append(log, one))
  expect(log.segments().length).toBeGreaterThan(2)
  expect(texts(log)).toEqual(written)
  expect(positions.map((position) => textAt(log, position))).toEqual(written)
  await log.settled('durable')
  expect(positions.map((position) => textAt(log, position))).toEqual(written)
})

test.each(BOTH)('%s rewriting drops what is dead and leaves every survivor at its position', async (_, files) => {
  const { log } = await openLog(files())
  const written = sampleTexts(2000)
  const positions = written.map((one) => append(log, one))
  const live = new Set(positions.filter((_, i) => i % 7 === 0 || i % 7 === 1))
  for (const { number, sealed } of log.segments()) {
    if (sealed) await log.rewrite(number, (record) => live.has(record.position))
  }
  const active = log.segments().at(-1)?.number ?? 0
  const kept = positions
    .map((position, i) => ({ position, text: written[i] }))
    .filter(({ position }) => live.has(position) || position >= active * 2 ** 32)
  expect(texts(log)).toEqual(kept.map(({ text }) => text))
  for (const { position, text } of kept) expect(textAt(log, position)).toBe(text)
  expect(() => log.record(positions[2] ?? 0)).toThrow(/no record at/)
})

test('a closed log is opened again with everything in it', async () => {
  const files = memoryFiles({ persistent: true, bootId: 'boot', home: 'here' })
  const written = sampleTexts(1000)
  const first = await openLog(files)
  const positions = written.map((one) => append(first.log, one))
  await first.log.close()
  const second = await openLog(files)
  expect(second.replayed).toEqual(written.map((text, i) => ({ text, position: positions[i] })))
  expect(second.log.recovery).toEqual({
    created: false,
    clean: true,
    sameBoot: true,
    sameHome: true,
    isEndUncertain: false,
    cutBytes: 0,
    cutRecords: 0,
    replayed: 1000,
    checkpointUsed: false,
  })
  expect(texts(second.log)).toEqual(written)
  expect(positions.map((position) => textAt(second.log, position))).toEqual(written)
})

test('what was logged survives the death of the process, and opening says that the end was not clean', async () => {
  const files = memoryFiles({ persistent: true, bootId: 'boot' })
  const first = await openLog(files)
  const written = sampleTexts(500)
  for (const one of written) append(first.log, one)
  await first.log.settled('logged')
  append(first.log, 'never flushed')
  const second = await openLog(files.copy())
  expect(second.replayed.map(({ text }) => text)).toEqual(written)
  expect(second.log.recovery).toMatchObject({ clean: false, sameBoot: true, cutBytes: 0 })
})

test('a checkpoint spares the reading of what it covers', async () => {
  const files = memoryFiles({ persistent: true })
  const first = await openLog(files)
  const positions = sampleTexts(800).map((one) => append(first.log, one))
  const saved = first.log.writeCheckpoint(Uint8Array.of(1, 2, 3))
  append(first.log, 'behind')
  await saved
  await first.log.close()
  const second = await openLog(files)
  expect(second.restored).toEqual(Uint8Array.of(1, 2, 3))
  expect(second.replayed.map(({ text }) => text)).toEqual(['behind'])
  expect(positions.map((position) => textAt(second.log, position))).toEqual(sampleTexts(800))
})
