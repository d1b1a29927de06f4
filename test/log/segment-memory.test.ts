/** Bytes of segments are used again, and never while somebody may look at them. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { SegmentMemory } from '../../src/log/segments/segment-memory.ts'
import { SEGMENTS_FREE_MAX } from '../../src/limits.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { append, openLog, sampleTexts, textAt, textOf, texts } from './log-fixture.ts'

const BYTES = 4096

function memoryOf(): { memory: SegmentMemory; allocated: Uint8Array[]; defer: () => void } {
  const allocated: Uint8Array[] = []
  const waiting: (() => void)[] = []
  const source = {
    allocate(bytes: number) {
      allocated.push(new Uint8Array(bytes))
      return allocated.at(-1)!
    },
  }
  const memory = new SegmentMemory(BYTES, { defer: (callback) => void waiting.push(callback) }, source)
  return { memory, allocated, defer: () => waiting.splice(0).forEach((callback) => callback()) }
}

test('freed bytes are given out again once the work in progress is over', () => {
  const { memory, defer } = memoryOf()
  const first = memory.take(BYTES)
  memory.give(first)
  expect(memory.take(BYTES)).not.toBe(first)
  defer()
  expect(memory.take(BYTES)).toBe(first)
})

test('bytes that came from elsewhere, or were given already, are not given out', () => {
  const { memory, defer } = memoryOf()
  const [own, foreign] = [memory.take(BYTES), new Uint8Array(BYTES)]
  for (const bytes of [own, own, foreign, undefined]) memory.give(bytes)
  defer()
  expect(memory.take(BYTES)).toBe(own)
  expect(memory.take(BYTES)).not.toBe(own)
})

test('no more than a bounded number of freed segments waits', () => {
  const { memory, allocated, defer } = memoryOf()
  const taken = Array.from({ length: SEGMENTS_FREE_MAX + 3 }, () => memory.take(BYTES))
  for (const bytes of taken) memory.give(bytes)
  defer()
  const before = allocated.length
  for (const _bytes of taken) memory.take(BYTES)
  expect(allocated.length - before).toBe(3)
})

test('what is smaller than half a segment, or larger than one, is ordinary memory', () => {
  const { memory, allocated } = memoryOf()
  expect([BYTES / 2, BYTES + 1].map((count) => memory.take(count).length)).toEqual([BYTES / 2, BYTES + 1])
  expect(memory.take(BYTES / 2 + 1).length).toBe(BYTES)
  expect(allocated.length).toBe(1)
})

test('a record that is looked at stays what it is while others are written, whatever leaves RAM meanwhile', async () => {
  const { log } = await openLog(memoryFiles({ persistent: true }), { segmentBytes: BYTES, residentSegments: 2 })
  const written = sampleTexts(300)
  const positions = written.map((text) => append(log, text))
  await log.settled('logged')
  // The last segment that was sealed has not left RAM since it was written.
  const sealed = log.segments().at(-2)!.number
  const first = positions.findIndex((position) => Math.floor(position / 2 ** 32) === sealed)
  const seen: string[] = []
  log.scan(positions[first]!, (record) => {
    // Every other segment is loaded and leaves RAM again, and new ones are begun, all in one turn.
    texts(log)
    append(log, 'x'.repeat(1000))
    seen.push(textOf(record))
    return seen.length < written.length - first
  })
  expect(seen).toEqual(written.slice(first))
})

test('a segment that is being rewritten stays in RAM though others are asked for', async () => {
  const env = virtualEnv()
  const wide = 'x'.repeat(60_000)
  const texts = Array.from({ length: 60 }, (_, i) => `${i} ${wide}`)
  let onYield: () => void = () => undefined
  const busy = { ...env, yield: () => (onYield(), env.yield()) }
  const files = memoryFiles({ persistent: true })
  const { log } = await openLog(files, { env: busy, segmentBytes: 1_048_576, residentSegments: 1 })
  const positions = texts.map((text) => append(log, text))
  await log.settled('durable')
  let yields = 0
  onYield = () => {
    yields++
    // Everything is read, so what was resident makes room; and the log goes on.
    log.scan(0, () => true)
    append(log, wide)
  }
  // The last one that was sealed, and therefore the one that has stayed in RAM.
  await log.rewrite(3, () => true)
  expect(yields).toBeGreaterThan(0)
  onYield = () => undefined
  positions.forEach((position, i) => expect(textAt(log, position)).toBe(texts[i]))
})

test('a log in memory that is rewritten over and over allocates no more than it holds', async () => {
  let count = 0
  const memory = { allocate: (bytes: number) => (count++, new Uint8Array(bytes)) }
  const { log, env } = await openLog(memoryFiles(), { memory, segmentBytes: BYTES })
  for (let round = 0; round < 50; round++) {
    for (const text of sampleTexts(20)) append(log, text)
    for (const { number, sealed } of log.segments()) if (sealed) await log.rewrite(number, () => false)
    await env.yield()
  }
  expect(count).toBeLessThan(10)
})

test('an Env whose methods need their object is called with it', () => {
  class Turns {
    readonly waiting: (() => void)[] = []
    defer(callback: () => void): void {
      this.waiting.push(callback)
    }
  }
  const turns = new Turns()
  const memory = new SegmentMemory(BYTES, turns)
  const bytes = memory.take(BYTES)
  memory.give(bytes)
  for (const callback of turns.waiting) callback()
  expect(memory.take(BYTES)).toBe(bytes)
})
