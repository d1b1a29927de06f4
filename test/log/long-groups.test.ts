/** Long groups: others write meanwhile, and after a crash all of one is there or nothing. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { type Log, type LongGroup, RECORD_KIND } from '../../src/log/log.ts'
import type { LogFile, LogFiles } from '../../src/ports/files.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'
import { append, openLog, openQuickly, QUICK, refusal, sampleTexts, textAt, texts } from './log-fixture.ts'
import { appendLong, appendUnit, contents } from './units.ts'

const BOTH = [
  ['in RAM', () => memoryFiles()],
  ['on disk', () => memoryFiles({ persistent: true, bootId: 'boot', home: 'here' })],
] as const

function write(group: LongGroup, text: string): number {
  group.begin().utf8(text)
  return group.commit(RECORD_KIND.operation, 0)
}

/** Ends it with one more record. */
function finish(log: Log, group: LongGroup, text = 'the last one'): void {
  log.endGroup(group, () => append(log, text))
}

test.each(BOTH)(
  '%s nobody sees a long group before it ends, and it stands behind what came meanwhile',
  async (_, makeFiles) => {
    const files = makeFiles()
    const { log } = await openLog(files, QUICK)
    append(log, 'before')
    const group = log.beginGroup(3)
    const inside: number[] = []
    const meanwhile: number[] = []
    for (const text of sampleTexts(100)) {
      inside.push(write(group, text))
      group.store()
      if (inside.length % 3 === 0) meanwhile.push(append(log, `meanwhile ${inside.length}`))
    }
    expect(group.segments.length).toBeGreaterThan(2)
    await log.settled('durable')
    const others = ['before', ...meanwhile.map((_position, i) => `meanwhile ${3 * (i + 1)}`)]
    expect(texts(log)).toEqual(others)
    expect(refusal(() => log.record(inside[0] as number))).toMatchObject({ code: 'WARP_E_LOG_CORRUPT' })
    finish(log, group)
    expect(Math.min(...inside)).toBeGreaterThan(Math.max(...meanwhile))
    append(log, 'behind')
    const all = [...others, ...sampleTexts(100), 'the last one', 'behind']
    expect(texts(log)).toEqual(all)
    expect(inside.map((position) => textAt(log, position))).toEqual(sampleTexts(100))
    await log.settled('durable')
    expect(texts(log)).toEqual(all)
    for await (const damage of log.verify()) expect.fail(damage.reason)
    await log.close()
    if (!files.persistent) return
    const again = await openQuickly(files.copy({ persistent: true, bootId: 'boot', home: 'here' }))
    expect(again.replayed.map(({ text }) => text)).toEqual(all)
    expect(again.log.recovery.isEndUncertain).toBe(false)
    for await (const damage of again.log.verify()) expect.fail(damage.reason)
  },
)

test.each(BOTH)('%s a long group that is given up, or whose last part throws, has never been', async (_, makeFiles) => {
  const files = makeFiles()
  const { log } = await openLog(files, QUICK)
  append(log, 'before')
  await log.settled('durable')
  const before = { end: log.end, stats: log.stats(), segments: log.segments(), stored: contents(files) }
  for (const ending of ['given up', 'throws']) {
    const group = log.beginGroup(3)
    for (const text of sampleTexts(100)) {
      write(group, text)
      group.store()
    }
    const failure = new Error('changed my mind')
    const fail = (): never => {
      append(log, 'one more')
      throw failure
    }
    if (ending === 'throws') expect(refusal(() => log.endGroup(group, fail))).toBe(failure)
    else group.dispose()
    expect({ end: log.end, stats: log.stats(), segments: log.segments(), stored: contents(files) }).toEqual(before)
    expect(refusal(() => write(group, 'more'))).toMatchObject({ code: 'WARP_E_CLOSED' })
    expect(refusal(() => finish(log, group))).toMatchObject({ code: 'WARP_E_PROTOCOL' })
  }
  await appendLong(log, sampleTexts(50))
  append(log, 'behind')
  await log.settled('durable')
  expect(texts(log)).toEqual(['before', ...sampleTexts(50), 'behind'])
})

