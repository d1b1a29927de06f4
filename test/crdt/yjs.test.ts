import * as Y from 'yjs'
import { describe, expect, test } from 'vitest'
import type { LawOperation } from '../../testing/laws/law-operation.ts'
import { REPLICA_IDS, ReferenceReplica } from '../../testing/laws/reference-replica.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'

const [ANN, BOB] = REPLICA_IDS as [ReplicaId, ReplicaId]

function open(id: ReplicaId = ANN): ReferenceReplica {
  return new ReferenceReplica(yjs(), id)
}

function write(replica: ReferenceReplica, run: (doc: Y.Doc) => unknown): LawOperation | undefined {
  return replica.write('change', [run])
}

function bodyOf(replica: ReferenceReplica): string {
  return (replica.value as Y.Doc).getText('body').toJSON()
}

describe('change', () => {
  test('makes one operation of everything that the function writes', () => {
    const replica = open()
    const operation = write(replica, (doc) => {
      doc.getText('body').insert(0, 'world')
      doc.getText('body').insert(0, 'Hello ')
    })
    const elsewhere = new Y.Doc()
    Y.applyUpdate(elsewhere, operation?.payload as Uint8Array)
    expect(elsewhere.getText('body').toJSON()).toBe('Hello world')
    expect(bodyOf(replica)).toBe('Hello world')
  })

  test('makes no operation if nothing was written', () => {
    const replica = open()
    expect(write(replica, (doc) => doc.getText('body').length)).toBeUndefined()
    expect(replica.value).toBeUndefined()
  })

  test('includes what observers write in answer', () => {
    const replica = open()
    write(replica, (doc) => doc.getText('body').insert(0, 'a'))
    const doc = replica.value as Y.Doc
    doc.getText('body').observe(() => doc.getMap('meta').set('length', doc.getText('body').length))
    const operation = write(replica, (same) => same.getText('body').insert(1, 'b')) as LawOperation
    const other = open(BOB).deliverAll([...replica.operations.values()])
    expect((other.value as Y.Doc).getMap('meta').toJSON()).toEqual({ length: 2 })
    expect(operation.sequence).toBe(2)
  })

  test('refuses a function that is not done when it returns', () => {
    expect(() => write(open(), async () => Promise.resolve())).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
  })

  test('names content by the first 53 bits of the replica id', () => {
    const operation = write(open(BOB), (doc) => doc.getText('body').insert(0, 'b')) as LawOperation
    const { structs } = Y.decodeUpdate(operation.payload as Uint8Array)
    expect(structs.map(({ id }) => id.client)).toEqual([Number(0xbbbbbbbbbbbbbbbbn >> 11n)])
    expect(Number.isSafeInteger(structs[0]?.id.client)).toBe(true)
  })

  test('continues its clock on a document that was folded from a snapshot', () => {
    const strategy = yjs()
    const replica = open()
    write(replica, (doc) => doc.getText('body').insert(0, 'abc'))
    const state = strategy.decodeState(strategy.encodeState(replica.state as never))
    const payload = strategy.verbs.change({ replica: ANN, sequence: 2, state: () => state }, (doc) =>
      doc.getText('body').insert(3, 'd'),
    )
    expect(Y.parseUpdateMeta(payload as Uint8Array).from.get(state.doc.clientID)).toBe(3)
  })
})

describe('a write outside change', () => {
  test('throws, and so does the next verb, so that the engine folds the document again', () => {
    const replica = open()
    write(replica, (doc) => doc.getText('body').insert(0, 'a'))
    const stray = expect.objectContaining({ code: 'WARP_E_MODE' }) as Error
    expect(() => (replica.value as Y.Doc).getText('body').insert(0, 'lost')).toThrow(stray)
    expect(() => write(replica, (doc) => doc.getText('body').insert(0, 'b'))).toThrow(stray)
  })

  test('is found when an observer does it while operations are applied', () => {
    const ann = open()
    const bob = open(BOB)
    write(ann, (doc) => doc.getText('body').insert(0, 'a'))
    const doc = ann.value as Y.Doc
    doc.getText('body').observe(() => doc.getMap('meta').set('seen', true))
    ann.deliver(write(bob, (other) => other.getText('body').insert(0, 'b')) as LawOperation)
    expect(() => write(ann, () => undefined)).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
  })
})

describe('merge', () => {
  test('takes in the updates of a Yjs client, once', () => {
    const client = new Y.Doc()
    client.getText('body').insert(0, 'from afar')
    const replica = open()
    expect(replica.write('merge', [Y.encodeStateAsUpdate(client)])).toBeDefined()
    expect(replica.write('merge', [Y.encodeStateAsUpdate(client)])).toBeUndefined()
    expect(bodyOf(replica)).toBe('from afar')
  })

  test('refuses an update whose causes are not here', () => {
    const client = new Y.Doc()
    client.getText('body').insert(0, 'first')
    const had = Y.encodeStateVector(client)
    client.getText('body').insert(5, ' second')
    const refused = expect.objectContaining({ code: 'WARP_E_PROTOCOL' }) as Error
    expect(() => open().write('merge', [Y.encodeStateAsUpdate(client, had)])).toThrow(refused)
  })

  test('refuses bytes that are no update', () => {
    const refused = expect.objectContaining({ code: 'WARP_E_PROTOCOL' }) as Error
    expect(() => open().write('merge', [Uint8Array.of(1, 2, 3, 255)])).toThrow(refused)
  })
})

test('formatting that Yjs would tidy ends the same whichever came first', () => {
  const ann = open()
  const bob = open(BOB)
  write(ann, (doc) => doc.getText('body').insert(0, 'abcd'))
  bob.deliverAll([...ann.operations.values()])
  write(ann, (doc) => doc.getText('body').format(0, 4, { bold: true }))
  write(ann, (doc) => doc.getText('body').insert(2, 'x', { bold: true }))
  write(bob, (doc) => doc.getText('body').insert(0, 'x', { bold: true }))
  write(bob, (doc) => doc.getText('body').format(0, 3, { bold: null }))
  const strategy = yjs()
  bob.deliverAll([...ann.operations.values()])
  ann.deliverAll([...bob.operations.values()])
  expect(strategy.encodeState(ann.state as never)).toEqual(strategy.encodeState(bob.state as never))
})
