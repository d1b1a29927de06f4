import { describe, expect, test } from 'vitest'
import type { LawOperation } from '../../testing/laws/law-operation.ts'
import { REPLICA_IDS, ReferenceReplica } from '../../testing/laws/reference-replica.ts'
import type { ListState } from '../../crdt/sequence/list.ts'
import { list } from '../../crdt/sequence/list.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import { seededRandom } from '../../testing/world/random.ts'

const [ANN, BOB] = REPLICA_IDS as [ReplicaId, ReplicaId]

function open(id: ReplicaId = ANN): ReferenceReplica {
  return new ReferenceReplica(list(), id)
}

function join(a: ReferenceReplica, b: ReferenceReplica): void {
  a.deliverAll([...b.operations.values()])
  b.deliverAll([...a.operations.values()])
}

test('after a change only what lies around it is read anew, and what was read before stays as it was', () => {
  const replica = open()
  const random = seededRandom(3)
  const plain: number[] = []
  const state = (): ListState<number> => replica.state as ListState<number>
  const stale = (): number => state().sequence.order.chunks.filter(({ shown }) => shown === undefined).length
  for (let i = 0; i < 3000; i++) {
    const index = random.below(plain.length + 1)
    const count = random.chance(0.2) ? Math.min(2, plain.length - index) : 0
    replica.write('splice', [index, count, i])
    plain.splice(index, count, i)
    if (i % 100 === 0) expect(replica.value).toEqual(plain)
  }
  const before = replica.value as readonly number[]
  expect(state().sequence.order.chunks.length).toBeGreaterThan(10)
  expect(stale()).toBe(0)
  replica.write('insert', [1500, -1])
  expect(stale()).toBeLessThanOrEqual(2)
  expect(before).toEqual(plain)
  plain.splice(1500, 0, -1)
  expect(replica.value).toEqual(plain)
  for (const index of [10, 700, 1500]) {
    replica.write('remove', [index])
    plain.splice(index, 1)
    expect(replica.value).toEqual(plain)
  }
})

describe('verbs', () => {
  test('insert, push, remove and splice do what an array does', () => {
    const replica = open()
    replica.write('push', ['a', 'd'])
    replica.write('insert', [1, 'b', 'c'])
    replica.write('remove', [0])
    replica.write('splice', [1, 2, 'x', 'y', 'z'])
    expect(replica.value).toEqual(['b', 'x', 'y', 'z'])
  })

  test('each is one operation, or none if there is nothing to do', () => {
    const replica = open()
    expect(replica.write('push', [])).toBeUndefined()
    expect(replica.write('remove', [0, 0])).toBeUndefined()
    replica.write('push', [1, 2, 3])
    replica.write('splice', [0, 2, 4, 5])
    expect(replica.operations.size).toBe(2)
  })

  test.each([
    ['insert', [3, 'x']],
    ['insert', [-1, 'x']],
    ['insert', [0.5, 'x']],
    ['remove', [1, 2]],
    ['splice', [0, -1]],
  ])('%s%j on two elements is out of range', (verb, parameters) => {
    const replica = open()
    replica.write('push', ['a', 'b'])
    expect(() => replica.write(verb, parameters)).toThrow(expect.objectContaining({ code: 'WARP_E_LIMIT' }))
  })

  test('a list that was never written has no value, and an emptied one is empty', () => {
    const replica = open()
    expect(replica.value).toBeUndefined()
    replica.write('push', ['a'])
    replica.write('remove', [0])
    expect(replica.value).toEqual([])
  })
})

describe('concurrency', () => {
  test.each([
    ['forwards', (i: number) => i],
    ['backwards', () => 0],
  ])('runs written %s at one place do not mix (W09)', (_, place) => {
    const ann = open()
    const bob = open(BOB)
    ann.write('push', ['[', ']'])
    join(ann, bob)
    for (let i = 0; i < 5; i++) {
      ann.write('insert', [1 + place(i), 'a'])
      bob.write('insert', [1 + place(i), 'b'])
    }
    join(ann, bob)
    expect(ann.value).toEqual(bob.value)
    expect((ann.value as string[]).join('')).toMatch(/^\[(a{5}b{5}|b{5}a{5})\]$/)
  })

  test('an element that two replicas remove is removed once', () => {
    const ann = open()
    const bob = open(BOB)
    ann.write('push', [1, 2, 3])
    join(ann, bob)
    ann.write('remove', [0, 2])
    bob.write('remove', [1, 2])
    join(ann, bob)
    expect([ann.value, bob.value]).toEqual([[], []])
  })

  test('an insertion survives the removal of its neighbours', () => {
    const ann = open()
    const bob = open(BOB)
    ann.write('push', [1, 2])
    join(ann, bob)
    ann.write('remove', [0, 2])
    bob.write('insert', [1, 'new'])
    join(ann, bob)
    expect(ann.value).toEqual(['new'])
  })

  test('an insertion survives a delete of the key that had not seen it, without the elements around it', () => {
    const ann = open()
    const bob = open(BOB)
    ann.write('push', [1, 2])
    join(ann, bob)
    ann.delete()
    bob.write('insert', [1, 'a', 'b'])
    bob.write('insert', [2, 'c'])
    join(ann, bob)
    expect([ann.value, bob.value]).toEqual([
      ['a', 'c', 'b'],
      ['a', 'c', 'b'],
    ])
  })
})

