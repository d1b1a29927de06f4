import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import type { Env } from '../../src/ports/env.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { append, openQuickly, QUICK, openLog, sampleTexts, textAt, texts } from './log-fixture.ts'

async function filled(
  files = memoryFiles({ persistent: true }),
): Promise<Awaited<ReturnType<typeof openQuickly>> & { positions: number[] }> {
  const opened = await openQuickly(files)
  return { ...opened, positions: sampleTexts(200).map((text) => append(opened.log, text)) }
}

function segmentOf(position: number): number {
  return Math.floor(position / 2 ** 32)
}

test('a dead segment in the middle shrinks to a stub; those at the front go away', async () => {
  const { log, files } = await filled()
  await log.rewrite(2, () => false)
  expect(log.segments().find(({ number }) => number === 2)?.bytes).toBe(80)
  await log.rewrite(1, () => false)
  expect(log.segments()[0]?.number).toBe(3)
  expect(files.list()).not.toContain('segment-0000000001')
  await log.close()
  const again = await openQuickly(files)
  expect(again.log.segments()[0]?.number).toBe(3)
  expect(again.log.recovery.clean).toBe(true)
})

test('segments at the front are removed only after the log says durably that it begins behind them', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  for (const text of sampleTexts(200)) append(log, text)
  await log.settled('durable')
  const from = files.steps
  await log.rewrite(1, () => false)
  const steps = files.journal.slice(from)
  expect(steps.slice(steps.indexOf('syncNames'))).toEqual(['syncNames', 'write', 'sync', 'remove'])
})

test('compaction gives space back and keeps count of what could be', async () => {
  const { log, positions } = await filled()
  const dead = new Set(positions.filter((position, i) => segmentOf(position) === 2 && i % 2 === 0))
  for (const position of dead) log.discard(position)
  const before = log.segments().find(({ number }) => number === 2)
  expect(before?.discardedBytes).toBeGreaterThan(1500)
  const { bytesBefore, bytesAfter } = await log.rewrite(2, ({ position }) => !dead.has(position))
  const after = log.segments().find(({ number }) => number === 2)
  expect(bytesBefore).toBe(before?.bytes)
  expect(bytesAfter).toBeLessThan(bytesBefore * 0.8)
  expect(after).toMatchObject({ bytes: bytesAfter, discardedBytes: 0 })
})

test('a segment can be rewritten again and again, and its jumps do not pile up', async () => {
  const { log, positions } = await filled()
  const inside = positions.filter((position) => segmentOf(position) === 2)
  for (let keep = inside.length; keep >= 1; keep = Math.floor(keep / 2)) {
    const live = new Set(inside.slice(-keep))
    await log.rewrite(2, ({ position }) => live.has(position))
    for (const position of live) expect(textAt(log, position)).toBe(sampleTexts(200)[positions.indexOf(position)])
  }
  expect(log.segments()[1]?.bytes).toBeLessThan(64 + 3 * 16 + 250)
})

test('the log knows what has been rewritten since when', async () => {
  const { log } = await filled()
  const { end } = log
  expect(log.rewrittenSince(end, 2)).toBe(false)
  await log.rewrite(1, () => true)
  expect(log.rewrittenSince(end, 1)).toBe(true)
  expect(log.rewrittenSince(end, 2)).toBe(false)
  await log.rewrite(2, () => false)
  expect(log.rewrittenSince(end, 2)).toBe(true)
  expect(log.rewrittenSince(log.end + 1, 2)).toBe(false)
})

test('records are written and read while a segment is rewritten', async () => {
  const { log, positions } = await filled()
  const rewriting = log.rewrite(2, () => true)
  const meanwhile = append(log, 'meanwhile')
  for (const position of positions) textAt(log, position)
  await rewriting
  expect(textAt(log, meanwhile)).toBe('meanwhile')
  expect(texts(log)).toEqual([...sampleTexts(200), 'meanwhile'])
})

test('a segment of many small records is rewritten in steps', async () => {
  const ticking = virtualEnv()
  const looked: number[] = [0]
  const env: Env = {
    ...ticking,
    yield: () => {
      looked.push(0)
      return ticking.yield()
    },
  }
  const { log } = await openLog(memoryFiles(), { env, segmentBytes: 262_144 })
  for (let i = 0; i < 9000; i++) append(log, `${i}`)
  await log.settled('logged')
  await log.rewrite(1, () => {
    looked[looked.length - 1] = (looked.at(-1) ?? 0) + 1
    return true
  })
  expect(looked.reduce((sum, count) => sum + count)).toBeGreaterThan(3000)
  expect(Math.max(...looked)).toBeLessThanOrEqual(1024)
})

test('rewriting can be given up, and nothing has happened', async () => {
  const { log, files } = await filled()
  const abort = new AbortController()
  await log.settled('durable')
  const before = files.list()
  const rewriting = log.rewrite(2, () => false, abort.signal)
  abort.abort()
  await expect(rewriting).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  expect(files.list()).toEqual(before)
  expect(texts(log)).toEqual(sampleTexts(200))
})

test('on a full disk a segment stays as it was', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  for (const text of sampleTexts(200)) append(log, text)
  await log.settled('durable')
  files.failNext('write', 'ENOSPC')
  await expect(log.rewrite(2, () => false)).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
  expect(files.list().filter((name) => name.endsWith('.new'))).toEqual([])
  append(log, 'and writing goes on')
  await log.settled('durable')
  expect(texts(log)).toEqual([...sampleTexts(200), 'and writing goes on'])
})

test('the active segment and one that is gone cannot be rewritten', async () => {
  const { log } = await filled()
  await expect(log.rewrite(log.segments().at(-1)?.number ?? 0, () => true)).rejects.toMatchObject({
    code: 'WARP_E_CONFIG',
  })
  await expect(log.rewrite(999, () => true)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})

test('after an opening the survivors of a rewritten segment are found one by one, whether it is in RAM or not', async () => {
  const { log, files, positions } = await filled()
  const live = positions.filter((_, i) => i % 3 !== 0)
  const kept = new Set(live)
  for (const number of [1, 2, 3]) await log.rewrite(number, ({ position }) => kept.has(position))
  await log.writeCheckpoint(new Uint8Array(1))
  await log.close()
  const { log: again } = await openLog(files, { ...QUICK, residentSegments: 0 })
  for (const position of live.reverse())
    expect(textAt(again, position)).toBe(sampleTexts(200)[positions.indexOf(position)])
  const dead = positions.find((position) => !kept.has(position)) ?? 0
  expect(() => again.record(dead)).toThrow(/no record at/)
})
