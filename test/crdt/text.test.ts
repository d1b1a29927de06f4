import { expect, test } from 'vitest'
import { REPLICA_IDS, ReferenceReplica } from '../../testing/laws/reference-replica.ts'
import { text } from '../../crdt/sequence/text.ts'

function open(): ReferenceReplica {
  return new ReferenceReplica(text(), REPLICA_IDS[0] as (typeof REPLICA_IDS)[number])
}

test('an insertion of a string is one operation that carries the string', () => {
  const replica = open()
  expect(replica.write('insert', [0, 'Hello'])?.payload).toEqual([[], 'Hello'])
  replica.write('push', [' world'])
  replica.write('splice', [0, 5, 'Goodbye'])
  replica.write('remove', [7, 6])
  expect(replica.value).toBe('Goodbye')
})

test('indexes count code points, so a surrogate pair is never split', () => {
  const replica = open()
  replica.write('insert', [0, 'a🎈b🎉c'])
  replica.write('insert', [2, '🚀'])
  replica.write('remove', [1])
  expect(replica.value).toBe('a🚀b🎉c')
  expect(() => replica.write('remove', [0, 6])).toThrow(expect.objectContaining({ code: 'WARP_E_LIMIT' }))
})

test.each([['\ud83c'], ['x\udf88'], [7]])('%j is not well-formed text and is refused', (added) => {
  expect(() => open().write('push', [added])).toThrow(expect.objectContaining({ code: 'WARP_E_UNENCODABLE' }))
})

test('an emptied text is empty, a deleted one is gone', () => {
  const replica = open()
  replica.write('push', ['x'])
  replica.write('remove', [0])
  expect(replica.value).toBe('')
  replica.delete()
  expect(replica.value).toBeUndefined()
})
