/** After a crash all records of a group are there or none. */
import { expect, test } from 'vitest'
import type { LogFiles } from '../../src/ports/files.ts'
import { POSITIONS_PER_SEGMENT } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/log/segments/segment-format.ts'
import { segmentName } from '../../src/log/segments/segment.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'
import { append, openLog, openQuickly, QUICK, sampleTexts, textAt, texts } from './log-fixture.ts'
import { appendLong, appendUnit, contents, sampleUnits, type Unit } from './units.ts'

/** A disk with these files. */
function diskOf(stored: readonly (readonly [string, Uint8Array])[]): LogFiles {
  const files = memoryFiles({ persistent: true })
  for (const [name, bytes] of stored) void files.create(name).write(0, bytes)
  return files
}

interface Written {
  readonly stored: [string, Uint8Array][]
  readonly units: readonly Unit[]
  /** Where each unit begins, and where the last one ends. */
  readonly starts: readonly number[]
}

/** Logged and never synced: any of it may be missing after a power failure. */
async function written(segmentBytes: number, areLong: boolean): Promise<Written> {
  const files = memoryFiles({ persistent: true })
  const { log } = await openLog(files, { ...QUICK, segmentBytes })
  const units = sampleUnits([1, 4, 1, 1, 3, 2, 1, 6, 1])
  const starts = [log.end]
  for (const unit of units) {
    if (areLong && unit.length > 1) starts.push(await appendLong(log, unit))
    else {
      appendUnit(log, unit)
      starts.push(log.end)
    }
  }
  await log.settled('logged')
  return { stored: contents(files), units, starts }
}

const DAMAGES = ['the file ends there', 'zeros from there on', 'a sector of zeros', 'a torn sector'] as const

/** What is stored if the disk has lost something from the byte at `cut` of one segment on. */
function cutAt(stored: Written['stored'], name: string, cut: number, damage: (typeof DAMAGES)[number]): LogFiles {
  return diskOf(
    stored.map(([other, content]) => {
      const bytes = content.slice()
      if (other === name) return [other, damaged(bytes, cut, damage)]
      // What came later is there as a whole, or nothing of it.
      if (other > name && damage === 'zeros from there on') bytes.fill(0, SEGMENT_HEADER_BYTES)
      return [other, bytes]
    }),
  )
}

function damaged(content: Uint8Array, cut: number, damage: (typeof DAMAGES)[number]): Uint8Array {
  const bytes = content.slice()
  const sectorEnd = Math.min(bytes.length, cut - (cut % 512) + 512)
  if (damage === 'the file ends there') return bytes.subarray(0, cut)
  bytes.fill(0, cut, damage === 'zeros from there on' ? bytes.length : sectorEnd)
  if (damage === 'a torn sector') bytes.set(content.subarray(sectorEnd - 16, sectorEnd), sectorEnd - 16)
  return bytes
}

test.each(DAMAGES.flatMap((damage) => [4096, 700].map((segmentBytes) => ({ damage, segmentBytes }))))(
  'cut at every byte, groups are there whole or not at all: $damage, segments of $segmentBytes bytes',
  { timeout: 120_000 },
  async ({ damage, segmentBytes }) => {
    const all = await written(segmentBytes, false)
    expect(all.stored.length > 3).toBe(segmentBytes === 700)
    await cutEverywhere(all, segmentBytes, damage)
  },
)

test.each(DAMAGES)(
  'cut at every byte, long groups are there whole or not at all: %s',
  { timeout: 120_000 },
  async (damage) => cutEverywhere(await written(700, true), 700, damage),
)

async function cutEverywhere(all: Written, segmentBytes: number, damage: (typeof DAMAGES)[number]): Promise<void> {
  const { stored, units, starts } = all
  for (const [name, bytes] of stored) {
    const base = Number(name.slice(-10)) * POSITIONS_PER_SEGMENT
    const used = bytes.findLastIndex((byte) => byte !== 0) + 1
    // The first mark was synced when the log was opened.
    for (let cut = Math.max(SEGMENT_HEADER_BYTES, (starts[0] as number) - base); cut < used; cut++) {
      // Zeros where zeros were damage nothing.
      const left = damaged(bytes, cut, damage)
      const changed = bytes.findIndex((byte, i) => byte !== left[i])
      const lost = changed < 0 ? Number.POSITIVE_INFINITY : changed
      const whole = starts.findLastIndex((start) => start <= base + lost)
      const { log, replayed } = await openLog(cutAt(stored, name, cut, damage), { ...QUICK, segmentBytes })
      const found = replayed.map(({ text }) => text)
      const sound = units.slice(0, whole).flat()
      if (found.length !== sound.length) expect.fail(`${name} cut at ${cut}: ${found.length}, not ${sound.length}`)
      expect(found).toEqual(sound)
      expect(texts(log)).toEqual(sound)
      appendUnit(log, ['after', 'that'])
      await log.close()
    }
  }
}