describe('operations', () => {
  test.each([
    ['no array', 'x'],
    ['removed runs that are no lists', [['x']]],
    ['elements that are no list', [[], 'abc']],
    ['a parent without an id', [[], ['a'], false, 7, 1, 0]],
    ['a negative sequence', [[], ['a'], false, ANN, -1, 0]],
    ['a count of 0', [[[ANN, 1, 0, 0]]]],
  ])('with %s are refused and leave the list alone', (_, payload) => {
    const replica = open()
    replica.write('push', ['a'])
    const forged = { ...(replica.operations.values().next().value as LawOperation), replica: BOB, payload }
    expect(() => replica.deliver(forged)).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
    expect(replica.value).toEqual(['a'])
  })

  test('do not reach what their writer had not seen', () => {
    const ann = open()
    const first = ann.write('push', ['a', 'b']) as LawOperation
    const forged: LawOperation = { ...first, replica: BOB, payload: [[[ANN, 1, 0, 2]], ['x'], true, ANN, 1, 0] }
    const early = open(REPLICA_IDS[2]).deliverAll([forged, first])
    const late = open(REPLICA_IDS[2]).deliverAll([first, forged])
    expect(early.value).toEqual(['a', 'b', 'x'])
    expect(late.value).toEqual(early.value)
  })

  test('can be issued again under other dots', () => {
    const strategy = list<string>()
    const state = strategy.initial()
    const prepare = { replica: ANN, sequence: 1, state: (): typeof state => state }
    const letters = ['a', 'b', 'c'].map((letter, i) => {
      const payload = strategy.verbs.push(prepare, letter) ?? []
      strategy.apply(state, { hlc: i, replica: ANN, sequence: i + 1, payload: payload as never, observed: () => true })
      return payload
    })
    const removal = strategy.verbs.remove(prepare, 0, 3) as never
    expect(letters[1]).toEqual([[], ['b'], false, ANN, 1, 0])
    expect(removal).toEqual([[[ANN, 1, 0, -3]]])
    const renamed = strategy.rebase?.(removal, (replica, sequence) =>
      sequence < 2 ? [replica, sequence] : [BOB, sequence * 2],
    )
    expect(renamed).toEqual([
      [
        [ANN, 1, 0, -1],
        [BOB, 4, 0, -1, 6, 0, -1],
      ],
    ])
  })

  test('removing everything of a list in many pieces is one operation that can be encoded', () => {
    const replica = new ReferenceReplica(list(), ANN)
    const strategy = list<number>()
    const state = strategy.initial()
    const random = seededRandom(3)
    const length = 25_000
    for (let i = 0; i < length; i++) {
      const prepare = { replica: replica.id, sequence: i + 1, state: (): typeof state => state }
      const payload = strategy.verbs.insert(prepare, random.below(i + 1), i) as never
      strategy.apply(state, { hlc: i, replica: replica.id, sequence: i + 1, payload, observed: () => true })
    }
    const removal = strategy.verbs.remove({ replica: replica.id, sequence: 1, state: () => state }, 0, length) as never
    expect(encode(removal).length).toBeGreaterThan(length)
    strategy.apply(state, { hlc: 1, replica: replica.id, sequence: length + 1, payload: removal, observed: () => true })
    expect(strategy.read(state)).toEqual([])
    expect(encode(strategy.encodeState(state)).length).toBeGreaterThan(0)
  })
})

test.each([
  ['forwards', () => 50],
  ['backwards', (i: number) => 99 - i],
])('typing costs a run, not an element each, and so does what was typed and then removed %s', (_, place) => {
  const replica = open()
  for (let i = 0; i < 200; i++) replica.write('push', [i])
  for (let i = 0; i < 50; i++) replica.write('remove', [place(i)])
  const { sequence } = replica.state as ListState<number>
  expect([...sequence.order.blocks()].map(({ count, deleted }) => [count, deleted])).toEqual([
    [50, false],
    [50, true],
    [100, false],
  ])
})

test('a snapshot of more elements than an array may have comes back whole', () => {
  const strategy = list<number>()
  const state = strategy.initial()
  for (let i = 1; i <= 70_000; i++) {
    const payload = strategy.verbs.push({ replica: ANN, sequence: i, state: () => state }, i) as never
    strategy.apply(state, { hlc: i, replica: ANN, sequence: i, payload, observed: () => true })
  }
  const encoded = strategy.encodeState(state)
  encode(encoded)
  const [, [, second]] = encoded as readonly [unknown, readonly (readonly unknown[])[]]
  expect(second?.slice(5)).toEqual([0, 4096, 0]) // the parent of its first element is the last one of the part before
  expect(strategy.read(strategy.decodeState(encoded))).toEqual(strategy.read(state))
  expect(strategy.encodeState(strategy.decodeState(encoded))).toEqual(encoded)
})