test.each(BOTH)('%s a long group that others have overtaken cannot end, and the log is sound', async (_, makeFiles) => {
  const files = makeFiles()
  const { log } = await openLog(files, { ...QUICK, segmentBytes: 65_536 })
  const group = log.beginGroup(1)
  write(group, 'never seen')
  const written: string[] = []
  // The jump to the group needs a segment of its own in front of it.
  while ((log.segments().at(-1)?.number ?? 0) + 1 < group.firstSegment) {
    expect(group.isOvertaken).toBe(false)
    written.push('x'.repeat(5000))
    append(log, 'x'.repeat(5000))
  }
  expect(group.isOvertaken).toBe(true)
  expect(refusal(() => finish(log, group))).toMatchObject({ code: 'WARP_E_PROTOCOL' })
  for (let i = 0; i < 40; i++) {
    written.push('y'.repeat(5000))
    append(log, 'y'.repeat(5000))
  }
  await log.settled('durable')
  await appendLong(log, sampleTexts(20))
  await log.settled('durable')
  expect(texts(log)).toEqual([...written, ...sampleTexts(20)])
  expect(files.list().filter((name) => name.endsWith('.new'))).toEqual([])
})

test('all of a long group but its last record is stored before it ends', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openLog(files, { ...QUICK, segmentBytes: 65_536 })
  const group = log.beginGroup(3)
  for (let i = 0; i < 40; i++) {
    write(group, `${'.'.repeat(4000)}${i} of many`)
    group.store()
  }
  await log.settled('durable')
  const stored = files
    .list()
    .filter((name) => name.endsWith('.new'))
    .map((name) => new TextDecoder().decode(files.bytes(name)))
    .join('')
  for (let i = 0; i < 39; i++) expect(stored).toContain(`.${i} of many`)
  expect(stored).not.toContain('.39 of many')
  finish(log, group)
  await log.settled('durable')
  expect(texts(log)).toHaveLength(41)
})

test('a full disk refuses a long group whatever the space, and the log is what it was', async () => {
  let refused = 0
  for (let spaceBytes = 2000; spaceBytes < 16_000; spaceBytes += 97) {
    const files = faultyFiles({ spaceBytes })
    const { log } = await openQuickly(files)
    append(log, 'before')
    await log.settled('durable')
    const failure = await appendLong(log, sampleTexts(60)).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (failure !== undefined) {
      refused++
      expect(failure).toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
      // What was not ended is given up by whoever began it.
      files.spaceBytes = Number.POSITIVE_INFINITY
    }
    expect(texts(log)).toEqual(failure === undefined ? ['before', ...sampleTexts(60)] : ['before'])
    append(log, 'behind')
    await log.settled('durable')
    const expected = texts(log)
    const { replayed } = await openQuickly(files.crash())
    expect(replayed.map(({ text }) => text)).toEqual(expected)
  }
  expect(refused).toBeGreaterThan(30)
})

test('a write that fails gives the long group up, and not the log', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  const group = log.beginGroup(3)
  write(group, 'one')
  write(group, 'two')
  files.failNext('write', 'EIO')
  expect(refusal(() => group.store())).toMatchObject({ code: 'WARP_E_STORAGE' })
  group.dispose()
  append(log, 'goes on')
  await log.settled('durable')
  const { replayed } = await openQuickly(files.crash())
  expect(replayed.map(({ text }) => text)).toEqual(['goes on'])
})

test.each(BOTH)('%s a long group may end with what it holds, or hold nothing', async (_, makeFiles) => {
  const files = makeFiles()
  const { log } = await openLog(files, QUICK)
  for (const count of [0, 1, 2, 100]) {
    const group = log.beginGroup(3)
    for (const text of sampleTexts(count, count)) {
      write(group, text)
      group.store()
    }
    log.endGroup(group, () => undefined)
    await log.settled('durable')
    if (files.persistent) {
      const { replayed } = await openQuickly(files.copy())
      expect(replayed.map(({ text }) => text)).toEqual(texts(log))
    }
    append(log, `behind ${count}`)
    await log.settled('durable')
  }
  const all = [0, 1, 2, 100].flatMap((count) => [...sampleTexts(count, count), `behind ${count}`])
  expect(texts(log)).toEqual(all)
  if (!files.persistent) return
  const { replayed } = await openQuickly(files.copy())
  expect(replayed.map(({ text }) => text)).toEqual(all)
})

