import { expect, test } from 'vitest'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import {
  expectArray,
  expectCount,
  expectReplica,
  expectText,
  fromChunks,
  seal,
  toChunks,
  unseal,
} from '../../crdt/encoding/stored-state.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { codeOf } from '../support/three-replicas.ts'

test('lists longer than the codec takes come back whole', () => {
  const long = Array.from({ length: 200_000 }, (_, i) => i)
  expect(fromChunks(decode(encode(toChunks(long))))).toEqual(long)
  expect(toChunks([])).toEqual([])
})

test('a value nested as deep as the codec goes can be part of a state', () => {
  let deep: Encodable = 1
  for (let depth = 0; depth < 64; depth++) deep = [deep]
  const stored = decode(encode([[[seal(deep)]]]))
  expect(unseal(expectArray(expectArray(expectArray(stored)[0])[0])[0])).toEqual(deep)
})

test('bytes and scalars come back as they were', () => {
  for (const value of [Uint8Array.of(1, 2), 'x', 7, 7n, null, false, new Date(3), {}]) {
    expect(unseal(decode(encode(seal(value))))).toEqual(value)
  }
})

test('what a snapshot should not hold is refused', () => {
  const attempts = [
    () => expectArray({}),
    () => expectText(1),
    () => expectReplica('x'),
    () => expectCount(-1),
    () => expectCount(1.5),
    () => fromChunks([1]),
    () => unseal(undefined),
    () => unseal(Uint8Array.of(0xc1)),
  ]
  expect(attempts.map(codeOf)).toEqual(attempts.map(() => 'WARP_E_PROTOCOL'))
})
