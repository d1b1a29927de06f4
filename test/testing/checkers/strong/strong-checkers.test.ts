/** Runs with an ordered log that are told by hand, each with a fault that a checker has to find, and without it. */
import { describe, expect, test } from 'vitest'
import type { Dot } from '../../../../crdt/time/dot.ts'
import { replicaIdFromBytes } from '../../../../crdt/time/replica-id.ts'
import type { OrderView } from '../../../../testing/checkers/checker.ts'
import { strongStateChecker } from '../../../../testing/checkers/strong/equal-strong.ts'
import { fenceChecker } from '../../../../testing/checkers/strong/fenced.ts'
import { holderChecker } from '../../../../testing/checkers/strong/held.ts'
import { isolationChecker } from '../../../../testing/checkers/strong/isolated.ts'
import { linearizabilityChecker } from '../../../../testing/checkers/strong/linearizable.ts'
import { outcomeChecker } from '../../../../testing/checkers/strong/outcomes.ts'
import { sumChecker } from '../../../../testing/checkers/strong/sums.ts'
import { tokenChecker } from '../../../../testing/checkers/strong/tokens.ts'
import { versionChecker } from '../../../../testing/checkers/strong/versions.ts'
import type { ListStep } from '../../../../testing/simulation/order/order-intent.ts'
import { ORDER_KEYS, DONE, TOTAL } from '../../../../testing/simulation/order/order-keys.ts'
import type { CallRecord, Hold } from '../../../../testing/simulation/report/run-history.ts'
import { ToldRun } from '../../../support/told-run.ts'

const DOT: Dot = { replica: replicaIdFromBytes(new Uint8Array(8).fill(2)), sequence: 7 }

function told(factory: ConstructorParameters<typeof ToldRun>[0]): ToldRun {
  return new ToldRun(factory, ORDER_KEYS)
}

function order(isThere: boolean): { readonly order: OrderView } {
  return { order: { holds: () => isThere } }
}

function set(run: ToldRun, value: number, version: number): CallRecord {
  const call = run.begin('m0', { kind: 'write', key: 'doc:0', verb: 'set', parameters: [value] })
  return run.end(call, { outcome: 'ok', receipt: { dot: DOT, version, ack: 'broker' } })
}

function versioned(run: ToldRun, machine: string, value: unknown, version: number): CallRecord {
  const call = run.begin(machine, { kind: 'versioned', key: 'doc:0' })
  return run.end(call, { outcome: 'ok', value: { value, version } })
}

function cas(run: ToldRun, expected: number, next: number): CallRecord {
  const of = { kind: 'cas', key: 'doc:0', by: 'version', expected: { version: expected }, next } as const
  return run.begin('m0', of)
}

/** A write of which nobody was told what became of it. */
function lost(run: ToldRun, call: CallRecord): CallRecord {
  return run.end(call, { outcome: 'indeterminate', error: 'WARP_E_INDETERMINATE', dot: DOT })
}

function resolved(run: ToldRun, call: CallRecord, value: 'ok' | 'failed'): void {
  const asked = run.begin('m1', { kind: 'resolve', back: 0, of: call.id, dot: DOT })
  run.end(asked, { outcome: 'ok', value })
}

describe('histories of one key', () => {
  test('that one order explains are right, also where an answer was lost (W33)', async () => {
    const run = told(linearizabilityChecker)
    set(run, 1, 1)
    const call = lost(run, cas(run, 1, 2))
    versioned(run, 'm1', 2, 2)
    resolved(run, call, 'ok')
    expect(await run.violations()).toEqual([])
  })

  test('in which a read gives what was before are found (W33)', async () => {
    const run = told(linearizabilityChecker)
    set(run, 1, 1)
    set(run, 2, 2)
    run.read('m1', 'doc:0', 1)
    expect(await run.violations()).toMatchObject([{ invariant: 'W33', key: 'doc:0' }])
  })

  test('in which a write has failed, as resolve says, and was read, are found (W33)', async () => {
    const run = told(linearizabilityChecker)
    set(run, 1, 1)
    const call = lost(run, cas(run, 1, 2))
    versioned(run, 'm1', 2, 2)
    resolved(run, call, 'failed')
    expect(await run.violations()).toMatchObject([{ invariant: 'W33' }])
  })

  test('in which nothing was taken away by a lost remove are right: it makes no version (W33)', async () => {
    const run = told(linearizabilityChecker)
    const add = run.begin('m0', { kind: 'write', key: 'tags:0', verb: 'add', parameters: [1] })
    run.end(add, { outcome: 'ok', receipt: { dot: DOT, version: 5, ack: 'broker' } })
    const remove = lost(run, run.begin('m0', { kind: 'write', key: 'tags:0', verb: 'remove', parameters: [2] }))
    resolved(run, remove, 'ok')
    const read = run.begin('m1', { kind: 'versioned', key: 'tags:0' })
    run.end(read, { outcome: 'ok', value: { value: new Set([1]), version: 5 } })
    expect(await run.violations()).toEqual([])
  })
})

