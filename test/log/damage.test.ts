/** Damaged bytes: a log opens to a prefix of what was written, or says what is damaged. Never a wrong record, never a hole. */
import { beforeAll, expect, test } from 'vitest'
import type { Env } from '../../src/env.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { Log } from '../../src/log/log.ts'
import { type MemoryFiles, memoryFiles } from '../../src/log/memory-files.ts'
import { seededRandom } from '../support/random.ts'
import { virtualEnv } from '../support/virtual-env.ts'
import { openLog } from './log-fixture.ts'

const LAST_BYTES = 65_536
const FLIPS = 32_768

/** Nothing waits for a turn of the event loop: opening a hundred thousand logs takes seconds. */
const env: Env = { ...virtualEnv(), yield: () => Promise.resolve(), defer: queueMicrotask }

interface Written {
  readonly bodies: Uint8Array[]
  readonly segmentBytes: number
  /** As after the death of the process, everything flushed. */
  readonly killed: MemoryFiles
  readonly closed: MemoryFiles
  readonly end: number
}

/** A log that ends behind `end`, flushed and synced in many groups, with a checkpoint on the way if there is more than one segment. */
async function write(name: string, segmentBytes: number, end: number): Promise<Written> {
  const random = seededRandom(name)
  const bodies: Uint8Array[] = []
  const files = memoryFiles({ persistent: true, bootId: 'boot' })
  const { log } = await openLog(files, { env, segmentBytes })
  while (log.end < end) {
    const body = random.bytes(random.between(1, 800))
    bodies.push(body)
    log.begin().raw(body)
    log.commit(1, 0)
    if (random.chance(0.3)) await log.settled(random.pick(['logged', 'durable']))
  }
  await log.settled('durable')
  const killed = files.copy()
  const written = { bodies, segmentBytes, killed, closed: files, end: log.end % SEGMENT }
  await log.close()
  return written
}

const SEGMENT = 2 ** 32
let large: Written
let small: Written

beforeAll(async () => {
  large = await write('large', 98_304, SEGMENT + LAST_BYTES + 512)
  small = await write('small', 4096, 3 * SEGMENT + 2000)
})

type Outcome = 'whole' | 'prefix' | 'refused'

/** Opens the log and says how that went. Throws if a record is wrong, or missing in front of another one. */
async function outcome({ bodies, segmentBytes }: Written, files: MemoryFiles): Promise<Outcome> {
  let count = 0
  let wrong = 0
  const record = ({ bytes, start, end: stop }: { bytes: Uint8Array; start: number; end: number }): void => {
    const body = bodies[count++]
    if (body?.length !== stop - start) wrong++
    else for (let i = 0; i < body.length; i++) if (body[i] !== bytes[start + i]) wrong++
  }
  try {
    await Log.open({ files, env, segmentBytes }, { restore: () => undefined, record })
  } catch (error) {
    if (isWarpError(error, 'WARP_E_LOG_CORRUPT') && /segment-\d{10}/.test(error.message)) return 'refused'
    throw error
  } finally {
    if (wrong > 0) expect.fail(`record ${count} is wrong`)
  }
  return count === bodies.length ? 'whole' : 'prefix'
}

test('cut at any byte of its last 64 KiB, the log is a prefix of itself', { timeout: 300_000 }, async () => {
  const counts = { whole: 0, prefix: 0, refused: 0 }
  for (let size = large.end; size > large.end - LAST_BYTES; size--) {
    const files = large.killed.copy()
    files.open('segment-0000000001').truncate(size)
    counts[await outcome(large, files)]++
  }
  // Without the mark at the very end the log is still whole.
  expect(counts.whole).toBeLessThan(100)
  expect(counts).toEqual({ whole: counts.whole, prefix: LAST_BYTES - counts.whole, refused: 0 })
})

test.each([
  { state: 'closed', flips: FLIPS / 2 },
  { state: 'killed', flips: FLIPS / 2 },
] as const)(
  'with $flips random bits of a $state log flipped, one at a time, it is a prefix of itself or says what is damaged',
  { timeout: 300_000 },
  async ({ state, flips }) => {
    const random = seededRandom(`flips ${state}`)
    const log = small[state]
    const counts = { whole: 0, prefix: 0, refused: 0 }
    for (let i = 0; i < flips; i++) {
      const files = log.copy()
      const bytes = files.bytes(random.pick(log.list()))
      const at = random.below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      counts[await outcome(small, files)]++
    }
    // What a mark behind it calls durable is refused; what was synced last has no mark behind it unless the log was closed.
    expect(counts.refused).toBeGreaterThan(flips / 4)
    if (state === 'closed') expect(counts.prefix).toBe(0)
    else expect(counts.prefix).toBeGreaterThan(0)
  },
)
