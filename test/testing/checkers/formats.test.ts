import { expect, test } from 'vitest'
import { counter } from '../../../crdt/index.ts'
import { replicaIdFromBytes } from '../../../crdt/time/replica-id.ts'
import { formatChecker } from '../../../testing/checkers/formats.ts'
import { ToldRun } from '../../support/told-run.ts'

const PEER = replicaIdFromBytes(new Uint8Array(8).fill(2))

function told(): ToldRun {
  return new ToldRun(formatChecker, { k: counter() })
}

const peer = {
  name: 'm1',
  replica: PEER,
  address: 'm1',
  transport: 'wire',
  state: 'up',
  isLagging: false,
  roles: [],
} as const
const raised = { kind: 'format:raised', format: 3 } as const
const refused = { kind: 'format:refused', side: 'us', peer, error: new Error('format') } as const

test('a format that every peer in sight reads, or has read, may be begun, and then older builds may be refused (W67)', async () => {
  const run = told().opens('m1', 3, PEER).opens('m1', 2, PEER).reports('m0', raised, [peer])
  run.reports('m1', refused).refuses('m1', 2)
  expect(await run.violations()).toEqual([])
})

test('a peer that is down may be one that does not read the format (W67)', async () => {
  const run = told().opens('m1', 2, PEER)
  expect(await run.reports('m0', raised, [{ ...peer, state: 'down' }]).violations()).toEqual([])
})

test.each([
  ['has never run a build that reads', told().opens('m1', 2, PEER), peer],
  ['says that it does not read', told().opens('m1', 3, PEER), { ...peer, format: 2 }],
])('a format that a peer in sight %s is found when it is begun, and once (W67)', async (_, run, seen) => {
  run.reports('m0', raised, [seen]).reports('m2', raised, [seen])
  expect(await run.violations()).toMatchObject([{ invariant: 'W67', machine: 'm0' }])
})

test.each([
  ['a peer', told().reports('m0', refused)],
  ['a folder', told().refuses('m0', 2)],
])('%s that refuses an older build before anybody has begun a later format is found (W67)', async (_, run) => {
  expect(await run.violations()).toMatchObject([{ invariant: 'W67', machine: 'm0' }])
})