describe('versions', () => {
  test('that name two values are found (W34)', async () => {
    const run = told(versionChecker)
    set(run, 1, 4)
    versioned(run, 'm1', 2, 4)
    expect(await run.violations()).toMatchObject([{ invariant: 'W34', machine: 'm1' }])
  })

  test('that two have replaced are found, also where one was told so later (W34)', async () => {
    const run = told(versionChecker)
    const [one, other] = [cas(run, 4, 1), cas(run, 4, 2)]
    run.end(one, { outcome: 'ok', value: { version: 5 } })
    resolved(run, lost(run, other), 'ok')
    expect(await run.violations()).toMatchObject([{ invariant: 'W34', key: 'doc:0' }])
  })

  test('that one has replaced, and another one not, are right (W34)', async () => {
    const run = told(versionChecker)
    const [one, other] = [cas(run, 4, 1), cas(run, 4, 2)]
    run.end(one, { outcome: 'ok', value: { version: 5 } })
    run.end(other, { outcome: 'ok', value: { conflict: 5 } })
    expect(await run.violations()).toEqual([])
  })

  test('that go back in one life of a replica are found (W34)', async () => {
    const run = told(versionChecker)
    versioned(run, 'm1', 2, 5)
    versioned(run, 'm1', 1, 4)
    expect(await run.violations()).toMatchObject([{ invariant: 'W34', machine: 'm1' }])
    const restarted = told(versionChecker)
    versioned(restarted, 'm1', 2, 5)
    restarted.befalls('m1', 'power failure')
    versioned(restarted, 'm1', 1, 4)
    expect(await restarted.violations()).toEqual([])
  })
})

describe('accounts', () => {
  const of = { machine: 'm0', atMs: 1 }

  test('of which somebody sees a part of a transfer are found (W35)', async () => {
    const run = told(sumChecker)
    run.history.sums.push({ ...of, by: 'watch', sum: TOTAL, count: 8 }, { ...of, by: 'watch', sum: 0, count: 0 })
    expect(await run.violations()).toEqual([])
    run.history.sums.push({ ...of, by: 'watch', sum: TOTAL - 5, count: 8 })
    expect(await run.violations()).toMatchObject([{ invariant: 'W35', machine: 'm0' }])
    run.history.sums.pop()
    const call = run.begin('m1', { kind: 'balances', how: 'stale' })
    run.end(call, { outcome: 'ok', value: { sum: 700, count: 7 } })
    expect(await run.violations()).toMatchObject([{ invariant: 'W35', machine: 'm1' }])
  })

  test.each([
    ['is done, and half of it is there', 'ok', [[1], []], 1],
    ['is done, and is there', 'ok', [[1], [1]], 0],
    ['has failed, and is there', 'failed', [[1], [1]], 1],
    ['has failed, and is not there', 'failed', [[], []], 0],
    ['is unknown, and is there', 'indeterminate', [[1], [1]], 0],
    ['is unknown, and half of it is there', 'indeterminate', [[], [1]], 1],
  ] as const)('of which a transfer %s: found or right (W35)', async (_, outcome, marks, count) => {
    const run = told(sumChecker)
    const of = { number: 1, from: 'a', to: ['b'], amount: 1, isGivenUp: false, pauseMs: 0 }
    run.end(run.begin('m0', { kind: 'move', ...of }), { outcome })
    run.shows('m1', Object.fromEntries(DONE.map((key, i) => [key, new Set(marks[i])])))
    expect(await run.violations()).toHaveLength(count)
  })
})

describe('transactions', () => {
  test('that no order explains are found (W36)', async () => {
    const run = told(isolationChecker)
    const call = (steps: readonly ListStep[]): CallRecord => run.begin('m0', { kind: 'lists', steps, pauseMs: 0 })
    // Each has read what was before the other one.
    const steps = [
      [['r', 'a', null] as const, ['append', 'b', 1] as const],
      [['r', 'b', null] as const, ['append', 'a', 2] as const],
    ] as const
    const [one, other] = [call(steps[0]), call(steps[1])]
    run.end(one, { outcome: 'ok', value: [['r', 'a', []], steps[0][1]] })
    run.end(other, { outcome: 'ok', value: [['r', 'b', []], steps[1][1]] })
    const last = call([
      ['r', 'a', null],
      ['r', 'b', null],
    ])
    run.end(last, {
      outcome: 'ok',
      value: [
        ['r', 'a', [2]],
        ['r', 'b', [1]],
      ],
    })
    expect(await run.violations()).toMatchObject([{ invariant: 'W36' }])
  })
})

