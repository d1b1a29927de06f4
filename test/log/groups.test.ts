/** Groups: what an open one shows, and that a failed one has never been. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { append, openLog, openQuickly, QUICK, refusal, sampleTexts, textAt, texts } from './log-fixture.ts'
import { appendUnit, contents, sampleUnits } from './units.ts'

/** Every log gets the same salts, so that whole files can be compared. */
const SAME_SALTS = { ...QUICK, env: { ...QUICK.env, random: (count: number) => new Uint8Array(count).fill(7) } }

const BOTH = [
  ['in RAM', () => memoryFiles()],
  ['on disk', () => memoryFiles({ persistent: true, bootId: 'boot', home: 'here' })],
] as const

test.each(BOTH)('%s a group whose function throws has never been', async (_, makeFiles) => {
  const [files, others] = [makeFiles(), makeFiles()]
  const { log } = await openLog(files, SAME_SALTS)
  const { log: other } = await openLog(others, SAME_SALTS)
  for (const one of [log, other]) appendUnit(one, sampleTexts(3))
  await Promise.all([log.settled('logged'), other.settled('logged')])
  for (const length of [0, 1, 2, 30, 300]) {
    const before = { end: log.end, stats: log.stats(), segments: log.segments(), stored: contents(files) }
    const failure = new Error('changed my mind')
    const fail = (): never => {
      for (const text of sampleTexts(length)) append(log, text, log.end - 1)
      throw failure
    }
    expect(refusal(() => log.group(fail))).toBe(failure)
    expect({ end: log.end, stats: log.stats(), segments: log.segments(), stored: contents(files) }).toEqual(before)
  }
  for (const one of [log, other]) for (const unit of sampleUnits([1, 7, 40, 1], 50)) appendUnit(one, unit)
  expect(texts(log)).toEqual(texts(other))
  await Promise.all([log.close(), other.close()])
  expect(contents(files)).toEqual(contents(others))
})

test('a segment made ahead that a failed group used is as it was, and is used by the next records', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openLog(files, SAME_SALTS)
  while (files.list().length === 1) {
    append(log, 'x'.repeat(300))
    await log.settled('logged')
  }
  await log.settled('durable')
  const before = { segments: log.segments(), stored: contents(files) }
  const fail = (): never => {
    for (const text of sampleTexts(200)) append(log, text)
    expect(log.segments().length).toBeGreaterThan(3)
    throw new Error('changed my mind')
  }
  expect(refusal(() => log.group(fail))).toBeInstanceOf(Error)
  expect({ segments: log.segments(), stored: contents(files) }).toEqual(before)
  const written = sampleTexts(100)
  for (const text of written) append(log, text)
  expect(texts(log).slice(-100)).toEqual(written)
  await log.close()
  const { replayed } = await openQuickly(files.copy())
  expect(replayed.slice(-100).map(({ text }) => text)).toEqual(written)
})

test('a group that a full disk refuses in the middle has never been, whatever the space', async () => {
  let refused = 0
  for (let spaceBytes = 1000; spaceBytes < 14_000; spaceBytes += 61) {
    const files = faultyFiles({ spaceBytes })
    const { log } = await openQuickly(files)
    append(log, 'before')
    await log.settled('durable')
    const used = files.list().reduce((sum, name) => sum + files.bytes(name).length, 0)
    const { end } = log
    const failure = refusal(() => appendUnit(log, sampleTexts(60)))
    if (failure !== undefined) {
      refused++
      expect(failure).toMatchObject({ code: 'WARP_E_STORAGE_FULL', outcome: 'failed' })
      expect(log.end).toBe(end)
      expect(files.list().reduce((sum, name) => sum + files.bytes(name).length, 0)).toBe(used)
    }
    expect(texts(log)).toEqual(failure === undefined ? ['before', ...sampleTexts(60)] : ['before'])
    files.spaceBytes = Number.POSITIVE_INFINITY
    appendUnit(log, ['there is', 'space again'])
    await log.settled('durable')
    const { replayed } = await openQuickly(files.crash())
    expect(replayed.map(({ text }) => text)).toEqual(texts(log))
  }
  expect(refused).toBeGreaterThan(50)
})

