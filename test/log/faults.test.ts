/** A full disk refuses at the door and recovers by itself; a failed write or sync ends writing, for good and in plain sight. */
import { expect, test } from 'vitest'
import { isWarpError } from '../../crdt/warp-error.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { append, openLog, openQuickly, QUICK, refusal, sampleTexts, texts } from './log-fixture.ts'

test('a full disk refuses the record, keeps what is there, and takes the next one when there is space again', async () => {
  const files = faultyFiles({ spaceBytes: 40_000 })
  const { log } = await openQuickly(files)
  const written: string[] = []
  const refused = refusal(() => {
    for (const text of sampleTexts(10_000)) {
      append(log, text)
      written.push(text)
    }
  })
  expect(refused).toMatchObject({ code: 'WARP_E_STORAGE_FULL', outcome: 'failed' })
  expect(written.length).toBeGreaterThan(100)
  const { end } = log
  await log.settled('durable')
  expect(log.end - end).toBeLessThan(100) // a mark, and no record
  expect(texts(log)).toEqual(written)
  files.spaceBytes = 1_000_000
  append(log, 'there is space again')
  await log.close()
  const { replayed } = await openQuickly(files.kill())
  expect(replayed.map(({ text }) => text)).toEqual([...written, 'there is space again'])
})

// Only a part of a segment is reserved at a time.
test('a full disk refuses a record in the middle of a segment as well', async () => {
  const files = faultyFiles({ spaceBytes: 300_000 })
  const { log, events } = await openLog(files, { ...QUICK, segmentBytes: 1_048_576 })
  const text = 'x'.repeat(10_000)
  const refused = refusal(() => {
    for (let i = 0; i < 100; i++) append(log, text)
  })
  expect(refused).toMatchObject({ code: 'WARP_E_STORAGE_FULL', outcome: 'failed' })
  await log.settled('durable')
  expect(events.map(({ kind }) => kind)).not.toContain('poisoned')
  expect(texts(log).length).toBeGreaterThan(20)
})

/** Appends and asks for durability now and then, until the disk refuses. Returns what was taken in. */
async function fill(files: FaultyFiles): Promise<{ written: string[]; acknowledged: number }> {
  const written: string[] = []
  let acknowledged = 0
  try {
    const { log } = await openQuickly(files)
    for (const text of sampleTexts(200)) {
      append(log, text)
      written.push(text)
      if (written.length % 9 !== 0) continue
      await log.settled('durable')
      acknowledged = written.length
    }
  } catch (error) {
    expect(error).toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
    return { written, acknowledged }
  }
  return expect.unreachable('the disk never filled')
}

test('whatever the space, it is used, and every record that was acknowledged is stored', async () => {
  for (let spaceBytes = 0; spaceBytes < 20_000; spaceBytes += 97) {
    const files = faultyFiles({ spaceBytes })
    const { written, acknowledged } = await fill(files)
    // A record of at most 216 bytes did not fit any more, nor a new segment with its own first mark.
    expect(written.join('').length + written.length * 16).toBeGreaterThan(spaceBytes * 0.9 - 800)
    const after = files.kill()
    after.spaceBytes = Infinity
    const { replayed } = await openQuickly(after)
    expect(replayed.map(({ text }) => text).slice(0, acknowledged)).toEqual(written.slice(0, acknowledged))
  }
})

test('a log that could not say that it is open does so, durably, before it acknowledges anything', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  while (log.end % 2 ** 32 < 3993) append(log, 'to the brim')
  await log.settled('durable')
  const full = files.kill()
  full.failNext('create', 'ENOSPC', 2)
  const { log: again } = await openQuickly(full)
  expect(refusal(() => append(again, 'x'.repeat(99)))).toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
  append(again, 'x'.repeat(99))
  await again.settled('logged')
  expect(again.durableThrough).toBe(again.end)
  const { log: third } = await openQuickly(full.crash())
  expect(third.recovery.clean).toBe(false)
  expect(texts(third).at(-1)).toBe('x'.repeat(99))
})

