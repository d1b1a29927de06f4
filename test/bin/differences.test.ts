import { expect, test } from 'vitest'
import { differingKeys, missingDots } from '../../bin/demo/authors/differences.ts'
import type { WrittenKey } from '../../bin/demo/replicas/keys.ts'
import type { Reading } from '../../bin/demo/replicas/replica-calls.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'

function reading(key: WrittenKey, ...bytes: number[]): Reading {
  return { key, shown: '', bytes: Uint8Array.from(bytes) }
}

test('values of other bytes differ, whichever replica has them', () => {
  const both = [reading('cart:7', 1), reading('doc:list', 2)]
  const other = [reading('cart:7', 1), reading('doc:list', 3)]
  expect(differingKeys([both, both, both])).toEqual([])
  expect(differingKeys([both, both, other])).toEqual(['doc:list'])
  expect(differingKeys([both, [reading('cart:7', 1)]])).toEqual(['doc:list'])
})

test('an operation is missing unless its own dot is there', () => {
  const [a, b] = [parseReplicaId('000000000000000a'), parseReplicaId('000000000000000b')]
  const held = [{ replica: a, sequence: 1 }, { replica: b, sequence: 2 }] // prettier-ignore
  const wanted = { replica: a, sequence: 2 }
  expect(missingDots(held, held)).toEqual([])
  expect(missingDots(held, [...held, wanted])).toEqual([wanted])
})
