/** What becomes of locks, command by command: the rules that every replica follows. */
import { describe, expect, it } from 'vitest'
import { READ } from '../../../src/strong/locks/tables/lock-state.ts'
import { LockTable } from '../../../src/strong/locks/tables/lock-table.ts'
import { LOCK_REQUESTS_MAX, LOCK_WAITERS_MAX } from '../../../src/limits.ts'
import { A, B, C, START_MS, TableBench } from './table-bench.ts'

const LOST = { kind: 'failed', code: 'WARP_E_LOCK' }

describe('a lock', () => {
  it('is held by one, and then by the next, in the order in which they came', () => {
    const bench = new TableBench()
    expect(bench.acquire(A, 1)).toMatchObject({ state: 'held' })
    expect([2, 3, 4].map((request) => bench.acquire(B, request).state)).toEqual(['waits', 'waits', 'waits'])
    expect(bench.holders()).toEqual([1])
    for (const [by, released, next] of [
      [A, 1, [2]],
      [B, 2, [3]],
      [B, 3, [4]],
      [B, 4, []],
    ] as const) {
      bench.release(by, released)
      expect(bench.holders()).toEqual(next)
    }
    expect([...bench.table.kept.entries()]).toEqual([])
  })

  it('is not held for a moment longer than its time, and not a moment shorter', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.acquire(B, 2)
    expect(bench.at(999).holders()).toEqual([1])
    expect(bench.at(1000).holders()).toEqual([2])
    expect(bench.events.map(({ kind }) => kind)).toEqual(['granted', 'lost', 'granted'])
    // The next one has its whole time from when it got the lock, not from when it came.
    expect(bench.at(1999).holders()).toEqual([2])
    expect(bench.at(2000).holders()).toEqual([])
  })

  it('of which the time is over is lost to its holder though nobody has taken it', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.nowMs = 1000
    expect(bench.renew(A, 1)).toMatchObject(LOST)
    expect(bench.release(A, 1)).toEqual({ state: 'none' })
  })

  it('that is renewed is held for its whole time from then on, under the same token', () => {
    const bench = new TableBench()
    const first = bench.acquire(A, 1)
    bench.nowMs = 900
    expect(bench.renew(A, 1).kind).toBe('done')
    expect(bench.at(1899).holders()).toEqual([1])
    expect(bench.acquire(A, 1)).toEqual({ ...first, expiresMs: START_MS + 1900 })
    expect(bench.at(1900).holders()).toEqual([])
  })

  it('is released and renewed by nobody but its owner', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.acquire(B, 2)
    expect(bench.release(B, 1)).toEqual({ state: 'none' })
    expect(bench.renew(B, 1)).toMatchObject(LOST)
    expect(bench.release(A, 2)).toEqual({ state: 'none' })
    expect([bench.holders(), bench.waiters()]).toEqual([[1], [2]])
  })

  it('that is asked for twice by one request is had once', () => {
    const bench = new TableBench()
    expect(bench.acquire(A, 1)).toEqual(bench.acquire(A, 1))
    bench.acquire(B, 2)
    expect(bench.acquire(B, 2).state).toBe('waits')
    expect([bench.holders(), bench.waiters()]).toEqual([[1], [2]])
  })

  it('that is not to be had at once leaves nothing of a try', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    expect(bench.acquire(B, 2, { leaseMs: 0 })).toEqual({ state: 'none' })
    expect(bench.waiters()).toEqual([])
    bench.release(A, 1)
    expect(bench.acquire(B, 3, { leaseMs: 0 }).state).toBe('held')
  })

  it('does not know others by their names', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, { name: 'x' })
    expect(bench.acquire(B, 1, { name: 'y' }).state).toBe('held')
    bench.release(A, 1, 'x')
    expect([bench.holders('x'), bench.holders('y')]).toEqual([[], [1]])
  })
})

