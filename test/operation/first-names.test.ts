import { expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { ByteReader } from '../../src/operation/byte-reader.ts'
import { FirstNames } from '../../src/operation/names/first-names.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { refused } from '../support/refused.ts'
import { seededRandom } from '../../testing/world/random.ts'

const A = '00000000000000aa' as ReplicaId
const B = '00000000000000bb' as ReplicaId

function bytesOf(names: FirstNames): Uint8Array {
  const writer = new ByteWriter()
  names.write(writer, new ReplicaTable())
  return writer.take()
}

function readFrom(bytes: Uint8Array): FirstNames {
  return FirstNames.read(new ByteReader(bytes), new ReplicaTable())
}

function allOf(names: FirstNames): string[] {
  const dots = [A, B].flatMap((replica) => Array.from({ length: 80 }, (_, i) => [replica, i + 1] as const))
  return dots
    .filter((dot) => names.has(...dot))
    .map((dot) => dot.join(':'))
    .sort()
}

test('a set of first names is what was added, however it was added, copied, joined and written', () => {
  for (let i = 0; i < 50; i++) {
    const random = seededRandom(`names ${i}`)
    const [names, other] = [new FirstNames(), new FirstNames()]
    const expected = new Set<string>()
    for (let step = 0; step < 60; step++) {
      const [replica, sequence] = [random.below(2) === 0 ? A : B, 1 + random.below(40)]
      const into = random.below(2) === 0 ? names : other
      const isNew = !into.has(replica, sequence)
      expect(into.add(replica, sequence)).toBe(isNew)
      expected.add(`${replica}:${sequence}`)
    }
    const copy = names.copy()
    names.join(other)
    const read = readFrom(bytesOf(names))
    const assigned = new FirstNames()
    assigned.add(A, 77)
    assigned.assign(read)
    for (const one of [names, read, assigned]) expect(allOf(one)).toEqual([...expected].sort())
    for (const name of allOf(copy)) expect(expected).toContain(name)
    expect(names.size).toBe(read.size)
  }
})

test('names that follow each other take the place of one', () => {
  const names = new FirstNames()
  for (const sequence of [5, 3, 4, 1, 2]) expect(names.add(A, sequence)).toBe(true)
  expect(names.add(A, 3)).toBe(false)
  expect([names.size, names.isEmpty, bytesOf(names).length]).toEqual([1, false, 12])
})

test.each([
  ['an interval that begins at 0', [1, 0, 0, 0, 0, 0, 0, 0, 170, 1, 0, 0]],
  ['more replicas than bytes', [9, 1]],
])('%s is malformed', (_name, bytes) => {
  expect(refused(() => readFrom(Uint8Array.from(bytes))).code).toBe('WARP_E_PROTOCOL')
})
