/** A snapshot of a sequence may come from a peer, and then it may hold anything. */
import { expect, test } from 'vitest'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { list } from '../../crdt/sequence/list.ts'
import { text } from '../../crdt/sequence/text.ts'

const A = 'a'.repeat(16)
const RUN: readonly Encodable[] = [0, 0, 1, 0, 'ab']
const REMOVED = 1
const WITH_PARENT = 8

function snapshot(...run: readonly Encodable[]): Encodable {
  return [[A], [run]]
}

test('a sound one is read', () => {
  const sequence = text()
  expect(sequence.read(sequence.decodeState(snapshot(...RUN)))).toBe('ab')
})

// Each was taken, or ended in a TypeError (property-tests/fuzz).
test.each<readonly [string, Encodable]>([
  ['no list', 'x'],
  ['no replicas', []],
  ['replicas that are none', [['b'], []]],
  ['a group that is no list', [[A], 7]],
  ['a run that is no list', [[A], [24]]],
  ['flags that are no number', snapshot('x', ...RUN.slice(1))],
  ['a replica that is not there', snapshot(0, 1, 1, 0, 'ab')],
  ['an element without an index', snapshot(0, 0, 1)],
  ['elements of another type', snapshot(0, 0, 1, 0, 7)],
  ['a run without elements', snapshot(0, 0, 1, 0, '')],
  ['a parent without a name', snapshot(WITH_PARENT, ...RUN.slice(1))],
  ['more removed elements than a run has: the next snapshot would never end', snapshot(REMOVED, 0, 1, 0, 2 ** 53 - 1)],
])('%s: refused', (_, encoded) => {
  for (const strategy of [text(), list<string>()])
    expect(() => strategy.decodeState(encoded)).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
})