test('nothing of a long group is acknowledged before a slow medium has it', async () => {
  const files = faultyFiles()
  const medium = { isSlow: false }
  const { log } = await openQuickly(slow(files, medium))
  append(log, 'before')
  await log.settled('durable')
  const group = log.beginGroup(3)
  medium.isSlow = true
  for (const text of sampleTexts(80)) {
    write(group, text)
    group.store()
  }
  medium.isSlow = false
  finish(log, group)
  await log.settled('durable')
  const { replayed } = await openQuickly(files.crash())
  expect(replayed.map(({ text }) => text)).toEqual(['before', ...sampleTexts(80), 'the last one'])
})

/** A medium on which a write takes many turns while it is slow, and later ones overtake it. */
function slow(files: FaultyFiles, medium: { readonly isSlow: boolean }): LogFiles {
  const wrapped = (file: LogFile): LogFile => ({
    get size() {
      return file.size
    },
    read: (offset, length) => file.read(offset, length),
    reserve: (size) => file.reserve(size),
    sync: () => file.sync(),
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
    write: async (offset, bytes) => {
      const copy = bytes.slice()
      for (let left = medium.isSlow ? 20_000 : 0; left > 0; left--) await Promise.resolve()
      await file.write(offset, copy)
    },
  })
  return {
    persistent: true,
    home: files.home,
    bootId: files.bootId,
    list: () => files.list(),
    open: (name) => wrapped(files.open(name)),
    create: (name) => wrapped(files.create(name)),
    rename: (from, to) => files.rename(from, to),
    remove: (name) => files.remove(name),
    syncNames: () => files.syncNames(),
    close: () => files.close(),
  }
}

test('a log that is closed takes a long group that is open with it', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  append(log, 'kept')
  const group = log.beginGroup(3)
  for (const text of sampleTexts(60)) write(group, text)
  group.store()
  expect(files.list().filter((name) => name.endsWith('.new')).length).toBeGreaterThan(1)
  await log.close()
  expect(files.list().filter((name) => name.endsWith('.new'))).toEqual([])
  expect(refusal(() => write(group, 'more'))).toMatchObject({ code: 'WARP_E_CLOSED' })
  expect(refusal(() => log.beginGroup(3))).toMatchObject({ code: 'WARP_E_CLOSED' })
  const { replayed } = await openQuickly(files)
  expect(replayed.map(({ text }) => text)).toEqual(['kept'])
})

test('compaction rewrites what a long group has left free, and drops it with what lies before', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  for (const text of sampleTexts(60)) append(log, text)
  const end = await appendLong(log, sampleTexts(60, 100), { freeNumbers: 6 })
  for (const text of sampleTexts(60, 200)) append(log, text)
  log.discardBefore(Math.floor(end / 2 ** 32) * 2 ** 32)
  const isKept = (position: number): boolean => position > end
  for (const { number, sealed, discardedBytes } of log.segments())
    if (sealed && discardedBytes > 0) await log.rewrite(number, ({ position }) => isKept(position))
  expect(texts(log).slice(-60)).toEqual(sampleTexts(60, 200))
  expect(log.segments()[0]?.number).toBeGreaterThanOrEqual(Math.floor(end / 2 ** 32))
  await log.close()
  const { replayed } = await openQuickly(files)
  expect(replayed.slice(-60).map(({ text }) => text)).toEqual(sampleTexts(60, 200))
})

test.each(['crash', 'kill'] as const)(
  'a %s at each step while a long group gets its names leaves all of it or nothing',
  async (end) => {
    const found = { whole: 0, none: 0 }
    for (let seed = 0; seed < 4; seed++) {
      let isCrashed = true
      for (let step = 0; isCrashed; step++) {
        const files = faultyFiles({ seed: 1000 * seed + step })
        isCrashed = await endAndCrash(files, step)
        const { replayed, log } = await openQuickly(files[end]())
        const all = ['before', ...sampleTexts(80), 'the last one']
        const isWhole = replayed.length > 1
        expect(replayed.map(({ text }) => text)).toEqual(isWhole ? all : ['before'])
        if (!isCrashed) expect(isWhole).toBe(true)
        found[isWhole ? 'whole' : 'none']++
        await appendLong(log, ['goes', 'on'])
        expect(texts(log).slice(-2)).toEqual(['goes', 'on'])
        await log.close()
      }
    }
    expect(found.none).toBeGreaterThan(20)
    expect(found.whole).toBeGreaterThan(3)
  },
)