test('a closed log opens on a full disk', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  append(log, 'one')
  await log.close()
  let disk = files.kill()
  disk.spaceBytes = disk.list().reduce((sum, name) => sum + disk.bytes(name).length, 0)
  for (let i = 0; i < 5; i++) {
    const { log: again, replayed } = await openQuickly(disk)
    expect(replayed.map(({ text }) => text)).toEqual(['one'])
    expect(again.recovery.clean).toBe(true)
    await again.close()
    disk = disk.kill()
  }
})

test.each(['write', 'sync'] as const)(
  'a failed %s poisons the log: nothing is acknowledged any more, and reading goes on',
  async (call) => {
    const files = faultyFiles()
    const { log, events } = await openQuickly(files)
    append(log, 'good')
    await log.settled('durable')
    files.failNext(call, 'EIO')
    append(log, 'lost')
    await expect(log.settled('durable')).rejects.toMatchObject({
      code: 'WARP_E_STORAGE_POISONED',
      outcome: 'indeterminate',
    })
    expect(refusal(() => append(log, 'more'))).toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
    const { syncs } = log.stats()
    await expect(log.settled('durable')).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
    expect(log.stats().syncs).toBe(syncs)
    expect(texts(log)).toEqual(['good', 'lost'])
    expect(events).toContainEqual(expect.objectContaining({ kind: 'poisoned' }))
    await expect(log.close()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
  },
)

test('after a failed sync an opening stores again what the kernel may have dropped', async () => {
  const files = faultyFiles({ seed: 3 })
  const { log } = await openQuickly(files)
  files.failNext('sync', 'EIO')
  const written = sampleTexts(20)
  for (const text of written) append(log, text)
  await expect(log.settled('durable')).rejects.toThrow()
  const again = await openQuickly(files.kill())
  expect(again.replayed.map(({ text }) => text)).toEqual(written)
  const last = await openQuickly(again.files.crash())
  expect(last.replayed.map(({ text }) => text)).toEqual(written)
})

/** A life with a checkpoint and a compaction. Returns how many records were acknowledged before the disk failed. */
async function live(files: FaultyFiles, written: readonly string[]): Promise<number> {
  let acknowledged = 0
  try {
    const { log } = await openQuickly(files)
    for (const [i, text] of written.entries()) {
      append(log, text)
      if (i % 10 !== 9) continue
      await log.settled('durable')
      acknowledged = i + 1
      if (i === 59) await log.writeCheckpoint(Uint8Array.of(60))
      else if (i === 89) await log.rewrite(log.segments()[0]?.number ?? 0, () => true)
    }
    await log.close()
  } catch (error) {
    expect(isWarpError(error)).toBe(true)
  }
  return acknowledged
}

test.each(['EIO', 'ENOSPC'] as const)(
  'with %s at any step, the log opens again to a prefix with everything acknowledged',
  async (code) => {
    const written = sampleTexts(120)
    for (let step = 0; step < 70; step++) {
      const files = faultyFiles({ seed: step })
      files.failStep(step, code)
      const acknowledged = await live(files, written)
      const { restored, replayed } = await openQuickly(files.crash())
      const all = [...written.slice(0, restored?.[0] ?? 0), ...replayed.map(({ text }) => text)]
      expect(all).toEqual(written.slice(0, all.length))
      expect(all.length).toBeGreaterThanOrEqual(acknowledged)
    }
  },
)

test('a sync that fails while others wait fails all of them', async () => {
  const files = faultyFiles()
  const { log, env } = await openQuickly(files)
  files.holdSyncs = true
  append(log, 'one')
  const first = log.settled('durable')
  await env.yield()
  append(log, 'two')
  const second = log.settled('durable')
  expect(second).not.toBe(first)
  await env.yield()
  files.releaseSyncs({ code: 'EIO' })
  await expect(first).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
  await expect(second).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
})

test('writers that ask at the same time share one sync', async () => {
  const files = faultyFiles()
  const { log } = await openQuickly(files)
  const before = log.stats().syncs
  const waits = sampleTexts(100).map((text) => {
    append(log, text)
    return log.settled('durable')
  })
  await Promise.all(waits)
  expect(new Set(waits).size).toBe(1)
  expect(log.stats().syncs - before).toBe(1)
})
