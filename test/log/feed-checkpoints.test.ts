/** Checkpoints of several names that are written as one. */
import { expect, test } from 'vitest'
import { register } from '../../crdt/register.ts'
import { FeedCheckpoints, type NewCheckpoint } from '../../src/log/feed/feed-checkpoints.ts'
import { RECORD_BODY_BYTES_MAX } from '../../src/log/segments/segment-format.ts'
import { openEngine } from '../support/open-engine.ts'

function checkpoint(name: string, ...bytes: number[]): NewCheckpoint {
  return { name, version: '1', mark: '', state: Uint8Array.from(bytes) }
}

test('of which one cannot be written are all what they were, also in a group of records', async () => {
  const { log } = (await openEngine({ 'k:*': register<number>() })).engine
  const feeds = new FeedCheckpoints()
  feeds.writeAll(log, [checkpoint('a', 1), checkpoint('b', 1)])
  const before = feeds.list()
  const large = { ...checkpoint('b'), state: new Uint8Array(RECORD_BODY_BYTES_MAX + 1) }
  expect(() => log.group(() => feeds.writeAll(log, [checkpoint('a', 2), checkpoint('c', 2), large]))).toThrow(
    expect.objectContaining({ code: 'WARP_E_LIMIT' }),
  )
  expect(feeds.list()).toEqual(before)
  expect(feeds.find(log, 'a')?.state).toEqual(Uint8Array.from([1]))
  log.group(() => feeds.writeAll(log, [checkpoint('a', 3), checkpoint('c', 3)]))
  expect(['a', 'b', 'c'].map((name) => feeds.find(log, name)?.state[0])).toEqual([3, 1, 3])
  for (const { position } of before) expect(feeds.isLive(position)).toBe(position === before[1]!.position)
})
