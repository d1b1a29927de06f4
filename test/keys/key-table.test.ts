import { expect, test } from 'vitest'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { KeyTable } from '../../src/keys/key-table.ts'

const REPLICA = '00000000000000aa' as ReplicaId

test('columns that grow one by one keep what is in them, and have room for every key', () => {
  const keys = new KeyTable()
  const at = (i: number): number => 1e12 + i
  for (let i = 0; i < 20_000; i++) {
    const slot = keys.add(`k${i}`, i % 7)
    keys.advance(slot, { hlc: at(i), replica: REPLICA, sequence: i + 1, lifeMs: 0 }, at(i))
    keys.snapshot[slot] = at(i)
    keys.cut[slot] = at(i)
    keys.setExpiresAt(slot, at(i))
  }
  expect(keys.size).toBe(20_000)
  for (let i = 0; i < 20_000; i++) {
    const slot = keys.find(`k${i}`)!
    const { head, tip, tipHlc, snapshot, cut } = keys
    expect([head, tip, tipHlc, snapshot, cut].map((column) => column[slot])).toEqual(Array(5).fill(at(i)))
    expect(keys.expiresAt(slot)).toBe(at(i))
    expect([keys.keyspace[slot], keys.version[slot], keys.tipSequence[slot]]).toEqual([i % 7, 1, i + 1])
  }
})

test('where few keys have a life, the others have none, also those that come later or elsewhere', () => {
  const keys = new KeyTable()
  const ends = new Map<string, number>()
  for (let i = 0; i < 5000; i++) {
    const slot = keys.add(`k${i}`, 0)
    if (i % 997 !== 500) continue
    keys.setExpiresAt(slot, i)
    ends.set(`k${i}`, i)
  }
  keys.remove(keys.find('k500')!)
  keys.add('k500', 0)
  ends.delete('k500')
  const others = new KeyTable()
  others.copyFrom(keys, keys.find('k1497')!)
  expect(others.expiresAt(others.find('k1497')!)).toBe(1497)
  const become = new KeyTable()
  become.become(keys)
  for (let i = 0; i < 5000; i++) expect(become.expiresAt(become.find(`k${i}`)!)).toBe(ends.get(`k${i}`) ?? 0)
})

test('room that is made at once is enough, and for as many as were told no column grows again', () => {
  const keys = new KeyTable()
  keys.add('first', 3)
  keys.reserve(5000)
  const { capacity, head } = keys
  for (let i = 0; i < 4999; i++) keys.add(`k${i}`, 0)
  expect(keys.capacity).toBe(capacity)
  expect(keys.head).toBe(head)
  expect(keys.keyspace[keys.find('first')!]).toBe(3)
})

test('a key needs at most one column to grow', () => {
  const keys = new KeyTable()
  let most = 0
  for (let i = 0; i < 100_000; i++) {
    const { keyspace, head, tip, tipHlc, tipSequence, version, snapshot, cut } = keys
    keys.add(`k${i}`, 0)
    const before = [keyspace, head, tip, tipHlc, tipSequence, version, snapshot, cut]
    const after = [
      keys.keyspace,
      keys.head,
      keys.tip,
      keys.tipHlc,
      keys.tipSequence,
      keys.version,
      keys.snapshot,
      keys.cut,
    ]
    most = Math.max(most, before.filter((column, at) => column !== after[at]).length)
  }
  expect(most).toBe(1)
})
