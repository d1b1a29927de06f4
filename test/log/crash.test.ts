/**
 * Power failures, dead processes and failing disks, at every step that changes the disk: what was acknowledged is there afterwards,
 * what is there is a prefix of what was appended, and compaction loses nothing that lives.
 */
import { expect, test } from 'vitest'
import type { Env } from '../../src/ports/env.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import type { Log } from '../../src/log/log.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { byExtent } from '../support/extent.ts'
import { append, openLog, textAt, texts } from './log-fixture.ts'

const env: Env = { ...virtualEnv(), yield: () => Promise.resolve(), defer: queueMicrotask }
const SEEDS = byExtent({ some: 30, all: 60, soak: 5000 })
const OPTIONS = { env, segmentBytes: 4096 }

/** What the writer of a log knows about it. */
interface Written {
  readonly texts: string[]
  readonly positions: number[]
  logged: number
  durable: number
  /** Of the records before this only those live whose number is a multiple of five, */
  deadBefore: number
  /** and before this none. */
  goneBefore: number
}

/** Appends, asks for both levels, compacts and saves checkpoints until the disk stops it. */
async function work(files: LogFiles, written: Written, random: Random): Promise<void> {
  const { log, replayed, restored } = await openLog(files, OPTIONS)
  expectSame(written, restored, replayed, log)
  for (let i = 0; i < 60; i++) {
    const text = `record ${written.texts.length} `.padEnd(random.between(12, 400), '.')
    const position = append(log, text)
    written.texts.push(text)
    written.positions.push(position)
    if (random.chance(0.2)) await settle(log, written, random.pick(['logged', 'durable']))
    if (random.chance(0.08)) await log.writeCheckpoint(new TextEncoder().encode(String(written.texts.length)))
    if (random.chance(0.05)) await compact(log, written)
  }
  await log.close()
  written.logged = written.durable = written.texts.length
}

async function settle(log: Log, written: Written, level: 'logged' | 'durable'): Promise<void> {
  const count = written.texts.length
  await log.settled(level)
  written.logged = Math.max(written.logged, count)
  if (level === 'durable') written.durable = Math.max(written.durable, count)
}

async function compact(log: Log, written: Written): Promise<void> {
  written.deadBefore = written.texts.length
  written.goneBefore = Math.max(written.goneBefore, written.texts.length - 60)
  const live = new Set(written.positions.filter((_, i) => isLive(written, i)))
  for (const { number, sealed } of log.segments().slice(0, 3)) {
    if (sealed) await log.rewrite(number, (record) => live.has(record.position))
  }
}

function isLive(written: Written, i: number): boolean {
  return i >= written.deadBefore || (i % 5 === 0 && i >= written.goneBefore)
}

/** Compares what was opened with what is known, and takes over what was found: unacknowledged records may be gone. */
function expectSame(
  written: Written,
  restored: Uint8Array | undefined,
  replayed: readonly { text: string; position: number }[],
  log: Log,
): void {
  const covered = restored === undefined ? 0 : Number(new TextDecoder().decode(restored))
  const numberOf = new Map(written.positions.map((position, i) => [position, i]))
  const numbers = replayed.map(({ position }) => numberOf.get(position) ?? -1)
  for (const [i, { text }] of replayed.entries()) expect(text).toBe(written.texts[numbers[i] ?? -1])
  // Acknowledged records that compaction dropped from the end do not make the log shorter.
  let count = Math.max(covered, (numbers.at(-1) ?? -1) + 1)
  while (count < written.texts.length && !isLive(written, count)) count++
  const present = new Set(numbers)
  for (let i = covered; i < count; i++) {
    if (!present.has(i)) expect(isLive(written, i), `record ${i} of ${count} is missing`).toBe(false)
  }
  written.texts.length = written.positions.length = count
  const all = texts(log)
  for (const [i, position] of written.positions.entries()) {
    if (!isLive(written, i)) continue
    expect(textAt(log, position)).toBe(written.texts[i])
    expect(all).toContain(written.texts[i])
  }
}

function fresh(): Written {
  return { texts: [], positions: [], logged: 0, durable: 0, deadBefore: 0, goneBefore: 0 }
}

/** The first `lives` lives of a log, each ended by the disk at some step. */
async function live(seed: number, end: 'crash' | 'kill'): Promise<FaultyFiles> {
  const random = seededRandom(`${end} ${seed}`)
  const written = fresh()
  let files = faultyFiles({ seed })
  for (let life = 0; life < 6; life++) {
    files.crashAtStep(random.below(80))
    const kept = life === 0 ? fresh() : written
    Object.assign(written, kept)
    try {
      await work(files, written, random)
    } catch (error) {
      if (!files.crashed) throw error
    }
    const acknowledged = end === 'crash' ? written.durable : written.logged
    files = files.crashed ? files[end]() : files.kill()
    const { log, restored, replayed } = await openLog(files, OPTIONS)
    expectSame(written, restored, replayed, log)
    expect(written.texts.length).toBeGreaterThanOrEqual(acknowledged)
    written.logged = written.durable = written.texts.length
    files = files.kill()
  }
  return files
}

test.each(['crash', 'kill'] as const)(
  'after a %s at any step of the disk everything acknowledged is there',
  { timeout: 120_000 },
  async (end) => {
    for (let seed = 0; seed < SEEDS; seed++) {
      try {
        await live(seed, end)
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : 'failed'}`, { cause: error })
      }
    }
  },
)