describe('who waits', () => {
  it('and does not say in time that it still does is not granted, nor in the way of others', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, { ttlMs: 500 })
    bench.acquire(B, 2, { leaseMs: 500 })
    bench.acquire(B, 3, { leaseMs: 501 })
    // The lock and the time of the first that waits are over with one record.
    expect(bench.at(500).holders()).toEqual([3])
    expect(bench.tokens).toHaveLength(2)
    expect(bench.events).toContainEqual(expect.objectContaining({ kind: 'dropped', name: 'x' }))
  })

  it('and says so keeps its place', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, { ttlMs: 5000 })
    bench.acquire(B, 2, { leaseMs: 500 })
    bench.acquire(B, 3)
    bench.nowMs = 400
    expect(bench.answer(B, { act: 'stay', name: 'x', request: 2, leaseMs: 500 })).toEqual({ state: 'waits' })
    expect(bench.at(899).waiters()).toEqual([2, 3])
    expect(bench.at(900).waiters()).toEqual([3])
    // Who has lost its place does not come back by saying that it waits.
    expect(bench.answer(B, { act: 'stay', name: 'x', request: 2, leaseMs: 500 })).toEqual({ state: 'none' })
    expect(bench.waiters()).toEqual([3])
  })

  it('gives its place up by a release', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.acquire(B, 2)
    bench.acquire(C, 3)
    expect(bench.release(B, 2)).toEqual({ state: 'waits' })
    bench.release(A, 1)
    expect(bench.holders()).toEqual([3])
  })

  it('does so by the good-bye of its author too, who then holds nothing', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.acquire(B, 2)
    bench.acquire(A, 3)
    bench.acquire(C, 4)
    bench.table.forget(A, START_MS)
    expect([bench.holders(), bench.waiters()]).toEqual([[2], [4]])
    bench.table.forget(B, START_MS)
    expect([bench.holders(), bench.waiters()]).toEqual([[4], []])
  })
})

describe('readers and writers', () => {
  const read = { permits: READ }

  it('share and exclude each other, in the order in which they came', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, read)
    bench.acquire(A, 2, read)
    expect(bench.holders()).toEqual([1, 2])
    bench.acquire(B, 3)
    // A reader does not pass a writer that waits: else the writer waits for ever.
    bench.acquire(A, 4, read)
    bench.acquire(A, 5, read)
    bench.acquire(B, 6)
    bench.acquire(A, 7, read)
    expect([bench.holders(), bench.waiters()]).toEqual([
      [1, 2],
      [3, 4, 5, 6, 7],
    ])
    bench.release(A, 2)
    expect(bench.holders()).toEqual([1])
    bench.release(A, 1)
    expect(bench.holders()).toEqual([3])
    bench.release(B, 3)
    expect(bench.holders()).toEqual([4, 5])
    expect(new Set(bench.tokens).size).toBe(5)
  })

  it('a writer that goes lets the readers behind it in', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, read)
    bench.acquire(B, 2, { leaseMs: 100 })
    bench.acquire(A, 3, read)
    expect(bench.at(100).holders()).toEqual([1, 3])
  })
})

describe('a semaphore', () => {
  it('has so many holders', () => {
    const bench = new TableBench()
    for (const request of [1, 2, 3, 4, 5]) bench.acquire(A, request, { permits: 3 })
    expect([bench.holders(), bench.waiters()]).toEqual([
      [1, 2, 3],
      [4, 5],
    ])
    bench.release(A, 2)
    expect(bench.holders()).toEqual([1, 3, 4])
  })

  it('of which holders name several bounds keeps the least of them', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, { permits: 2 })
    bench.acquire(A, 2, { permits: 5 })
    bench.acquire(A, 3, { permits: 5 })
    expect([bench.holders(), bench.waiters()]).toEqual([[1, 2], [3]])
    bench.release(A, 1)
    expect(bench.holders()).toEqual([2, 3])
  })

  it('is neither read nor held alone meanwhile', () => {
    const bench = new TableBench()
    bench.acquire(A, 1, { permits: 3 })
    expect(bench.acquire(A, 2, { permits: READ, leaseMs: 0 }).state).toBe('none')
    expect(bench.acquire(A, 3, { permits: 1, leaseMs: 0 }).state).toBe('none')
    bench.release(A, 1)
    bench.acquire(A, 4, { permits: READ })
    expect(bench.acquire(A, 5, { permits: 3, leaseMs: 0 }).state).toBe('none')
  })
})

