/** Runs that are told by hand, each with a fault that a checker of data elsewhere has to find, and without it. */
import { expect, test } from 'vitest'
import { replicaIdFromBytes } from '../../../../crdt/time/replica-id.ts'
import type { RowView, SourcesView } from '../../../../testing/checkers/checker.ts'
import { knownChangesChecker } from '../../../../testing/checkers/data/known-changes.ts'
import { leaseChecker } from '../../../../testing/checkers/data/leases.ts'
import { rowChecker } from '../../../../testing/checkers/data/rows.ts'
import { storedReadsChecker } from '../../../../testing/checkers/data/stored-reads.ts'
import { DATA_KEYS } from '../../../../testing/simulation/data/data-keys.ts'
import { ToldRun } from '../../../support/told-run.ts'

const REPLICA = replicaIdFromBytes(new Uint8Array(8).fill(2))

function said(sequence: number, key: string, version: number, lease?: string): object {
  const dot = { replica: REPLICA, sequence }
  return { dot, ack: 'durable', versions: new Map([[key, version]]), ...(lease === undefined ? {} : { lease }) }
}

function sources(rows: readonly RowView[], versions: readonly number[] = []): { readonly sources: SourcesView } {
  return { sources: { rowsOf: () => rows, versionAt: (_, atMs) => versions.filter((since) => since <= atMs).length } }
}

function changed(): ToldRun {
  const run = new ToldRun(knownChangesChecker, DATA_KEYS)
  const change = run.begin('m0', { kind: 'change', key: 'item:0', added: 0, said: 'key' })
  run.end(change, { outcome: 'ok', value: said(7, 'item:0', 3) })
  return run
}

test('who knows of a change and reads what was before is found (W44)', async () => {
  const run = changed().knows('m1', 7)
  run.read('m1', 'item:0', 2)
  expect(await run.violations('replayed')).toMatchObject([{ invariant: 'W44', machine: 'm1' }])
})

test('who does not know of it yet may read what was before (W44)', async () => {
  const run = changed().knows('m1', 6)
  run.read('m1', 'item:0', 2)
  expect(await run.violations('replayed')).toEqual([])
})

test('what was told by the end of a lease is about the keys that are on it (W43)', async () => {
  const run = new ToldRun(knownChangesChecker, DATA_KEYS).knows('m1', 9)
  const attached = run.begin('m0', { kind: 'attach', lease: 0, target: 'session:0' })
  run.end(attached, { outcome: 'ok', value: said(8, 'session:0', 0, 'lease') })
  const revoked = run.begin('m0', { kind: 'revoke', lease: 0, keys: ['session:0', 'session:1'] })
  const versions = new Map([
    ['session:0', 2],
    ['session:1', 2],
  ])
  run.end(revoked, { outcome: 'ok', value: { ...said(9, '', 0, 'lease'), versions } })
  run.read('m1', 'session:1', 1)
  expect(await run.violations('replayed')).toEqual([])
  run.read('m1', 'session:0', 1)
  expect(await run.violations('replayed')).toMatchObject([{ invariant: 'W43', key: 'session:0' }])
})

const OF_WARP = { atMs: 1, by: 'warp' } as const

test('a row that lacks what was acknowledged, or what it has held, is found (W21)', async () => {
  const run = new ToldRun(rowChecker, DATA_KEYS)
  run.write('m0', 'ledger:0', 'set', [1])
  run.write('m0', 'ledger:0', 'set', [2])
  expect(await run.violations('quiesced', sources([{ ...OF_WARP, value: [1, 2] }]))).toEqual([])
  const back = [[1, 2], [2]].map((value) => ({ ...OF_WARP, value }))
  expect((await run.violations('quiesced', sources(back))).map(({ invariant }) => invariant)).toEqual(['W21', 'W21'])
})

test('a row with what was refused, or with something twice, is found (W22)', async () => {
  const run = new ToldRun(rowChecker, DATA_KEYS)
  run.end(run.begin('m0', { kind: 'write', key: 'ledger:0', verb: 'set', parameters: [[1]] }), { outcome: 'failed' })
  run.write('m0', 'ledger:0', 'set', [2])
  const found = await run.violations('quiesced', sources([{ ...OF_WARP, value: [1, 2, 2] }]))
  expect(found.map(({ invariant }) => invariant)).toEqual(['W22', 'W22'])
})

test('a counter in a row is no more than was wanted, and no less than was acknowledged (W21, W22)', async () => {
  const run = new ToldRun(rowChecker, DATA_KEYS)
  run.write('m0', 'sums:0', 'increment', 5)
  const of = async (value: number): Promise<readonly string[]> =>
    (await run.violations('quiesced', sources([{ ...OF_WARP, value }]))).map(({ invariant }) => invariant)
  expect([await of(5), await of(4), await of(6)]).toEqual([[], ['W21'], ['W22']])
})

test('who does not see its own write, or sees one that was refused, is found (W18, W22)', async () => {
  const run = new ToldRun(storedReadsChecker, DATA_KEYS)
  run.write('m0', 'journal:0', 'set', [1])
  run.read('m0', 'journal:0', [])
  const refused = run.begin('m1', { kind: 'write', key: 'title:0', verb: 'set', parameters: [7] })
  run.read('m0', 'title:0', 7)
  run.end(refused, { outcome: 'failed' })
  expect(await run.violations()).toMatchObject([{ invariant: 'W18' }, { invariant: 'W22', key: 'title:0' }])
})

function leased(readMs: number, version: number): Promise<readonly unknown[]> {
  const run = new ToldRun(leaseChecker, DATA_KEYS).knows('m1', 9)
  const granted = run.begin('m0', { kind: 'grant', lease: 0, ttlMs: 5000 })
  run.end(granted, { outcome: 'ok', value: said(8, '', 0, 'lease'), endedMs: 100 })
  const attached = run.begin('m0', { kind: 'attach', lease: 0, target: 'session:*' })
  run.end(attached, { outcome: 'ok', value: said(9, '', 0, 'lease') })
  const read = run.begin('m1', { kind: 'read', key: 'session:0' })
  Object.assign(read, { startedMs: readMs })
  run.end(read, { outcome: 'ok', value: version })
  run.shows('m1', {})
  run.answers('m1', { leases: { list: () => [] } as never })
  return run.violations('quiesced', sources([], [10, 200]))
}

test('a lease that was not renewed is dead, and what was loaded while it lived is not served (W42)', async () => {
  expect(await leased(20_000, 1)).toMatchObject([{ invariant: 'W42', machine: 'm1' }])
  expect(await leased(20_000, 2)).toEqual([])
  expect(await leased(3000, 1)).toEqual([])
})
