import { expect, test } from 'vitest'
import { counter } from '../../../crdt/index.ts'
import { replicaIdFromBytes } from '../../../crdt/time/replica-id.ts'
import { memberChecker } from '../../../testing/checkers/members.ts'
import { ToldRun } from '../../support/told-run.ts'

const LEFT = replicaIdFromBytes(new Uint8Array(8).fill(2))
const LIVING = replicaIdFromBytes(new Uint8Array(8).fill(4))

function told(): ToldRun {
  const run = new ToldRun(memberChecker, { k: counter() })
  return run.reports('m0', { kind: 'members:pruned', replicas: [LEFT] })
}

test('a machine that is up under an id that another one has pruned is found (W69)', async () => {
  const run = told().answers('m1', { replica: LEFT })
  expect(await run.violations()).toMatchObject([{ invariant: 'W69', machine: 'm1' }])
})

test('machines that stay may prune one that has left (W69)', async () => {
  expect(await told().answers('m1', { replica: LIVING }).violations()).toEqual([])
})