describe('tokens', () => {
  it('rise with each grant of any lock, follow the time of the log, and do not go back', () => {
    const bench = new TableBench()
    for (let request = 1; request <= 20; request++) bench.acquire(A, request, { name: `n${request % 3}`, ttlMs: 100 })
    bench.at(100).at(250)
    for (let request = 30; request <= 40; request++) bench.acquire(A, request, { name: `m${request}` })
    const { tokens } = bench
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b))
    expect(tokens[0]).toBe(START_MS)
    expect(tokens).toContain(START_MS + 250)
  })

  it('go on where a table ends that is read again, or was taken from a snapshot, though it is empty', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.acquire(A, 2, { name: 'y' })
    for (const request of [1, 2]) bench.release(A, request, request === 1 ? 'x' : 'y')
    const [, token = 0] = bench.tokens
    const taken = new LockTable('t')
    taken.replace(bench.table.encode())
    const written = new Map(taken.kept.changed().map(({ name, state }) => [name, state]))
    const read = new LockTable('t')
    read.load((name) => written.get(name))
    for (const table of [taken, read]) {
      bench.table = table
      expect(bench.acquire(A, 3 + bench.nowMs)).toMatchObject({ state: 'held', token: token + 1 })
      bench.nowMs++
    }
  })
})

describe('a table of locks', () => {
  it('is what it was when what has changed could not be written', () => {
    const bench = new TableBench()
    bench.acquire(A, 1)
    bench.acquire(B, 2)
    const before = bench.table.encode()
    bench.table.pass(START_MS + 2000)
    bench.table.judge({ kind: 'lock', name: 'z', act: 'acquire', parameters: [9, 1, 1000, 0, ''] }, C, START_MS + 2000)
    expect(bench.table.encode()).not.toEqual(before)
    bench.table.undo()
    expect(bench.table.encode()).toEqual(before)
    expect(bench.table.counts()).toEqual([])
    // And what was due is due again.
    expect(bench.at(1000).holders()).toEqual([2])
  })

  it('writes the bucket of what has changed, and reads all of them', () => {
    const bench = new TableBench()
    const written = new Map<string, Uint8Array>()
    for (let request = 1; request <= 200; request++) {
      bench.table.pass(START_MS)
      const parameters = [request, request % 4, 1000, 1000, 'me']
      bench.table.judge({ kind: 'lock', name: `n${request % 90}`, act: 'acquire', parameters }, A, START_MS)
      const changed = bench.table.kept.changed()
      expect(changed).toHaveLength(1)
      for (const { name, state } of changed) written.set(name, state)
      bench.table.counts()
    }
    expect(written.size).toBeGreaterThan(30)
    const read = new LockTable('t')
    read.load((name) => written.get(name))
    expect(read.encode()).toEqual(bench.table.encode())
    expect(read.kept.weight).toBe(bench.table.kept.weight)
    // What falls due in the one falls due in the other, with the same tokens.
    for (const table of [read, bench.table]) table.pass(START_MS + 1000)
    expect(read.encode()).toEqual(bench.table.encode())
  })

  it('takes so many requests, and so many for one lock', () => {
    const bench = new TableBench()
    for (let request = 0; request <= LOCK_WAITERS_MAX; request++) bench.acquire(A, request)
    const act = { act: 'acquire', name: 'x', request: -1, permits: 1, ttlMs: 1000, leaseMs: 1000, by: '' } as const
    expect(bench.judge(A, { ...act, request: 9999 })).toMatchObject({ kind: 'failed', code: 'WARP_E_LIMIT' })
    for (let request = 0; bench.table.kept.weight < LOCK_REQUESTS_MAX; request++)
      bench.acquire(B, request, { name: `y${request}` })
    expect(bench.judge(C, { ...act, name: 'z', request: 1 })).toMatchObject({ kind: 'failed', code: 'WARP_E_LIMIT' })
    bench.release(B, 1, 'y1')
    expect(bench.judge(C, { ...act, name: 'z', request: 1 })).toMatchObject({ kind: 'done' })
  })

  it('refuses alike what is malformed, and leaves to a later build what it does not know', () => {
    const { table } = new TableBench()
    for (const parameters of [[], [1], [1, 1, 50, 0, ''], [1, 5000, 1000, 0, ''], [1, 1, 1000, 0, 7]]) {
      const command = { kind: 'lock', name: 'x', act: 'acquire', parameters } as const
      expect(table.judge(command, A, START_MS)).toMatchObject({ kind: 'failed', code: 'WARP_E_PROTOCOL' })
    }
    const later = { kind: 'lock', name: 'x', act: 'lend', parameters: [] } as const
    expect(() => table.judge(later, A, START_MS)).toThrow(expect.objectContaining({ code: 'WARP_E_UNKNOWN_OP' }))
  })
})
