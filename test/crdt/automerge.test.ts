import * as Automerge from '@automerge/automerge'
import { expect, test } from 'vitest'
import { REPLICA_IDS, ReferenceReplica } from '../../testing/laws/reference-replica.ts'
import { automerge } from '../../crdt/documents/automerge.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'

interface Board {
  title?: string
  cards?: string[]
}

const [ANN, BOB] = REPLICA_IDS as [ReplicaId, ReplicaId]

function open(id: ReplicaId = ANN): ReferenceReplica {
  return new ReferenceReplica(automerge<Board>(), id)
}

const setTitle =
  (title: string) =>
  (draft: Board): void => {
    draft.title = title
  }

test('concurrent changes of one list are both kept', () => {
  const ann = open()
  const bob = open(BOB)
  ann.write('change', [(draft: Board) => void (draft.cards = ['one'])])
  bob.deliverAll([...ann.operations.values()])
  ann.write('change', [(draft: Board) => draft.cards?.push('two')])
  bob.write('change', [(draft: Board) => draft.cards?.unshift('zero')])
  bob.deliverAll([...ann.operations.values()])
  ann.deliverAll([...bob.operations.values()])
  expect(ann.value).toEqual({ cards: ['zero', 'one', 'two'] })
  expect(bob.value).toEqual(ann.value)
})

test('a change is one operation, written by the replica as actor, without a time', () => {
  const operation = open(BOB).write('change', [setTitle('Plan')])
  expect(Automerge.decodeChange(operation?.payload as Uint8Array)).toMatchObject({ actor: BOB, time: 0, seq: 1 })
})

test('equal edits on equal replicas make equal bytes', () => {
  const payloads = [open(), open()].map((replica) => replica.write('change', [setTitle('Plan')])?.payload)
  expect(payloads[0]).toEqual(payloads[1])
})

test('a function that writes nothing makes no operation', () => {
  const replica = open()
  expect(replica.write('change', [(): void => undefined])).toBeUndefined()
  expect(replica.value).toBeUndefined()
})

test('a function that throws leaves the document as it was', () => {
  const replica = open()
  replica.write('change', [setTitle('kept')])
  const fail = (draft: Board): void => {
    draft.title = 'half done'
    throw new Error('no')
  }
  expect(() => replica.write('change', [fail])).toThrow('no')
  expect(replica.value).toEqual({ title: 'kept' })
})

test('a function that is not done when it returns is refused', () => {
  expect(() => open().write('change', [async () => Promise.resolve()])).toThrow(
    expect.objectContaining({ code: 'WARP_E_MODE' }),
  )
})

test('the value is frozen', () => {
  const replica = open()
  replica.write('change', [(draft: Board) => void (draft.cards = ['one'])])
  expect(Object.isFrozen((replica.value as Board).cards)).toBe(true)
})
