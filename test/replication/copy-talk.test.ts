/** Questions for copies: who is asked, and what becomes of a question. */
import { expect, test } from 'vitest'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { CopyTalk, type CopyTalkParts } from '../../src/replication/loads/copy-talk.ts'
import { type Link, type Peer, Peers } from '../../src/replication/peers.ts'
import { FrameDecoder } from '../../src/replication/wire/frame-decoder.ts'
import { FrameEncoder } from '../../src/replication/wire/frame-encoder.ts'
import type { Frame, Hello } from '../../src/replication/wire/frames.ts'

const [SELF, B, C] = ['a0', 'b0', 'c0'].map((digits) => parseReplicaId(`00000000000000${digits}`)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
]
const HELLO: Hello = {
  ...{ asks: false, isPersistent: false, highest: 2, written: 2, name: 'bee', zone: '', region: '', relayed: [] },
  ...{
    readsChanges: true,
    readsConfirmations: true,
    readsLeases: true,
    answersLoads: true,
    tellsCopies: true,
    readsMessages: true,
    carriesNothing: false,
  },
}

function talk(): { copies: CopyTalk; peers: Peers; via: Link; b: Peer; c: Peer; sent: [Peer, Frame][] } {
  const peers = new Peers(() => undefined)
  const via = { index: 0, name: 'test', link: {} } as unknown as Link
  const [b, c] = [B, C].map((replica) => met(peers, via, replica)) as [Peer, Peer]
  const sent: [Peer, Frame][] = []
  const encoder = new FrameEncoder(new ReplicaTable(), () => ({ replica: SELF, session: 1 }))
  const decoder = new FrameDecoder()
  const send = (peer: Peer, frame: Uint8Array): boolean => sent.push([peer, decoder.decode(frame.slice())]) > 0
  const post = { encoder, send } as unknown as CopyTalkParts['post']
  return { copies: new CopyTalk({ post, peers, progress: () => ({ phase: 'caught-up' }) }), peers, via, b, c, sent }
}

function met(peers: Peers, via: Link, replica: ReplicaId): Peer {
  const peer = peers.add(via, `${via.index} ${replica}`, 0)
  peer.sender = { replica, session: 1 }
  peer.isUp = true
  peer.hello = HELLO
  return peer
}

const WANTED = { kind: 'keys', pattern: 'k:*', from: 0 } as const

test('a replica of an earlier build is listed as one that does not tell, and not asked', () => {
  const { copies, c, sent } = talk()
  c.hello = { ...HELLO, tellsCopies: false }
  expect(copies.peers()).toEqual([
    { replica: B, name: 'bee', tells: true },
    { replica: C, name: 'bee', tells: false },
  ])
  const heard: string[] = []
  copies.ask(C, WANTED, ({ kind }) => heard.push(kind))
  expect([heard, sent]).toEqual([['gone'], []])
})

test('one that has not said who it is has not been met; one that is down is not there', () => {
  const { copies, b, c } = talk()
  expect(copies.hasMetThem).toBe(true)
  c.hello = undefined
  expect(copies.hasMetThem).toBe(false)
  c.isUp = false
  expect(copies.hasMetThem).toBe(true)
  b.isRefused = true
  expect(copies.peers()).toEqual([])
})

test('one that is there over two transports is one, and is asked where it tells', () => {
  const { copies, peers, c, sent } = talk()
  c.hello = undefined
  const other = met(peers, { index: 1, name: 'other', link: {} } as unknown as Link, C)
  expect(copies.peers()).toEqual([
    { replica: B, name: 'bee', tells: true },
    { replica: C, name: 'bee', tells: true },
  ])
  copies.ask(C, WANTED, () => undefined)
  expect(sent.map(([peer, { kind }]) => [peer, kind])).toEqual([[other, 'holdings-wanted']])
})

test('an answer is that of who was asked, and is heard once', () => {
  const { copies, b, c, sent } = talk()
  const heard: string[] = []
  copies.ask(B, WANTED, ({ kind }) => heard.push(kind))
  const { number } = sent[0]![1] as Extract<Frame, { kind: 'holdings-wanted' }>
  copies.told(c, { number, told: { kind: 'cannot' } })
  copies.told(b, { number: number + 1, told: { kind: 'cannot' } })
  expect(heard).toEqual([])
  copies.told(b, { number, told: { kind: 'keys', keys: [], next: 0 } })
  copies.told(b, { number, told: { kind: 'cannot' } })
  expect(heard).toEqual(['keys'])
})

test('who waits for a peer that goes is told, and who has stopped waiting is not', () => {
  const { copies, b, c } = talk()
  const heard: string[] = []
  copies.ask(B, WANTED, ({ kind }) => heard.push(`b ${kind}`))
  copies.ask(C, WANTED, ({ kind }) => heard.push(`c ${kind}`))()
  copies.forget(c)
  copies.forget(b)
  copies.forget(b)
  expect(heard).toEqual(['b gone'])
})

test('who has nothing that loads says so, and who has answers', () => {
  const { copies, b, sent } = talk()
  copies.wanted(b, { number: 3, wanted: WANTED })
  copies.connect({ told: () => ({ kind: 'keys', keys: ['k:1'], next: 9 }) })
  copies.wanted(b, { number: 4, wanted: WANTED })
  expect(sent.map(([, frame]) => frame)).toMatchObject([
    { kind: 'holdings-told', number: 3, told: { kind: 'cannot' } },
    { kind: 'holdings-told', number: 4, told: { kind: 'keys', keys: ['k:1'], next: 9 } },
  ])
})
