import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { append, openLog, QUICK, sampleTexts, textAt, texts } from './log-fixture.ts'

test('on disk the active segment and a few others are in RAM as a whole, and every record is read all the same', async () => {
  const { log } = await openLog(memoryFiles({ persistent: true }), { ...QUICK, residentSegments: 2 })
  const written = sampleTexts(500)
  const positions: number[] = []
  for (const text of written) {
    positions.push(append(log, text))
    if (positions.length % 10 === 0) await log.settled('logged')
  }
  await log.settled('logged')
  const resident = new Set(
    positions.filter((position) => log.isResident(position)).map((position) => Math.floor(position / 2 ** 32)),
  )
  expect(log.segments().length).toBeGreaterThan(6)
  expect(resident.size).toBe(3)
  expect(log.isResident(positions[0] ?? 0)).toBe(false)
  expect(positions.map((position) => textAt(log, position))).toEqual(written)
  expect(texts(log)).toEqual(written)
  expect(log.stats().residentBytes).toBeLessThan(4 * 5000)
})

test('in RAM everything is resident', async () => {
  const { log } = await openLog(memoryFiles(), QUICK)
  const positions = sampleTexts(500).map((text) => append(log, text))
  expect(positions.every((position) => log.isResident(position))).toBe(true)
})

test('a segment that is read again and again comes into RAM', async () => {
  const { log } = await openLog(memoryFiles({ persistent: true }), { ...QUICK, residentSegments: 1 })
  const positions = sampleTexts(300).map((text) => append(log, text))
  await log.settled('logged')
  const first = positions[0] ?? 0
  expect(log.isResident(first)).toBe(false)
  for (let i = 0; i < 5000; i++) log.record(first)
  expect(log.isResident(first)).toBe(true)
})

test('a position that was never given out is refused', async () => {
  for (const persistent of [true, false]) {
    const { log } = await openLog(memoryFiles({ persistent }), QUICK)
    append(log, 'one')
    for (const position of [0, 5, log.end, log.end + 100, 7 * 2 ** 32 + 64]) {
      expect(() => log.record(position)).toThrow(expect.objectContaining({ code: 'WARP_E_LOG_CORRUPT' }))
    }
  }
})

test('a scan goes on where it stopped', async () => {
  const { log } = await openLog(memoryFiles(), QUICK)
  const written = sampleTexts(100)
  for (const text of written) append(log, text)
  const seen: number[] = []
  let from = 0
  for (let step = 0; step < 100; step++) {
    from = log.scan(from, (record) => seen.push(record.position) < 0)
  }
  expect(new Set(seen).size).toBe(100)
  expect(from).toBe(log.end)
  expect(log.scan(from, () => expect.fail('nothing is there'))).toBe(log.end)
  append(log, 'more')
  expect(texts(log, from)).toEqual(['more'])
})

test('inside a scan other records may be read', async () => {
  const { log } = await openLog(memoryFiles({ persistent: true }), { ...QUICK, residentSegments: 0 })
  let previous = 0
  for (const text of sampleTexts(300)) previous = append(log, text, previous)
  await log.settled('logged')
  let count = 0
  log.scan(0, (record) => {
    const { position, previous: link } = record
    if (link !== 0) expect(log.record(link).position).toBe(link)
    expect(record.position).toBe(position)
    return ++count > 0
  })
  expect(count).toBe(300)
})