test('space that cannot be given back stays taken for the next records', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  files.failNext('remove', 'EIO', 100)
  files.failNext('truncate', 'EIO', 100)
  const fail = (): never => {
    for (const text of sampleTexts(200)) append(log, text)
    throw new Error('changed my mind')
  }
  expect(refusal(() => log.group(fail))).toMatchObject({ message: 'changed my mind' })
  files.mend()
  expect(log.segments()).toHaveLength(1)
  const written = sampleTexts(400)
  for (const text of written) append(log, text)
  await log.settled('durable')
  const { replayed } = await openQuickly(files.crash())
  expect(replayed.map(({ text }) => text)).toEqual(written)
})

test.each(BOTH)('%s an open group is seen by who asks for its records, and by nobody else', async (_, makeFiles) => {
  const { log } = await openLog(makeFiles(), QUICK)
  append(log, 'before')
  await log.settled('logged')
  const from = log.end
  const { loggedThrough } = log
  const positions = log.group(() => {
    const inside = sampleTexts(80).map((text) => {
      const position = append(log, text)
      expect(textAt(log, position)).toBe(text)
      return position
    })
    expect(log.segments().length).toBeGreaterThan(1)
    expect(texts(log)).toEqual(['before'])
    expect(log.scan(log.end, () => expect.unreachable())).toBe(log.end)
    expect(log.visibleEnd).toBe(from)
    expect(log.loggedThrough).toBe(loggedThrough)
    return inside
  })
  expect(log.visibleEnd).toBe(log.end)
  expect(texts(log)).toEqual(['before', ...sampleTexts(80)])
  expect(positions.map((position) => textAt(log, position))).toEqual(sampleTexts(80))
  const goingOn: boolean[] = []
  log.scan(from, (record) => goingOn.push(record.isGroupGoingOn) > 0)
  expect(goingOn).toEqual(positions.map((position) => position !== positions.at(-1)))
})

test('a group inside a group is a part of it that can be taken back alone', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  log.group(() => {
    append(log, 'outer')
    log.group(() => append(log, 'inner'))
    const fail = (): never => {
      for (const text of sampleTexts(100)) append(log, text)
      throw new Error('only this one')
    }
    expect(refusal(() => log.group(fail))).toMatchObject({ message: 'only this one' })
  })
  append(log, 'single')
  await log.settled('logged')
  expect(texts(log)).toEqual(['outer', 'inner', 'single'])
  const { replayed } = await openQuickly(files.copy())
  expect(replayed.map(({ text }) => text)).toEqual(['outer', 'inner', 'single'])
})

test('a group of one record and a group of none are no groups', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  log.group(() => undefined)
  const position = log.group(() => append(log, 'one'))
  expect(log.record(position).isGroupGoingOn).toBe(false)
  await log.settled('logged')
  const { replayed } = await openQuickly(files.copy())
  expect(replayed.map(({ text }) => text)).toEqual(['one'])
})

test('a group is synchronous: a promise is refused, and what was committed is taken back', async () => {
  const { log } = await openQuickly(memoryFiles({ persistent: true }))
  const late = async (): Promise<void> => {
    append(log, 'too early')
    await Promise.resolve()
    throw new Error('handled')
  }
  expect(refusal(() => void log.group(late))).toMatchObject({ code: 'WARP_E_CONFIG' })
  expect(texts(log)).toEqual([])
})

test('no mark comes into a group: a checkpoint is refused there, and closing waits until it is complete', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  const save = (): void => {
    append(log, 'one')
    void log.writeCheckpoint(Uint8Array.of(1))
  }
  expect(refusal(() => log.group(save))).toMatchObject({ code: 'WARP_E_PROTOCOL' })
  expect(texts(log)).toEqual([])
  const closing = log.group(() => {
    append(log, 'two')
    append(log, 'three')
    return { closed: log.close() }
  })
  await closing.closed
  const { replayed, log: again } = await openQuickly(files.copy())
  expect(again.recovery.clean).toBe(true)
  expect(replayed.map(({ text }) => text)).toEqual(['two', 'three'])
})
