import { describe, expect, test } from 'vitest'
import { replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { CausalBuffer } from '../../src/replication/anti-entropy/causal-buffer.ts'

const A = replicaIdFromBytes(Uint8Array.of(1))
const B = replicaIdFromBytes(Uint8Array.of(2))
const C = replicaIdFromBytes(Uint8Array.of(3))
const NO_LIMIT = { operationsMax: 1e9, bytesMax: 1e9 }

function bufferOf(limits = NO_LIMIT): CausalBuffer {
  return new CausalBuffer(limits)
}

function add(buffer: CausalBuffer, replica: typeof A, ...sequences: number[]): void {
  for (const sequence of sequences) buffer.add({ replica, sequence }, 0, new Uint8Array(10))
}

describe('order', () => {
  test('operations come out in sequence, each when its predecessor has been applied', () => {
    const buffer = bufferOf()
    add(buffer, A, 4, 2, 3)
    expect(buffer.next(A, 0)).toBeUndefined()
    expect(buffer.next(A, 1)?.sequence).toBe(2)
    expect(buffer.next(A, 2)?.sequence).toBe(3)
    expect(buffer.next(A, 4)).toBeUndefined()
    expect([buffer.count, buffer.bytesCount]).toEqual([0, 0])
  })

  test('a dot is kept once', () => {
    const buffer = bufferOf()
    add(buffer, A, 5, 5, 5)
    expect([buffer.count, buffer.bytesCount]).toEqual([1, 10])
  })

  test('what it keeps is a copy', () => {
    const buffer = bufferOf()
    const frame = Uint8Array.of(1, 2, 3)
    buffer.add({ replica: A, sequence: 1 }, 0, frame.subarray(1))
    frame.fill(0)
    expect(buffer.next(A, 0)?.bytes).toEqual(Uint8Array.of(2, 3))
  })

  test('a run of 200,000 drains in linear time', () => {
    const buffer = bufferOf()
    for (let i = 2; i <= 200_000; i++) add(buffer, A, i)
    let visited = 0
    for (let applied = 1; buffer.next(A, applied) !== undefined; applied++) visited++
    expect(visited).toBe(199_999)
    expect(buffer.count).toBe(0)
  })
})

describe('causes', () => {
  test('a head that lacks several causes is tried once, when the last of them has been applied', () => {
    const buffer = bufferOf()
    add(buffer, A, 1)
    buffer.park(A, [
      { replica: B, sequence: 2 },
      { replica: C, sequence: 1 },
    ])
    expect(buffer.released(B, 1)).toEqual([])
    expect(buffer.released(B, 2)).toEqual([])
    expect(buffer.next(A, 0)).toBeUndefined()
    expect(buffer.released(C, 1)).toEqual([A])
    expect(buffer.next(A, 0)?.sequence).toBe(1)
  })

  test('a parked head stays until its cause has been applied', () => {
    const buffer = bufferOf()
    add(buffer, A, 1)
    buffer.park(A, [{ replica: B, sequence: 7 }])
    expect(buffer.next(A, 0)).toBeUndefined()
    expect(buffer.released(B, 6)).toEqual([])
    expect(buffer.released(B, 7)).toEqual([A])
    expect(buffer.next(A, 0)?.sequence).toBe(1)
    expect(buffer.released(B, 8)).toEqual([])
  })

  test('one cause releases all that wait for it, and no others', () => {
    const buffer = bufferOf()
    add(buffer, A, 1)
    add(buffer, B, 1)
    buffer.park(A, [{ replica: C, sequence: 3 }])
    buffer.park(B, [{ replica: C, sequence: 4 }])
    expect(buffer.released(C, 3)).toEqual([A])
    expect(buffer.released(C, 9)).toEqual([B])
  })

  test('a head that was applied by another way no longer waits', () => {
    const buffer = bufferOf()
    add(buffer, A, 1, 2)
    buffer.park(A, [{ replica: B, sequence: 1 }])
    expect(buffer.next(A, 1)?.sequence).toBe(2)
    expect(buffer.released(B, 1)).toEqual([])
  })
})

describe('gaps', () => {
  test('are what is missing between the applied and the wanted', () => {
    const buffer = bufferOf()
    add(buffer, A, 3, 4, 8)
    const gaps = [
      { from: 1, to: 2 },
      { from: 5, to: 7 },
      { from: 9, to: 10 },
    ]
    expect(buffer.gaps(A, { applied: 0, to: 10 }, 9)).toEqual(gaps)
    expect(buffer.gaps(A, { applied: 0, to: 10 }, 2)).toEqual(gaps.slice(0, 2))
    expect(buffer.gaps(A, { applied: 2, to: 4 }, 9)).toEqual([])
    expect(buffer.gaps(B, { applied: 5, to: 6 }, 9)).toEqual([{ from: 6, to: 6 }])
  })
})

describe('bounds', () => {
  test.each([
    ['operations', { operationsMax: 3, bytesMax: 1e9 }],
    ['bytes', { operationsMax: 1e9, bytesMax: 30 }],
  ])('beyond its %s the farthest ahead of what has been applied goes', (_, limits) => {
    const buffer = bufferOf(limits)
    add(buffer, A, 2, 3)
    buffer.add({ replica: B, sequence: 1000 }, 998, new Uint8Array(10))
    add(buffer, A, 4)
    expect(buffer.droppedCount).toBe(1)
    expect(buffer.gaps(A, { applied: 0, to: 4 }, 9)).toEqual([
      { from: 1, to: 1 },
      { from: 4, to: 4 },
    ])
    expect(buffer.next(B, 999)?.sequence).toBe(1000)
  })
})

describe('heads that waited', () => {
  // Simulation seed 47: what they waited for came with a snapshot, and nothing else of its writer was here to remind of it.
  test('are tried again when all may have changed, though nothing of what they waited for is here', () => {
    const buffer = bufferOf()
    add(buffer, A, 1)
    buffer.park(A, [{ replica: B, sequence: 7 }])
    expect(buffer.next(A, 0)).toBeUndefined()
    buffer.releaseAll()
    expect(buffer.next(A, 0)?.sequence).toBe(1)
    expect(buffer.released(B, 7)).toEqual([])
  })

  test('go with what is cut off behind them', () => {
    const buffer = bufferOf()
    add(buffer, A, 1, 2, 3)
    add(buffer, B, 1)
    buffer.cut(A, 2)
    expect([buffer.count, buffer.gaps(A, { applied: 0, to: 3 }, 9)]).toEqual([3, [{ from: 3, to: 3 }]])
    buffer.cut(A, 0)
    expect([buffer.count, buffer.bytesCount, [...buffer.replicas()]]).toEqual([1, 10, [B]])
  })
})