describe('what was said', () => {
  test('of one write to two who asked, and is not the same, is found (W38)', async () => {
    const run = told(outcomeChecker)
    const call = lost(run, cas(run, 4, 1))
    resolved(run, call, 'ok')
    expect(await run.violations('quiesced', order(true))).toEqual([])
    resolved(run, call, 'failed')
    expect(await run.violations('quiesced', order(true))).toMatchObject([{ invariant: 'W38' }])
  })

  test('of a write that the log has never had is found (W38)', async () => {
    const run = told(outcomeChecker)
    set(run, 1, 1)
    expect(await run.violations('quiesced', order(true))).toEqual([])
    expect(await run.violations('quiesced', order(false))).toMatchObject([{ invariant: 'W38' }])
  })

  test('at a machine without a connection is found, unless it needs none (W38)', async () => {
    const run = told(outcomeChecker)
    Object.assign(versioned(run, 'm0', 1, 1), { isCutOff: true })
    expect(await run.violations('quiesced', order(true))).toMatchObject([{ invariant: 'W38', machine: 'm0' }])
    const stale = told(outcomeChecker)
    const call = stale.begin('m0', { kind: 'stale', key: 'doc:0' })
    stale.end(call, { outcome: 'ok', value: { value: 1, version: 1 }, isCutOff: true })
    expect(await stale.violations('quiesced', order(true))).toEqual([])
  })

  test('without a code is found (W38)', async () => {
    const run = told(outcomeChecker)
    run.end(cas(run, 4, 1), { outcome: 'indeterminate', error: 'TypeError' })
    expect(await run.violations('quiesced', order(true))).toMatchObject([{ invariant: 'W38' }])
  })
})

function held(run: ToldRun, of: Partial<Hold>): void {
  const times = { askedMs: 0, fromMs: 10, untilMs: 1000, endedMs: Infinity }
  run.history.holds.push({ call: 0, machine: 'm0', life: 1, name: 'x', token: 1, permits: 1, ...times, ...of })
}

describe('locks', () => {
  test('whose tokens are given twice, or fall, are found (W39)', async () => {
    const twice = told(tokenChecker)
    held(twice, {})
    held(twice, { machine: 'm1', askedMs: 5, fromMs: 2000 })
    expect(await twice.violations()).toMatchObject([{ invariant: 'W39', machine: 'm1' }])
    const fallen = told(tokenChecker)
    held(fallen, { token: 5 })
    held(fallen, { machine: 'm1', askedMs: 50, fromMs: 2000, token: 4 })
    expect(await fallen.violations()).toMatchObject([{ invariant: 'W39', machine: 'm1' }])
  })

  test('that were asked for before another one had them may have any token (W39)', async () => {
    const run = told(tokenChecker)
    held(run, { token: 5 })
    held(run, { machine: 'm1', askedMs: 5, fromMs: 20, token: 4 })
    expect(await run.violations()).toEqual([])
  })

  test('that two hold at one time are found (W41)', async () => {
    const run = told(holderChecker)
    held(run, {})
    held(run, { machine: 'm1', fromMs: 500, untilMs: 1500, token: 2 })
    expect(await run.violations()).toMatchObject([{ invariant: 'W41', machine: 'm1' }])
  })

  test.each([
    ['was released before', { endedMs: 400 }, {}],
    ['ended by its time', { untilMs: 400 }, {}],
    ['is shared with another reader', { permits: 0 }, { permits: 0 }],
    ['has a permit left', { permits: 2 }, { permits: 2 }],
  ])('that %s are right (W41)', async (_, one, other) => {
    const run = told(holderChecker)
    held(run, one)
    held(run, { machine: 'm1', fromMs: 500, untilMs: 1500, token: 2, ...other })
    expect(await run.violations()).toEqual([])
  })

  test('that a writer holds beside a reader, or three of two, are found (W41)', async () => {
    const mixed = told(holderChecker)
    held(mixed, { permits: 0 })
    held(mixed, { machine: 'm1', fromMs: 500, token: 2 })
    expect(await mixed.violations()).toHaveLength(1)
    const three = told(holderChecker)
    for (const [i, machine] of ['m0', 'm1', 'm2'].entries()) held(three, { machine, token: i, permits: 2 })
    expect(await three.violations()).toHaveLength(1)
  })

  test('of a process that has died, or of a clock that was set forward, are free (W41)', async () => {
    const died = told(holderChecker)
    held(died, {})
    died.befalls('m0', 'killed')
    Object.assign(died.history.lives[0] ?? {}, { atMs: 300 })
    held(died, { machine: 'm1', fromMs: 500, token: 2 })
    expect(await died.violations()).toEqual([])
    const jumped = told(holderChecker)
    held(jumped, {})
    jumped.history.orderJumps.push({ atMs: 300, byMs: 900 })
    held(jumped, { machine: 'm1', fromMs: 500, token: 2 })
    expect(await jumped.violations()).toEqual([])
  })

  test('that are given when the time to wait is over, or not at all at rest, are found (W41)', async () => {
    const of = { name: 'x', ttlMs: 500, permits: 1, waitMs: 100, steps: [], isForgotten: false }
    const late = told(holderChecker)
    const call = late.end(late.begin('m0', { kind: 'lock', ...of }), { outcome: 'ok', value: true })
    held(late, { call: call.id, fromMs: call.startedMs + 150 })
    expect(await late.violations()).toMatchObject([{ invariant: 'W41', machine: 'm0' }])
    const never = told(holderChecker)
    never.history.restedMs = 0
    never.end(never.begin('m0', { kind: 'lock', ...of }), { outcome: 'failed', error: 'WARP_E_LOCK' })
    expect(await never.violations()).toMatchObject([{ invariant: 'W41', machine: 'm0' }])
    const leaving = told(holderChecker)
    leaving.history.restedMs = 0
    leaving.end(leaving.begin('m0', { kind: 'lock', ...of }), { outcome: 'failed', error: 'WARP_E_CLOSED' })
    expect(await leaving.violations()).toEqual([])
  })
})

