/**
 * Locks against their definition (`test/support/naive-locks.ts`), command by command; and histories of
 * replicas on one ordered log that are killed, cut off and answered late, judged by what may never
 * happen: two who hold a lock at once, a token that falls, a write behind one of a newer holder, a
 * lock that nobody can have any more.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReplicaId } from '../crdt/time/replica-id.ts'
import type { LockAct } from '../src/strong/locks/tables/lock-acts.ts'
import { READ } from '../src/strong/locks/tables/lock-state.ts'
import { LockTable } from '../src/strong/locks/tables/lock-table.ts'
import { NaiveLocks, type NaiveRequest } from '../test/support/naive-locks.ts'
import { A, B, C, START_MS, TableBench } from '../test/strong/locks/table-bench.ts'
import { LockHistory } from '../test/strong/locks/lock-history.ts'
import { runs } from './seed.ts'

const NAMES = ['x', 'y'] as const
const author = fc.constantFrom(A, B, C)
const name = fc.constantFrom(...NAMES)
const request = fc.integer({ min: 1, max: 6 })

type Step =
  | { readonly kind: 'act'; readonly author: ReplicaId; readonly act: LockAct }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'bye'; readonly author: ReplicaId }
  /** Another replica goes on with what this one has written or sent. */
  | { readonly kind: 'moved' }

const acquire = fc.record({
  act: fc.constant('acquire' as const),
  name,
  request,
  permits: fc.constantFrom(1, 1, READ, READ, 2, 3),
  ttlMs: fc.integer({ min: 100, max: 500 }),
  leaseMs: fc.constantFrom(0, 50, 50, 100, 300, 1000),
  by: fc.constant(''),
})
const act: fc.Arbitrary<LockAct> = fc.oneof(
  { arbitrary: acquire, weight: 4 },
  { arbitrary: fc.record({ act: fc.constant('release' as const), name, request }), weight: 2 },
  fc.record({ act: fc.constant('renew' as const), name, request }),
  fc.record({ act: fc.constant('stay' as const), name, request, leaseMs: fc.constantFrom(50, 300) }),
  fc.constant({ act: 'look' } as const),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('act' as const), author, act }), weight: 16 },
  { arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 200 }) }), weight: 6 },
  fc.record({ kind: fc.constant('bye' as const), author }),
  fc.constant({ kind: 'moved' } as const),
)

describe('a table of locks', () => {
  it('is what the definition says, whatever comes in whatever order', () => {
    const seen = { granted: 0, lost: 0, dropped: 0, shared: 0 }
    const property = fc.property(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), (steps) => {
      const bench = new TableBench()
      const naive = new NaiveLocks()
      for (const one of steps) {
        take(bench, naive, one)
        expect(shown(bench.table)).toEqual(shownNaive(naive))
        expect(naive.violations()).toEqual([])
        if (NAMES.some((of) => bench.table.get(of).holders.length > 1)) seen.shared++
      }
      for (const { kind } of bench.events) if (kind in seen) seen[kind as 'granted']++
      expect(bench.tokens).toEqual([...new Set(bench.tokens)].sort((a, b) => a - b))
    })
    fc.assert(property, runs(5000))
    for (const [of, count] of Object.entries(seen)) expect(count, of).toBeGreaterThan(50)
  })
})

function take(bench: TableBench, naive: NaiveLocks, one: Step): void {
  const timeMs = START_MS + bench.nowMs
  switch (one.kind) {
    case 'time':
      bench.nowMs += one.ms
      return
    case 'moved':
      move(bench)
      return
    case 'bye':
      naive.pass(timeMs)
      for (const of of NAMES) naive.remove(of, (request) => request.author === one.author, timeMs)
      bench.table.pass(timeMs)
      bench.table.forget(one.author, timeMs)
      bench.events.push(...bench.table.counts())
      return
    default:
      naive.pass(timeMs)
      takeNaive(naive, one, timeMs)
      bench.judge(one.author, one.act)
  }
}

/** By a snapshot, or by a restart. */
function move(bench: TableBench): void {
  const table = new LockTable('t')
  table.replace(bench.table.encode())
  const written = new Map(table.kept.changed().map(({ name: of, state }) => [of, state]))
  bench.table = new LockTable('t')
  bench.table.load((of) => written.get(of))
}

function takeNaive(naive: NaiveLocks, { author: by, act: of }: Extract<Step, { kind: 'act' }>, timeMs: number): void {
  if (of.act === 'look') return
  const found = naive.find(of.name, { author: by, request: of.request })
  switch (of.act) {
    case 'acquire': {
      const { ttlMs, leaseMs, permits } = of
      const kind = permits === READ ? 'read' : permits === 1 ? 'write' : permits
      const asked = { author: by, request: of.request, kind, ttlMs, untilMs: timeMs + leaseMs } as NaiveRequest
      naive.acquire(of.name, asked, timeMs, leaseMs === 0)
      return
    }
    case 'release':
      naive.remove(of.name, (one) => one === found, timeMs)
      return
    case 'renew':
      if (found?.token !== undefined) found.heldUntilMs = timeMs + found.ttlMs
      return
    default:
      if (found !== undefined && found.token === undefined) found.untilMs = timeMs + of.leaseMs
  }
}

function shown(table: LockTable): unknown {
  return NAMES.map((of) => {
    const { holders, waiters } = table.get(of)
    return [
      ...holders.map((one) => [one.author, one.request, one.token, one.expiresMs]),
      ...waiters.map((one) => [one.author, one.request, one.untilMs]),
    ]
  })
}

function shownNaive({ locks }: NaiveLocks): unknown {
  return NAMES.map((of) =>
    (locks.get(of) ?? []).map(({ author: by, request: number, token, heldUntilMs, untilMs }) =>
      token === undefined ? [by, number, untilMs] : [by, number, token, heldUntilMs],
    ),
  )
}

describe('histories of replicas', () => {
  it('never show two who hold a lock at once, nor a token that falls, and end with locks that can be had', async () => {
    const seen = { had: 0, lost: 0, fenced: 0, refusedFences: 0, kills: 0 }
    const property = fc.asyncProperty(fc.nat(), async (seed) => {
      const history = await LockHistory.run(seed)
      expect(history.violations(), `seed ${seed}`).toEqual([])
      for (const of of Object.keys(seen) as (keyof typeof seen)[]) seen[of] += history.counts[of]
    })
    await fc.assert(property, runs(150))
    for (const [of, count] of Object.entries(seen)) expect(count, of).toBeGreaterThan(20)
  })
})
