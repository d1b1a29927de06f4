import { expect, test } from 'vitest'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { ReplicationEvent } from '../../src/replication/events.ts'
import type { SnapshotChunk, SnapshotRequest } from '../../src/replication/wire/frames.ts'
import { replicationSettings } from '../../src/replication/options.ts'
import { Peer } from '../../src/replication/peers.ts'
import { SnapshotFetch } from '../../src/replication/snapshot/snapshot-fetch.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { NaiveStore } from '../support/naive-store.ts'

/** A fetch that has asked a peer for its snapshot, of which the test hands in the chunks: one operation each. */
function fetching() {
  const env = virtualEnv()
  const [store, sender] = [new NaiveStore(env), new NaiveStore(env)]
  for (const text of ['a', 'b', 'c']) sender.write(text)
  const [events, requests]: [ReplicationEvent[], SnapshotRequest[]] = [[], []]
  const fetch = new SnapshotFetch(
    {
      ...{ store, env, settings: replicationSettings(undefined), onEnd: () => undefined },
      observe: (event) => events.push(event),
      request: (_, request) => requests.push(request),
    },
    0,
  )
  const link = { frameBytesMax: 1e6, broadcast: () => undefined, send: () => true, close: () => Promise.resolve() }
  const peer = new Peer({ index: 0, name: 'test', link }, 'peer', 0)
  peer.heard({ replica: sender.replica, session: 1 }, 0)
  fetch.require(peer)
  const lines = sender.texts().map((text, i) => JSON.stringify({ replica: sender.replica, sequence: i + 1, text }))
  const chunk = (index: number, offer: number): void => {
    const vector = index === 0 ? VersionVector.from(sender.applied.entries()) : undefined
    const bytes = new TextEncoder().encode(`${lines[index]}\n`)
    const parts: SnapshotChunk = {
      transfer: requests[0]?.transfer ?? 0,
      offer,
      index,
      vector,
      bytes,
      last: index === 2,
      refused: false,
    }
    fetch.chunk(peer, parts)
  }
  return {
    ...{ env, store, sender, events, requests, link, peer, fetch, chunk },
    kinds: () => events.map(({ kind }) => kind),
  }
}

test('chunks are taken in in their order, whatever order they come in', () => {
  const { store, chunk, kinds } = fetching()
  for (const index of [2, 0, 1, 1]) chunk(index, 1)
  expect([store.texts(), kinds()]).toEqual([
    ['a', 'b', 'c'],
    ['resync:required', 'resync:done'],
  ])
})

// Soak seed 1795389466229: the peer had given us up and made another snapshot; chunks of the first one came later, and operations were missing.
test('a chunk of an earlier snapshot of the peer is no part of the present one', () => {
  const { store, fetch, chunk, kinds } = fetching()
  chunk(0, 2)
  chunk(1, 1)
  chunk(2, 1)
  expect([store.texts(), fetch.isUnderWay]).toEqual([[], true])
  chunk(1, 2)
  chunk(2, 2)
  expect([store.texts(), kinds()]).toEqual([
    ['a', 'b', 'c'],
    ['resync:required', 'resync:done'],
  ])
})

test('a chunk of a later snapshot ends the transfer: what has come of the earlier one is no part of it', () => {
  const { store, fetch, chunk, kinds } = fetching()
  chunk(1, 1)
  chunk(0, 2)
  expect([store.texts(), fetch.isUnderWay, kinds()]).toEqual([[], false, ['resync:required', 'resync:failed']])
})

// Soak seed 1795396834638: the log of the receiver was damaged, and nobody who read the report could know.
test('what kept a snapshot from being taken in is said, with what can be done about it', () => {
  const { store, events, chunk } = fetching()
  const cause = new WarpError('WARP_E_LOG_CORRUPT', 'the record is damaged; restore it from a backup')
  store.beginSnapshot = () => {
    throw cause
  }
  chunk(0, 1)
  expect(events.at(-1)).toMatchObject({
    kind: 'resync:failed',
    error: { cause, message: expect.stringContaining('the record is damaged; restore it from a backup') as string },
  })
})

test('the peer is told when all chunks are here, so that it need not keep them', () => {
  const { chunk, requests } = fetching()
  for (const index of [0, 1, 2]) chunk(index, 1)
  expect(requests.at(-1)).toMatchObject({ acknowledged: 3, from: 3, count: 1 })
})

test('a peer that has others to serve is left alone for a while, and another one is asked at once', async () => {
  const { env, fetch, peer, sender, requests, link } = fetching()
  const other = new Peer({ index: 0, name: 'test', link }, 'other', 0)
  other.heard({ replica: sender.replica, session: 2 }, 0)
  const refuse = (from: Peer): void => {
    const none = { offer: 0, index: 0, last: false, refused: true, vector: undefined, bytes: new Uint8Array(0) }
    fetch.chunk(from, { transfer: requests.at(-1)?.transfer ?? 0, ...none })
  }
  refuse(peer)
  fetch.require(peer)
  expect(requests.length).toBe(1)
  fetch.require(other)
  expect(requests.length).toBe(2)
  refuse(other)
  await env.advance(500)
  fetch.require(peer)
  expect(requests.length).toBe(3)
})
