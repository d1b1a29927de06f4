/** Told by hand: what of an audit's findings is a violation. */
import { expect, test } from 'vitest'
import { counter } from '../../../crdt/index.ts'
import type { CheckReport, Finding, FindingKind } from '../../../src/audit/finding.ts'
import { logChecker } from '../../../testing/checkers/logs.ts'
import { ToldRun } from '../../support/told-run.ts'

const finding = (kind: FindingKind, log: string, severity: Finding['severity'] = 'damage'): Finding => ({
  ...{ kind, log, severity, message: `a finding of the kind ${kind}` },
})

async function judged(run: ToldRun, ...findings: Finding[]): Promise<(readonly [string, string | undefined])[]> {
  const found = await run.violations('replayed', { audit: { report: {} as CheckReport, findings } })
  return found.map(({ invariant, machine }) => [invariant, machine])
}

const told = (): ToldRun => new ToldRun(logChecker, { 'count:*': counter() })

test('damage is a violation, a note is none (W25)', async () => {
  expect(await judged(told(), finding('value', 'm0'), finding('tail', 'm0', 'note'))).toEqual([['W25', 'm0']])
})

test('flipped bits may be found where they were flipped, and in a copy of it, and nowhere else (W25)', async () => {
  const run = told().befalls('m0', 'bit rot')
  run.history.lives.push({ atMs: 5, machine: 'm0', life: 2, disk: 1, kind: 'copied', format: 2, detail: 'm1' })
  const findings = ['m0', 'm1', 'm2'].map((log) => finding('damaged', log))
  expect(await judged(run, ...findings)).toEqual([['W25', 'm2']])
  expect([...run.history.exempted.values()]).toEqual([2])
  // No flipped bit makes a sound record whose fold is another one.
  expect(await judged(run, finding('value', 'm0'))).toEqual([['W25', 'm0']])
})
