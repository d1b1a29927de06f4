/** Damaged bytes: a log opens to a prefix of what was written, or says what is damaged. Never a wrong record, never a hole. */
import { beforeAll, expect, test } from 'vitest'
import type { Env } from '../../src/ports/env.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { Log } from '../../src/log/log.ts'
import { type MemoryFiles, memoryFiles } from '../../src/log/files/memory-files.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/log/segments/segment-format.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { byExtent } from '../support/extent.ts'
import { openLog } from './log-fixture.ts'

const LAST_BYTES = 65_536
/** Cuts are so far from each other; no divisor of what is in a log, so that they fall anywhere in its records. */
const CUT_EVERY = byExtent({ some: 11, all: 1, soak: 1 })
const FLIPS = byExtent({ some: 4096, all: 32_768, soak: 32_768 })

/** Nothing waits for a turn of the event loop: opening a hundred thousand logs takes seconds. */
const env: Env = { ...virtualEnv(), yield: () => Promise.resolve(), defer: queueMicrotask }

interface Written {
  readonly bodies: Uint8Array[]
  /** The folder before each new segment, and at the end: as it was when the last segment was being written. */
  readonly stages: Stage[]
  readonly closed: MemoryFiles
}

interface Stage {
  readonly files: MemoryFiles
  /** The segment that was being written, and where its records end. */
  readonly name: string
  readonly end: number
  readonly count: number
}

const SEGMENT_BYTES = 8192

/** A log of `bytes` bytes, flushed and synced in many groups, with a checkpoint here and there. */
async function write(name: string, bytes: number, saveAt: number): Promise<Written> {
  const random = seededRandom(name)
  const bodies: Uint8Array[] = []
  const stages: Stage[] = []
  const files = memoryFiles({ persistent: true, bootId: 'boot' })
  const { log } = await openLog(files, { env, segmentBytes: SEGMENT_BYTES })
  let before = stage(files, log, bodies)
  const keep = (next: Stage): void => {
    if (next.name !== before.name) stages.push(before)
    before = next
  }
  while (log.stats().bytes < bytes) {
    const body = random.bytes(random.between(1, 600))
    bodies.push(body)
    log.begin().raw(body)
    log.commit(1, 0)
    await log.settled(random.chance(0.1) ? 'durable' : 'logged')
    keep(stage(files, log, bodies))
    if (random.chance(saveAt)) await log.writeCheckpoint(Uint8Array.of(bodies.length >> 8, bodies.length))
  }
  await log.settled('durable')
  stages.push(stage(files, log, bodies))
  await log.close()
  return { bodies, stages, closed: files }
}

function stage(files: MemoryFiles, log: Log, bodies: Uint8Array[]): Stage {
  const { number, bytes } = log.segments().at(-1) ?? { number: 0, bytes: 0 }
  return { files: files.copy(), name: `segment-${String(number).padStart(10, '0')}`, end: bytes, count: bodies.length }
}

let large: Written
let small: Written

beforeAll(async () => {
  large = await write('large', LAST_BYTES + 2 * SEGMENT_BYTES, 0.04)
  small = await write('small', 2.5 * SEGMENT_BYTES, 0)
})

type Outcome = 'whole' | 'prefix' | 'refused'

/** Opens the log and says how that went. Throws if a record is wrong, or missing in front of another one. */
async function outcome({ bodies }: Written, files: MemoryFiles, whole: number): Promise<Outcome> {
  let count = 0
  const restore = (saved: Uint8Array): void => void (count = ((saved[0] ?? 0) << 8) | (saved[1] ?? 0))
  let wrong = 0
  const record = ({ bytes, start, end: stop }: { bytes: Uint8Array; start: number; end: number }): void => {
    const body = bodies[count++]
    if (body?.length !== stop - start) wrong++
    else for (let i = 0; i < body.length; i++) if (body[i] !== bytes[start + i]) wrong++
  }
  try {
    await Log.open({ files, env, segmentBytes: SEGMENT_BYTES }, { restore, record })
  } catch (error) {
    if (isWarpError(error, 'WARP_E_LOG_CORRUPT') && /segment-\d{10}/.test(error.message)) return 'refused'
    throw error
  } finally {
    if (wrong > 0) expect.fail(`record ${count} is wrong`)
  }
  return count === whole ? 'whole' : 'prefix'
}

test('cut anywhere in its last 64 KiB, the log is a prefix of itself', { timeout: 300_000 }, async () => {
  const counts = { whole: 0, prefix: 0, refused: 0 }
  let left = LAST_BYTES
  for (const { files, name, end, count } of large.stages.reverse()) {
    // A segment is not written to before its header is durable.
    for (let size = end - 1; size >= SEGMENT_HEADER_BYTES && left > 0; size -= CUT_EVERY, left -= CUT_EVERY) {
      const copy = files.copy()
      copy.open(name).truncate(size)
      counts[await outcome(large, copy, count)]++
    }
  }
  expect(left).toBeLessThanOrEqual(0)
  // What a checkpoint covers is durable, and a log that ends in front of it is damaged; a mark may be cut off the end.
  expect(counts.refused).toBeGreaterThan(0)
  expect(counts.prefix).toBeGreaterThan(LAST_BYTES / CUT_EVERY / 2)
  expect(counts.whole).toBeLessThan(LAST_BYTES / CUT_EVERY / 50)
})

test('without a checkpoint no cut is refused', { timeout: 300_000 }, async () => {
  const counts = { whole: 0, prefix: 0, refused: 0 }
  for (const { files, name, end, count } of small.stages.slice(-1)) {
    for (let size = end - 1; size >= SEGMENT_HEADER_BYTES; size--) {
      const copy = files.copy()
      copy.open(name).truncate(size)
      counts[await outcome(small, copy, count)]++
    }
  }
  expect(counts.refused).toBe(0)
  expect(counts.prefix).toBeGreaterThan(SEGMENT_BYTES / 4)
})

test.each([
  { state: 'closed', flips: FLIPS / 2 },
  { state: 'killed', flips: FLIPS / 2 },
] as const)(
  'with $flips random bits of a $state log flipped, one at a time, it is a prefix of itself or says what is damaged',
  { timeout: 300_000 },
  async ({ state, flips }) => {
    const random = seededRandom(`flips ${state}`)
    const log = state === 'closed' ? small.closed : (small.stages.at(-1)?.files ?? small.closed)
    const counts = { whole: 0, prefix: 0, refused: 0 }
    for (let i = 0; i < flips; i++) {
      const files = log.copy()
      const bytes = files.bytes(random.pick(log.list()))
      const at = random.below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      counts[await outcome(small, files, small.bodies.length)]++
    }
    // What a mark behind it calls durable is refused; what was synced last has no mark behind it unless the log was closed.
    expect(counts.refused).toBeGreaterThan(flips / 4)
    if (state === 'closed') expect(counts.prefix).toBe(0)
    else expect(counts.prefix).toBeGreaterThan(0)
  },
)
