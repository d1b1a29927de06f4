/** Which damage is told from which, and what is done about it. */
import { expect, test } from 'vitest'
import { type MemoryFiles, memoryFiles } from '../../src/log/files/memory-files.ts'
import { append, openQuickly, sampleTexts, textAt, texts } from './log-fixture.ts'

/** A log of several segments, closed in order. */
async function closedLog(): Promise<{ files: MemoryFiles; written: string[]; positions: number[] }> {
  const files = memoryFiles({ persistent: true, bootId: 'boot', home: 'here' })
  const { log } = await openQuickly(files)
  const written = sampleTexts(200)
  const positions = written.map((text) => append(log, text))
  await log.close()
  return { files, written, positions }
}

function contents(files: MemoryFiles): Map<string, string> {
  return new Map(files.list().map((name) => [name, String(files.bytes(name))]))
}

async function expectRefused(files: MemoryFiles, code: string, message: RegExp): Promise<void> {
  const before = contents(files)
  await expect(openQuickly(files)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  expect(contents(files)).toEqual(before)
}

test('a torn tail is cut, and told', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  const [kept, torn] = [append(log, 'kept'), append(log, 'torn'.repeat(20))]
  await log.settled('logged')
  files.bytes('segment-0000000001').fill(0, (torn % 2 ** 32) + 40)
  const { log: again, replayed, events } = await openQuickly(files.copy())
  expect(replayed.map(({ position }) => position)).toEqual([kept])
  expect(again.recovery).toMatchObject({ clean: false, cutBytes: 40, cutRecords: 0 })
  expect(events).toContainEqual({ kind: 'tail-cut', position: torn, bytes: 40, records: 0 })
  expect(append(again, 'next')).toBeGreaterThan(torn)
  expect(texts(again)).toEqual(['kept', 'next'])
})

test('a hole in what was never synced is a power failure: everything behind it is cut, and counted', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  const positions = sampleTexts(10).map((text) => append(log, text))
  await log.settled('logged')
  const hole = (positions[4] ?? 0) % 2 ** 32
  files.bytes('segment-0000000001').fill(0, hole, hole + 30)
  const disk = files.copy()
  const { log: again, replayed } = await openQuickly(disk)
  expect(replayed.map(({ position }) => position)).toEqual(positions.slice(0, 4))
  expect(again.recovery.cutRecords).toBe(5)
  // What was cut is gone for good, and not found again by the next opening.
  const { log: third } = await openQuickly(disk.copy())
  expect(third.recovery).toMatchObject({ cutBytes: 0, cutRecords: 0 })
})

test('the same hole in what a mark calls durable is damage: refused, nothing changed, and the place is named', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  const positions = sampleTexts(10).map((text) => append(log, text))
  await log.settled('durable')
  append(log, 'behind the mark')
  await log.settled('logged')
  const copy = files.copy()
  const hole = (positions[4] ?? 0) % 2 ** 32
  copy.bytes('segment-0000000001').fill(0, hole, hole + 30)
  await expectRefused(
    copy,
    'WARP_E_LOG_CORRUPT',
    new RegExp(`segment-0000000001 is damaged at offset ${hole}: .* 6 valid records`),
  )
})

test('a stale sector, a zeroed block and two swapped ones are seen', async () => {
  const { files } = await closedLog()
  const name = 'segment-0000000002'
  const change = [
    (bytes: Uint8Array) => bytes.fill(0, 1024, 1536),
    (bytes: Uint8Array) => bytes.copyWithin(1024, 2048, 2560),
    (bytes: Uint8Array) => bytes.set(files.bytes('segment-0000000003').slice(512, 1024), 512),
    (bytes: Uint8Array) => {
      const block = bytes.slice(512, 1024)
      bytes.copyWithin(512, 1024, 1536)
      bytes.set(block, 1024)
    },
  ]
  for (const damage of change) {
    const copy = files.copy()
    damage(copy.bytes(name))
    await expectRefused(copy, 'WARP_E_LOG_CORRUPT', /segment-0000000002 is damaged at offset/)
  }
})

test('two records of one length that have changed places are seen', async () => {
  const files = memoryFiles({ persistent: true })
  const { log } = await openQuickly(files)
  const [first, second] = ['one', 'two'].map((text) => append(log, text) % 2 ** 32) as [number, number]
  await log.close()
  const bytes = files.bytes('segment-0000000001')
  const record = bytes.slice(first, second)
  bytes.copyWithin(first, second, second + record.length)
  bytes.set(record, second)
  await expectRefused(files, 'WARP_E_LOG_CORRUPT', /segment-0000000001 is damaged at offset/)
})

