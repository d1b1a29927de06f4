/** Questions for loads: who is asked, and what becomes of a question. */
import { expect, test } from 'vitest'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { LoadTalk, type LoadTalkParts } from '../../src/replication/loads/load-talk.ts'
import { type Link, type Peer, Peers } from '../../src/replication/peers.ts'
import { FrameDecoder } from '../../src/replication/wire/frame-decoder.ts'
import { FrameEncoder } from '../../src/replication/wire/frame-encoder.ts'
import type { Frame, Hello } from '../../src/replication/wire/frames.ts'

const [SELF, B, C] = ['a0', 'b0', 'c0'].map((digits) => parseReplicaId(`00000000000000${digits}`)) as [
  ReturnType<typeof parseReplicaId>,
  ReturnType<typeof parseReplicaId>,
  ReturnType<typeof parseReplicaId>,
]
const HELLO: Hello = {
  ...{ asks: false, isPersistent: false, highest: 2, written: 2, name: '', zone: '', region: '', relayed: [] },
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

function talk(): { talk: LoadTalk; b: Peer; c: Peer; sent: [Peer, Frame][] } {
  const peers = new Peers(() => undefined)
  const via = { index: 0, name: 'test', link: {} } as unknown as Link
  const [b, c] = [B, C].map((replica) => {
    const peer = peers.add(via, replica, 0)
    peer.sender = { replica, session: 1 }
    peer.isUp = true
    peer.hello = HELLO
    return peer
  }) as [Peer, Peer]
  const sent: [Peer, Frame][] = []
  const encoder = new FrameEncoder(new ReplicaTable(), () => ({ replica: SELF, session: 1 }))
  const decoder = new FrameDecoder()
  const send = (peer: Peer, frame: Uint8Array): boolean => sent.push([peer, decoder.decode(frame.slice())]) > 0
  const post = { encoder, send } as unknown as LoadTalkParts['post']
  return { talk: new LoadTalk({ post, peers }), b, c, sent }
}

const need = VersionVector.from([
  [B, 5],
  [C, 7],
])
const asked = { key: 'k', need, isSecond: false }

test('a replica of an earlier build, which does not know the question, is not asked', () => {
  const { talk: loads, c } = talk()
  c.hello = { ...HELLO, answersLoads: false }
  expect([...loads.answerers()]).toEqual([B])
  const heard: string[] = []
  loads.ask(C, asked, ({ kind }) => heard.push(kind))
  expect(heard).toEqual(['gone'])
})

test('a question says what the other one is not known to have', () => {
  const { talk: loads, b, sent } = talk()
  b.has.raise(B, 5)
  loads.ask(B, asked, () => undefined)
  const [[, frame]] = sent as [[Peer, Frame]]
  expect(frame.kind === 'load-request' && [...frame.need.entries()]).toEqual([[C, 7]])
})

test('an answer is that of who was asked, and the last one ends the question', () => {
  const { talk: loads, b, c, sent } = talk()
  const heard: string[] = []
  loads.ask(B, asked, ({ kind }) => heard.push(kind))
  const { number } = sent[0]![1] as Extract<Frame, { kind: 'load-request' }>
  loads.fill(c, { number, answer: { kind: 'cannot' } })
  loads.fill(b, { number: number + 1, answer: { kind: 'cannot' } })
  loads.fill(b, { number, answer: { kind: 'working' } })
  loads.fill(b, { number, answer: { kind: 'cannot' } })
  loads.fill(b, { number, answer: { kind: 'cannot' } })
  expect(heard).toEqual(['working', 'cannot'])
})

test('who waits for a peer that goes is told', () => {
  const { talk: loads, b, c } = talk()
  const heard: string[] = []
  loads.ask(B, asked, ({ kind }) => heard.push(kind))
  loads.forget(c)
  loads.forget(b)
  loads.forget(b)
  expect(heard).toEqual(['gone'])
})

test('who has nothing that loads says so', () => {
  const { talk: loads, b, sent } = talk()
  loads.request(b, { number: 3, ...asked })
  expect(sent.map(([peer, frame]) => [peer, frame.kind, frame.kind === 'load-fill' && frame.answer.kind])).toEqual([
    [b, 'load-fill', 'cannot'],
  ])
})