/** Ends a long group of several segments, on a disk that dies so many steps later. Returns whether it did. */
async function endAndCrash(files: FaultyFiles, step: number): Promise<boolean> {
  const { log } = await openQuickly(files)
  append(log, 'before')
  await log.settled('durable')
  const group = log.beginGroup(3)
  for (const text of sampleTexts(80)) {
    write(group, text)
    group.store()
  }
  files.crashAtStep(files.steps + step)
  try {
    finish(log, group)
    await log.settled('durable')
  } catch (error) {
    if (!files.crashed) throw error
  }
  return files.crashed
}

/** What a log is to hold, in its order: a unit is there as a whole or not at all. */
interface Model {
  readonly units: string[][]
  acknowledged: number
}

interface LongWriting {
  readonly random: Random
  readonly model: Model
  /** Writes something else. */
  readonly ordinary: () => Promise<void>
}

/** Writes a long group, in front of which there may be too little room, or gives it up. */
async function writeLong(log: Log, unit: string[], { random, model, ordinary }: LongWriting): Promise<void> {
  const group = log.beginGroup(random.between(1, 6))
  for (const text of unit.slice(0, -1)) {
    write(group, text)
    if (random.chance(0.5)) group.store()
    if (random.chance(0.2)) await ordinary()
  }
  if (group.isOvertaken || random.chance(0.2)) {
    group.dispose()
    return
  }
  model.units.push(unit)
  finish(log, group, unit.at(-1))
}

/** Writes single records, groups and a long group by turns, until the disk dies. */
async function writeAll(files: FaultyFiles, random: Random, end: 'crash' | 'kill'): Promise<Model> {
  const model: Model = { units: [], acknowledged: 0 }
  let next = 0
  try {
    const { log } = await openLog(files, { ...QUICK, segmentBytes: 1500 })
    const ordinary = async (): Promise<void> => {
      const unit = sampleTexts(random.chance(0.7) ? 1 : random.between(2, 6), next)
      next += unit.length
      model.units.push(unit)
      appendUnit(log, unit)
      if (!random.chance(0.2)) return
      const level = random.pick(['logged', 'durable'] as const)
      const { length } = model.units
      await log.settled(level)
      if (level === 'durable' || end === 'kill') model.acknowledged = Math.max(model.acknowledged, length)
    }
    for (let round = 0; round < 4; round++) {
      for (let i = random.below(6); i > 0; i--) await ordinary()
      const unit = sampleTexts(random.between(2, 30), next)
      next += unit.length
      await writeLong(log, unit, { random, model, ordinary })
    }
    await log.settled('durable')
    model.acknowledged = model.units.length
  } catch (error) {
    if (!files.crashed) throw error
  }
  return model
}

test.each(['crash', 'kill'] as const)(
  'after a %s at any step of the disk no long group is there in part',
  async (end) => {
    const seen = { whole: 0, none: 0 }
    for (let seed = 0; seed < 250; seed++) {
      const random = seededRandom(`long groups ${end} ${seed}`)
      const files = faultyFiles({ seed })
      files.crashAtStep(random.below(160))
      const { units, acknowledged } = await writeAll(files, random, end)
      const { replayed, log } = await openLog(files[end](), { ...QUICK, segmentBytes: 1500 })
      const found = replayed.map(({ text }) => text)
      let count = 0
      while (units.slice(0, count).flat().length < found.length) count++
      expect(found, `seed ${seed}`).toEqual(units.slice(0, count).flat())
      expect(count, `seed ${seed}`).toBeGreaterThanOrEqual(acknowledged)
      if (count < units.length) seen.none++
      else seen.whole++
      expect(log.segments().map(({ number }) => number)).toEqual(
        Array.from({ length: log.segments().length }, (_, i) => (log.segments()[0]?.number ?? 0) + i),
      )
      await appendLong(log, ['goes', 'on'])
      await log.close()
    }
    expect(Math.min(seen.whole, seen.none)).toBeGreaterThan(5)
  },
)