describe('writes under fences', () => {
  const logged = (run: ToldRun, machine: string, written: readonly string[]): void => {
    const call = run.begin(machine, { kind: 'log', key: 'job:x' })
    run.end(call, { outcome: 'ok', value: written.map((payload) => ({ payload })) })
  }
  const rested = (): ToldRun => {
    const run = told(fenceChecker)
    run.history.restedMs = 0
    return run
  }

  test('in the order of their tokens are right, also behind a snapshot (W40)', async () => {
    const run = rested()
    logged(run, 'm0', ['3:1', '3:2', '5:3'])
    logged(run, 'm1', ['5:3'])
    logged(run, 'm2', [])
    run.history.fenced.push({ key: 'job:x', token: 5, number: 3, dot: DOT })
    expect(await run.violations()).toEqual([])
  })

  test('behind one of a newer holder are found, in a log and as they are taken in (W40)', async () => {
    const run = rested()
    logged(run, 'm0', ['5:1', '3:2'])
    expect(await run.violations()).toMatchObject([{ invariant: 'W40', machine: 'm0' }])
    const taken = rested()
    logged(taken, 'm0', [])
    taken.history.outOfOrder.push({ machine: 'm1', key: 'job:x', tokens: [5, 3] })
    expect(await taken.violations()).toMatchObject([{ invariant: 'W40', machine: 'm1' }])
  })

  test('that differ between replicas, or were acknowledged and are gone, are found (W40)', async () => {
    const run = rested()
    logged(run, 'm0', ['3:1', '5:2', '5:3'])
    logged(run, 'm1', ['3:1', '5:2'])
    expect(await run.violations()).toMatchObject([{ invariant: 'W40', machine: 'm1' }])
    const gone = rested()
    logged(gone, 'm0', ['3:1'])
    gone.history.fenced.push({ key: 'job:x', token: 5, number: 2, dot: DOT })
    expect(await gone.violations()).toMatchObject([{ invariant: 'W40', machine: 'm0' }])
  })
})

test('replicas that differ about a version or a lock when all is at rest are found (W01)', async () => {
  const run = told(strongStateChecker)
  run.history.restedMs = run.history.askedMs = 0
  versioned(run, 'm0', 1, 4)
  versioned(run, 'm1', 1, 4)
  const locks = [{ name: 'x', tokens: [3], waitingCount: 0 }]
  run.end(run.begin('m0', { kind: 'locks' }), { outcome: 'ok', value: locks })
  run.end(run.begin('m1', { kind: 'locks' }), { outcome: 'ok', value: locks })
  expect(await run.violations()).toEqual([])
  versioned(run, 'm2', 1, 5)
  run.end(run.begin('m2', { kind: 'locks' }), { outcome: 'ok', value: [] })
  expect(await run.violations()).toMatchObject([
    { invariant: 'W01', machine: 'm2' },
    { invariant: 'W01', machine: 'm2' },
  ])
})
