/** Runs that are told by hand, at whose end the ordered log has lost what it had acknowledged. */
import { expect, test } from 'vitest'
import { WarpError } from '../../../../crdt/warp-error.ts'
import { brokenLogViolations } from '../../../../testing/checkers/strong/broken-log.ts'
import type { Breakage } from '../../../../testing/simulation/order/break-log.ts'
import { ORDER_KEYS } from '../../../../testing/simulation/order/order-keys.ts'
import type { CallRecord } from '../../../../testing/simulation/report/run-history.ts'
import { outcomeChecker } from '../../../../testing/checkers/strong/outcomes.ts'
import { ToldRun } from '../../../support/told-run.ts'

const NAMES = ['m0', 'm1']

function since(ms: number, ...names: readonly string[]): ReadonlyMap<string, number> {
  return new Map(names.map((name) => [name, ms]))
}

function breakage(more: Partial<Breakage> = {}): Breakage {
  const of = { partition: 0, partitionsCount: 1, key: 'doc:0', names: NAMES }
  return { kind: 'rollback', atMs: 0, ...of, losers: since(0, ...NAMES), unsure: new Set(), ...more }
}

function noticed(...machines: readonly string[]): ToldRun {
  const run = new ToldRun(outcomeChecker, ORDER_KEYS)
  const error = new WarpError('WARP_E_ORDER_BROKEN', 'gone')
  for (const machine of machines)
    run.history.reports.push({ atMs: 5, machine, life: 1, event: { kind: 'order:broken', partition: 0, error } })
  return run
}

function read(run: ToldRun, machine: string): CallRecord {
  const call = run.begin(machine, { kind: 'versioned', key: 'doc:0' })
  return run.end(call, { outcome: 'ok', value: { value: 1, version: 1 } })
}

test('all who have lost something and say so are right (W32)', () => {
  expect(brokenLogViolations(noticed('m0', 'm1').history, breakage())).toEqual([])
})

test('who has lost something and does not notice is found (W32)', () => {
  expect(brokenLogViolations(noticed('m0').history, breakage())).toMatchObject([{ invariant: 'W32', machine: 'm1' }])
})

test('who has lost nothing and says so is found, unless nobody can know (W32)', () => {
  const { history } = noticed('m0', 'm1')
  const losers = since(0, 'm0')
  expect(brokenLogViolations(history, breakage({ losers }))).toMatchObject([{ invariant: 'W32', machine: 'm1' }])
  expect(brokenLogViolations(history, breakage({ losers, unsure: new Set(['m1']) }))).toEqual([])
})

test('a strong key that is read at who has lost something is found (W32)', () => {
  const run = noticed('m0', 'm1')
  read(run, 'm0')
  expect(brokenLogViolations(run.history, breakage())).toMatchObject([{ invariant: 'W32', machine: 'm0' }])
  const other = noticed('m0')
  read(other, 'm1')
  expect(brokenLogViolations(other.history, breakage({ losers: since(0, 'm0') }))).toEqual([])
})

test('a key that is not strong and is refused is found (W32)', () => {
  const run = noticed('m0', 'm1')
  const call = run.begin('m0', { kind: 'write', key: 'seen:0', verb: 'add', parameters: [1] })
  run.end(call, { outcome: 'failed', error: 'WARP_E_ORDER_BROKEN' })
  expect(brokenLogViolations(run.history, breakage())).toMatchObject([{ invariant: 'W32', machine: 'm0' }])
})

test('who takes a snapshot that holds what is gone has lost it from then on (W32)', () => {
  const run = noticed('m0', 'm1')
  const losers = new Map([...since(0, 'm0'), ...since(2, 'm1')])
  // Before it took the snapshot it was right.
  Object.assign(read(run, 'm1'), { startedMs: 1 })
  expect(brokenLogViolations(run.history, breakage({ losers }))).toEqual([])
  expect(brokenLogViolations(noticed('m0').history, breakage({ losers }))).toMatchObject([{ machine: 'm1' }])
  Object.assign(read(run, 'm1'), { startedMs: 3 })
  expect(brokenLogViolations(run.history, breakage({ losers }))).toMatchObject([{ invariant: 'W32', machine: 'm1' }])
})
