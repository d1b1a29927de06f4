import { expect, test } from 'vitest'
import { Peer } from '../../src/replication/peers.ts'
import { SnapshotOffers } from '../../src/replication/snapshot/snapshot-offer.ts'
import { NaiveStore } from '../support/naive-store.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

interface Offered {
  readonly store: NaiveStore
  readonly offers: SnapshotOffers
  /** Indices of the chunks sent, `-1` for a refusal. */
  readonly sent: number[]
  ask(acknowledged: number, from: number, count: number, transfer?: number): void
  /** The same by another peer. */
  askElse(acknowledged: number, from: number, count: number): void
}

function offering(): Offered {
  const env = virtualEnv()
  const store = new NaiveStore(env)
  for (let i = 0; i < 40; i++) store.write(`operation ${i}`)
  const sent: number[] = []
  const offers = new SnapshotOffers(store, {
    chunkBytes: 1,
    exportsMax: 1,
    idleMs: 1000,
    env,
    failed: (_, error) => {
      throw error
    },
    send: (_, chunk) => sent.push(chunk.refused ? -1 : chunk.index) > 0,
  })
  const link = { frameBytesMax: 1e6, broadcast: () => undefined, send: () => true, close: () => Promise.resolve() }
  const [peer, other] = ['peer', 'other'].map((name) => new Peer({ index: 0, name: 'test', link }, name, 0)) as [
    Peer,
    Peer,
  ]
  const ask: Offered['ask'] = (acknowledged, from, count, transfer = 7) =>
    offers.request(peer, { transfer, acknowledged, from, count }, 0)
  const askElse: Offered['askElse'] = (acknowledged, from, count) =>
    offers.request(other, { transfer: 9, acknowledged, from, count }, 0)
  return { store, offers, sent, ask, askElse }
}

test('a request behind one that was lost is served, and the chunks between can still be had', () => {
  const { sent, ask } = offering()
  ask(0, 0, 8)
  // ask(4, 8, 4) was lost.
  ask(8, 12, 4)
  expect(sent.splice(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15])
  ask(8, 8, 4)
  expect(sent).toEqual([8, 9, 10, 11])
})

test('a late request of an earlier transfer does not end the present one', () => {
  const { sent, ask, store } = offering()
  ask(0, 0, 1, 7)
  ask(0, 0, 1, 8)
  ask(0, 0, 1, 7)
  ask(0, 1, 1, 8)
  expect(sent).toEqual([0, 0, -1, 1])
  expect([store.snapshotsTaken, store.snapshotsOpen]).toEqual([2, 1])
})

test('what has been acknowledged is gone; a late request for it is left alone', () => {
  const { sent, ask } = offering()
  ask(0, 0, 2)
  ask(2, 2, 1)
  ask(0, 0, 2)
  expect(sent).toEqual([0, 1, 2])
})

test('a transfer that is not known and does not begin is refused', () => {
  const { sent, ask, store } = offering()
  ask(3, 3, 1)
  expect([sent, store.snapshotsTaken]).toEqual([[-1], 0])
})

test('who has all chunks makes room for another one at once, and what still comes of it begins nothing', () => {
  const { sent, ask, askElse, store } = offering()
  for (const from of [0, 16, 32]) ask(from, from, 16)
  const all = sent.splice(0)
  askElse(0, 0, 1)
  ask(all.length, all.length, 1)
  askElse(0, 0, 1)
  ask(0, 0, 1)
  expect([all.at(-1), sent]).toEqual([all.length - 1, [-1, 0, -1]])
  expect([store.snapshotsTaken, store.snapshotsOpen]).toEqual([2, 1])
})
