import { expect, test } from 'vitest'
import { encode } from '../../crdt/encoding/encoding.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { ArrivedMessage, LiveQueue } from '../../src/channels/live-queue.ts'
import { refused } from '../support/refused.ts'

const publisher = parseReplicaId('a'.repeat(16))

function message(payload: unknown, channel = 'c'): ArrivedMessage {
  return new ArrivedMessage({ kind: 'message', channel, publisher, timeMs: 0 }, encode(payload))
}

function taken(queue: LiveQueue): unknown[] {
  const all: unknown[] = []
  for (let item = queue.take(); item !== undefined; item = queue.take())
    all.push(item instanceof ArrivedMessage ? item.shown().payload : item)
  return all
}

test('gaps one behind the other are one, and say what they agree on', () => {
  const queue = new LiveQueue({ pendingCountMax: 10, pendingBytesMax: 1000 })
  queue.gap('c', publisher, 2)
  queue.gap('c', publisher, 3)
  queue.push(message(1))
  queue.gap('c', publisher, 1)
  queue.gap('d', publisher, undefined)
  expect(taken(queue)).toEqual([
    { kind: 'gap', missedCount: 5, channel: 'c', publisher },
    1,
    { kind: 'gap', missedCount: undefined, publisher },
  ])
})

test('a queue that is full counts what it lets go of, with the gaps in it, and of several channels names none', () => {
  const queue = new LiveQueue({ pendingCountMax: 2, pendingBytesMax: 1000 })
  queue.push(message(1))
  queue.gap('c', publisher, 4)
  queue.push(message(2, 'd'))
  expect([queue.push(message(3)), queue.count, queue.droppedCount]).toEqual([true, 1, 2])
  expect(taken(queue)).toEqual([{ kind: 'gap', missedCount: 6 }, 3])
})

test('bytes that are no payload are refused where they are looked at', () => {
  const broken = new ArrivedMessage({ kind: 'message', channel: 'c', publisher, timeMs: 0 }, Uint8Array.of(0xc1))
  expect(refused(() => broken.shown())).toMatchObject({ code: 'WARP_E_PROTOCOL' })
})
