/** Messages of channels on their way out: over which transports, and to whom. */
import { expect, test } from 'vitest'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import type { ReplicationEvent } from '../../src/replication/events.ts'
import { MessageTalk, type MessageTalkParts } from '../../src/replication/messages/message-talk.ts'
import { type Link, type Peer, Peers } from '../../src/replication/peers.ts'
import { FrameEncoder } from '../../src/replication/wire/frame-encoder.ts'
import type { Hello } from '../../src/replication/wire/frames.ts'

const MESSAGE = { channel: 'c', stream: 1, number: 1, timeMs: 0, bytes: new Uint8Array(100) }
const SAID: Hello = {
  ...{ asks: false, isPersistent: false, highest: 2, written: 2, name: '', zone: '', region: '', relayed: [] },
  ...{ readsChanges: true, readsConfirmations: true, readsLeases: true },
  ...{ answersLoads: true, tellsCopies: true, readsMessages: true, carriesNothing: false },
}

function world() {
  const peers = new Peers(() => undefined)
  const links = [256, 64].map((frameBytesMax, index) => ({ index, name: `t${index}`, link: { frameBytesMax } }))
  const [sent, events]: [string[], ReplicationEvent[]] = [[], []]
  const self = parseReplicaId('a'.repeat(16))
  const post = {
    ...{ links, encoder: new FrameEncoder(new ReplicaTable(), () => ({ replica: self, session: 1 })) },
    broadcastOver: (via: Link, frame: Uint8Array) => sent.push(`${via.name} to all: kind ${frame[1]}`),
    send: (peer: Peer, frame: Uint8Array) => sent.push(`${peer.via.name} to ${peer.address}: kind ${frame[1]}`) > 0,
  } as unknown as MessageTalkParts['post']
  const meet = (address: string, hello?: Hello): Peer => {
    const peer = peers.add(links[0] as unknown as Link, address, 0)
    peer.isUp = true
    peer.hello = hello
    return peer
  }
  const talk = new MessageTalk({ post, peers, observe: (event) => events.push(event) })
  return { talk, meet, sent, events }
}

test('a message is broadcast where it fits, and it is said where it does not', () => {
  const { talk, meet, sent, events } = world()
  meet('b', SAID)
  meet('new')
  talk.tell(MESSAGE)
  expect(sent).toEqual(['t0 to all: kind 21'])
  expect(events).toEqual([{ kind: 'message:oversize', transport: 't1', channel: 'c', bytes: 120 }])
})

test('a peer that has said that it reads no messages is left out', () => {
  const { talk, meet, sent } = world()
  meet('b', SAID)
  meet('old', { ...SAID, readsMessages: false })
  meet('new')
  talk.tell(MESSAGE)
  expect(sent).toEqual(['t0 to b: kind 21', 't0 to new: kind 21'])
})

test('who comes up is told the last numbers, if there are any', () => {
  const { talk, meet, sent } = world()
  const heads = [{ channel: 'c', stream: 1, number: 4, agoMs: 3 }]
  talk.met(meet('b', SAID))
  talk.connect({ message: () => undefined, head: () => undefined, heads: () => [], lastHeads: () => heads })
  talk.met(meet('old', { ...SAID, readsMessages: false }))
  talk.beat()
  expect(sent).toEqual([])
  talk.met(meet('c', SAID))
  expect(sent).toEqual(['t0 to c: kind 22'])
})
