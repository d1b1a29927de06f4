import { expect, test } from 'vitest'
import type { Position } from '../../src/log/log.ts'
import { Log, RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/memory-files.ts'
import { virtualEnv } from '../support/virtual-env.ts'

const NO_REPLAY = { restore: () => undefined, record: () => undefined }

function append(log: Log, text: string, previous: Position = 0): Position {
  log.begin().utf8(text)
  return log.commit(RECORD_KIND.operation, previous)
}

function text(log: Log, position: Position): string {
  const record = log.record(position)
  return new TextDecoder().decode(record.bytes.subarray(record.start, record.end))
}

function all(log: Log, from = 0): string[] {
  const texts: string[] = []
  log.scan(from, (record) => {
    texts.push(new TextDecoder().decode(record.bytes.subarray(record.start, record.end)))
    return true
  })
  return texts
}

test('a record is read back by its position, with its kind and its link', async () => {
  const log = await Log.open({ files: memoryFiles(), env: virtualEnv() }, NO_REPLAY)
  const first = append(log, 'one')
  const second = append(log, 'two', first)
  expect(text(log, second)).toBe('two')
  expect(log.record(second).previous).toBe(first)
  expect(text(log, first)).toBe('one')
  expect(log.record(first).kind).toBe(RECORD_KIND.operation)
})

test('records fill segment after segment, one larger than a segment included', async () => {
  const log = await Log.open({ files: memoryFiles(), env: virtualEnv() }, NO_REPLAY)
  const written = Array.from({ length: 3000 }, (_, i) => `${i}`.padEnd(i % 700, '.'))
  written.push('x'.repeat(9_000_000))
  const positions = written.map((one) => append(log, one))
  expect(log.segments().length).toBeGreaterThan(2)
  expect(all(log)).toEqual(written)
  expect(positions.map((position) => text(log, position))).toEqual(written)
})

test('rewriting drops what is dead and leaves every survivor at its position', async () => {
  const log = await Log.open({ files: memoryFiles(), env: virtualEnv() }, NO_REPLAY)
  const written = Array.from({ length: 5000 }, (_, i) => `${i}`.padEnd(50, '.'))
  const positions = written.map((one) => append(log, one))
  const live = new Set(positions.filter((_, i) => i % 7 === 0 || i % 7 === 1))
  for (const position of positions) if (!live.has(position)) log.discard(position)
  for (const { number, sealed } of log.segments()) if (sealed) await log.rewrite(number, (record) => live.has(record.position))
  const active = log.segments().at(-1)?.number ?? 0
  const kept = written.filter((_, i) => live.has(positions[i] ?? 0) || (positions[i] ?? 0) >= active * 2 ** 32)
  expect(all(log)).toEqual(kept)
  for (const [i, position] of positions.entries()) if (live.has(position)) expect(text(log, position)).toBe(written[i])
  expect(() => log.record(positions[2] ?? 0)).toThrow(/no record at/)
})