/** Writes units until the disk dies. Returns how many were acknowledged for good. */
async function writeUnits(files: FaultyFiles, units: readonly Unit[], random: Random, end: string): Promise<number> {
  let acknowledged = 0
  try {
    const { log } = await openLog(files, { ...QUICK, segmentBytes: 1500 })
    for (const [i, unit] of units.entries()) {
      appendUnit(log, unit)
      if (!random.chance(0.15)) continue
      const level = random.pick(['logged', 'durable'] as const)
      await log.settled(level)
      if (level === 'durable' || end === 'kill') acknowledged = i + 1
    }
  } catch (error) {
    if (!files.crashed) throw error
  }
  return acknowledged
}

test.each(['crash', 'kill'] as const)('after a %s at any step of the disk no group is there in part', async (end) => {
  let cutGroups = 0
  for (let seed = 0; seed < 150; seed++) {
    const random = seededRandom(`groups ${end} ${seed}`)
    const files = faultyFiles({ seed })
    files.crashAtStep(random.below(40))
    const units = sampleUnits(Array.from({ length: 60 }, () => (random.chance(0.5) ? 1 : random.between(2, 12))))
    const acknowledged = await writeUnits(files, units, random, end)
    const { replayed, events, log } = await openLog(files[end](), { ...QUICK, segmentBytes: 1500 })
    const found = replayed.map(({ text }) => text)
    let count = 0
    while (units.slice(0, count).flat().length < found.length) count++
    expect(found, `seed ${seed}`).toEqual(units.slice(0, count).flat())
    expect(count).toBeGreaterThanOrEqual(acknowledged)
    const isCut = events.some((event) => event.kind === 'tail-cut' && event.records > 0)
    if (isCut && (units[count]?.length ?? 0) > 1) cutGroups++
    appendUnit(log, ['goes', 'on'])
    await log.close()
  }
  if (end === 'crash') expect(cutGroups).toBeGreaterThan(10)
})

test.each(['before', 'behind'] as const)(
  'compaction may drop members of a group %s the others, and the next opening takes what is left',
  async (dropped) => {
    const files = faultyFiles()
    const { log } = await openQuickly(files)
    const positions = log.group(() => sampleTexts(100).map((text) => append(log, text)))
    const isKept = (i: number): boolean => i % 10 === (dropped === 'before' ? 9 : 0)
    const kept = new Set(positions.filter((_, i) => isKept(i)))
    const sealed = log.segments().filter((segment) => segment.sealed)
    expect(sealed.length).toBeGreaterThan(2)
    // One of two, so that the group leads from one kind of segment into the other both ways.
    for (const { number } of sealed.filter((_, i) => i % 2 === (dropped === 'before' ? 0 : 1))) {
      await log.rewrite(number, (record) => kept.has(record.position))
    }
    const expected = texts(log)
    expect(expected.length).toBeLessThan(80)
    log.scan(0, ({ position, isGroupGoingOn }) => {
      const { rewrittenAt } = log.segments()[Math.floor(position / POSITIONS_PER_SEGMENT) - 1] ?? { rewrittenAt: 0 }
      if (rewrittenAt > 0) expect(isGroupGoingOn).toBe(false)
      return true
    })
    appendUnit(log, ['torn', 'torn'.repeat(50)])
    const { end } = log
    await log.settled('logged')
    const disk = files.kill()
    disk.edit(segmentName(Math.floor(end / POSITIONS_PER_SEGMENT)), (bytes) => {
      return bytes.fill(0, (end % POSITIONS_PER_SEGMENT) - 10)
    })
    const { replayed, log: again } = await openQuickly(disk)
    expect(replayed.map(({ text }) => text)).toEqual(expected)
    for (const { text, position } of replayed) expect(textAt(again, position)).toBe(text)
    for await (const damage of again.verify()) expect.fail(damage.reason)
    await again.close()
  },
)