test.each([1, 2, 3])('segment %i missing is damage', async (number) => {
  const { files } = await closedLog()
  files.remove(`segment-000000000${number}`)
  await expectRefused(files, 'WARP_E_LOG_CORRUPT', new RegExp(`segment-000000000${number} is missing`))
})

test('the last segment missing is damage', async () => {
  const { files } = await closedLog()
  const last = files.list().at(-1) ?? ''
  files.remove(last)
  await expectRefused(files, 'WARP_E_LOG_CORRUPT', new RegExp(`${last} is missing`))
})

test('a segment under the name of another is damage', async () => {
  const { files } = await closedLog()
  files.rename('segment-0000000002', 'segment-0000000009')
  files.rename('segment-0000000003', 'segment-0000000002')
  files.rename('segment-0000000009', 'segment-0000000003')
  await expectRefused(files, 'WARP_E_LOG_CORRUPT', /under another name/)
})

test('a folder of something else is refused and left alone', async () => {
  const files = memoryFiles({ persistent: true })
  await files.create('holiday.jpg').write(0, new Uint8Array(100))
  await expectRefused(files, 'WARP_E_LOG_FOREIGN', /holiday\.jpg/)
})

test.each(['.gitkeep', '.DS_Store', 'Thumbs.db', 'desktop.ini', 'warp.config.json'])(
  'a fresh folder in which a %s lies is taken, and it stays there',
  async (name) => {
    const files = memoryFiles({ persistent: true })
    await files.create(name).write(0, Uint8Array.of(1))
    const { log } = await openQuickly(files)
    append(log, 'kept')
    await log.close()
    expect(files.list()).toContain(name)
    expect(texts((await openQuickly(files.copy())).log)).toEqual(['kept'])
  },
)

test('a file of something else under the name of a segment is refused', async () => {
  const files = memoryFiles({ persistent: true })
  await files
    .create('segment-0000000001')
    .write(0, new TextEncoder().encode('a diary, most of it about the weather'.repeat(9)))
  await expectRefused(files, 'WARP_E_LOG_FOREIGN', /segment-0000000001/)
})

test('what interrupted writing left behind is removed', async () => {
  const { files, written } = await closedLog()
  await files.create('segment-0000000002.new').write(0, Uint8Array.of(1))
  await files.create('checkpoint-0000000007.new').write(0, Uint8Array.of(1))
  files.create('segment-0000000099')
  const { log } = await openQuickly(files)
  expect(texts(log)).toEqual(written)
  expect(files.list().filter((name) => name.endsWith('.new') || name.endsWith('99'))).toEqual([])
})

test('another boot and another place are told', async () => {
  const { files } = await closedLog()
  const same = await openQuickly(files.copy())
  expect(same.log.recovery).toMatchObject({ sameBoot: true, sameHome: true, clean: true })
  const other = await openQuickly(files.copy({ bootId: 'another', home: 'there' }))
  expect(other.log.recovery).toMatchObject({ sameBoot: false, sameHome: false, clean: true })
})

test('a log that was opened is unclean until it is closed, even if nothing was written', async () => {
  const { files } = await closedLog()
  await openQuickly(files)
  const { log } = await openQuickly(files.copy())
  expect(log.recovery.clean).toBe(false)
})

test('damage in front of the checkpoint is found when the record is read, by a scan, and by verify', async () => {
  const { files, positions } = await closedLog()
  const { log } = await openQuickly(files)
  await log.writeCheckpoint(new Uint8Array(1))
  await log.close()
  const position = positions[20] ?? 0
  const name = `segment-000000000${Math.floor(position / 2 ** 32)}`
  const bytes = files.bytes(name)
  bytes[(position % 2 ** 32) + 20] = 1
  const { log: again } = await openQuickly(files)
  expect(textAt(again, positions[19] ?? 0)).toBe(sampleTexts(20)[19])
  expect(() => again.record(position)).toThrow(/is damaged/)
  expect(() => again.scan(0, () => true)).toThrow(/is damaged/)
  const damages = []
  for await (const damage of again.verify()) damages.push(damage)
  expect(damages).toEqual([{ file: name, offset: position % 2 ** 32, reason: 'the record there is damaged' }])
})

test('verify finds nothing in a healthy log, whatever state it is in', async () => {
  const { log } = await openQuickly(memoryFiles({ persistent: true }))
  for (const text of sampleTexts(100)) append(log, text)
  await log.writeCheckpoint(new Uint8Array(10))
  await log.rewrite(1, () => false)
  await log.rewrite(2, (record) => record.position % 3 === 0)
  append(log, 'not flushed')
  for await (const damage of log.verify()) expect(damage).toBeUndefined()
})
