/** Told by hand: what a compaction that changes what is read would look like. */
import { expect, test } from 'vitest'
import { counter } from '../../../crdt/index.ts'
import { compactionChecker } from '../../../testing/checkers/compaction.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { At } from '../../../src/history/explanation.ts'
import { ToldRun } from '../../support/told-run.ts'

const KEYS = {
  'count:*': { strategy: counter(), retain: 'latest' },
  'whole:*': counter(),
  'brief:*': { strategy: counter(), ttlMs: 1000 },
} as const
const LATE_MS = 5_000_000_000_000

/** What one machine shows at one key: now, in the past, and folded from its log. */
interface Told {
  readonly value: number | undefined
  readonly past: number | 'gone' | undefined
  readonly folded: number | undefined
}

async function judged(before: Told, after: Told, key = 'count:0'): Promise<readonly string[]> {
  const run = new ToldRun(compactionChecker, KEYS)
  for (let i = 0; i < 4; i++) run.write('m0', key, 'increment')
  let now = before
  const getAt = (_: string, at: At): Promise<never> => {
    if ('timeMs' in at && at.timeMs > LATE_MS) return Promise.resolve(now.folded as never)
    if (now.past !== 'gone') return Promise.resolve(now.past as never)
    throw new WarpError('WARP_E_HISTORY', 'compacted')
  }
  run.answers('m0', { getAt, get: () => Promise.resolve(now.value as never) } as never)
  expect(await run.shows('m0', { [key]: before.value }).violations('quiesced')).toEqual([])
  now = after
  run.shows('m0', { [key]: after.value })
  const violations = await run.violations('compacted')
  for (const { invariant } of violations) expect(invariant).toBe('W27')
  return violations.map(({ message }) => message)
}

test('the same values, and the same past as far as it is told, are right (W27)', async () => {
  const before = { value: 4, past: 2, folded: 4 }
  expect(await judged(before, before)).toEqual([])
  expect(await judged(before, { ...before, past: 'gone' })).toEqual([])
})

test.each([
  ['value', { value: 3, past: 2, folded: 3 }, /showed 4 and shows 3/],
  ['value that is missing', { value: undefined, past: 2, folded: 4 }, /showed 4 and shows nothing/],
  ['past', { value: 4, past: 1, folded: 4 }, /was 2 at \d+ and is 1/],
  ['log', { value: 4, past: 2, folded: 3 }, /shows 4, and its log 3/],
] as const)('another %s after compaction is found (W27)', async (_, after, message) => {
  const [first] = await judged({ value: 4, past: 2, folded: 4 }, after)
  expect(first).toMatch(message)
})

test('what expires may have expired meanwhile', async () => {
  const before = { value: 4, past: 2, folded: 4 }
  expect(await judged(before, { ...before, value: undefined }, 'brief:0')).toEqual([])
})

test('a key that was forgotten may say of its past that there was nothing, but not where all is retained', async () => {
  const before = { value: undefined, past: 2, folded: undefined }
  const after = { ...before, past: undefined }
  expect(await judged(before, after)).toEqual([])
  expect(await judged(before, after, 'whole:0')).toHaveLength(1)
})
