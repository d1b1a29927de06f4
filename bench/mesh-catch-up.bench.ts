/**
 * How soon a replica is level again: one that was killed while others wrote, one that is new, and
 * one that was away for so long that what it lacks has been folded into snapshots. Timed from
 * opening its log, in a process that runs already, until it holds what was written last; the first
 * column also counts the start of the process.
 */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { MeshProgram } from './mesh-process.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { type MeshCluster, openMeshCluster } from './support/mesh-cluster.ts'
import { ChildProgram } from '../test/support/child-program.ts'

export const question = 'How soon does a replica catch up that was down, is new, or is behind the compaction point?'

const TEXT_BYTES = 200
const ROUNDS = 5
/** After so long the others go on without a replica that is down. */
const HORIZON_MS = 1000

interface Taken {
  readonly bySnapshot: boolean
  readonly sinceStartMs: number
  readonly sinceOpenMs: number
}

export async function run(context: BenchContext): Promise<void> {
  const rounds = context.size(ROUNDS, 1)
  const operations = context.size(10_000, 200)
  const keys = context.size(100_000, 500)
  const down = await repeated(rounds, (round) => wasDown(context, round, operations))
  const joined = await joins(rounds, keys)
  const behind = await repeated(rounds, (round) => isBehind(context, round, operations))
  context.check(
    !down.concat(joined).some(({ bySnapshot }) => bySnapshot),
    'operations are there, and no snapshot is needed',
  )
  context.check(
    behind.every(({ bySnapshot }) => bySnapshot),
    'what has been compacted comes by snapshot',
  )
  const median = (taken: readonly Taken[], field: 'sinceStartMs' | 'sinceOpenMs'): number =>
    quantile(
      taken.map((one) => one[field]),
      0.5,
    )
  const row = (name: string, taken: readonly Taken[]): string[] => [
    name,
    formatMs(median(taken, 'sinceStartMs')),
    formatMs(median(taken, 'sinceOpenMs')),
    formatMs(Math.max(...taken.map(({ sinceOpenMs }) => sinceOpenMs))),
  ]
  const count = (number: number): string => number.toLocaleString('en-US')
  context.report(
    'until it holds what was written last, median',
    ['', 'since the process was started', 'since its log was opened', 'longest'],
    [
      row(`killed, started again after ${count(operations)} operations`, down),
      row(`new, ${count(keys)} keys`, joined),
      row(`by snapshot, after ${count(operations)} operations that were compacted`, behind),
    ],
  )
  context.goal('killed and started again, ms', median(down, 'sinceOpenMs'), { atMost: 2000 })
  context.goal('new, ms', median(joined, 'sinceOpenMs'), { atMost: 5000 })
}

function formatMs(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`
}

async function repeated(rounds: number, run: (round: number) => Promise<Taken>): Promise<Taken[]> {
  const taken: Taken[] = []
  for (let round = 0; round < rounds; round++) taken.push(await run(round))
  return taken
}

interface Absence {
  readonly cluster: MeshCluster
  readonly folder: string
}

/** Three replicas with logs on disk, the last of which is killed. */
async function withoutThird(context: BenchContext, name: string, horizonMs?: number): Promise<Absence> {
  const base = context.folder()
  const folders = ['a', 'b', 'c'].map((replica) => path.join(base, name, replica))
  for (const folder of folders) mkdirSync(folder, { recursive: true })
  const cluster = await openMeshCluster(3, {
    folders,
    ...(horizonMs === undefined ? {} : { replication: { horizonMs } }),
  })
  await cluster.processes[0]?.ask('mark', { text: 'before' })
  await cluster.all((process) => process.ask('sees', { text: 'before' }))
  await cluster.processes[2]?.end('SIGKILL')
  return { cluster, folder: folders[2] as string }
}

async function wasDown(context: BenchContext, round: number, operations: number): Promise<Taken> {
  const { cluster, folder } = await withoutThird(context, `down-${round}`)
  const [writer] = cluster.processes
  await writer?.ask('write', { operations, keys: 1000, kind: 'note', textBytes: TEXT_BYTES, perTurn: 100 })
  const taken = await timed(cluster, folder)
  await cluster.close()
  return taken
}

/** Each in turn, on the same cluster. */
async function joins(rounds: number, keys: number): Promise<Taken[]> {
  const cluster = await openMeshCluster(2)
  const writing = { operations: keys, keys, kind: 'note', textBytes: TEXT_BYTES, perTurn: 100 } as const
  await cluster.processes[0]?.ask('write', writing)
  await cluster.processes[1]?.ask('applied', { count: keys })
  const taken = await repeated(rounds, () => timed(cluster))
  await cluster.close()
  return taken
}

async function isBehind(context: BenchContext, round: number, operations: number): Promise<Taken> {
  const { cluster, folder } = await withoutThird(context, `behind-${round}`, HORIZON_MS)
  const [writer] = cluster.processes
  const keys = Math.max(10, operations / 100)
  await writer?.ask('write', { operations, keys, kind: 'last', textBytes: TEXT_BYTES, perTurn: 100 })
  await writer?.ask('compactUntil', { operationsMax: operations / 2 })
  const taken = await timed(cluster, folder, HORIZON_MS)
  await cluster.close()
  return taken
}

/** Starts one more replica and waits until it holds the mark that is written last. */
async function timed({ processes, addresses }: MeshCluster, folder?: string, horizonMs?: number): Promise<Taken> {
  const text = `mark ${++marks}`
  await processes[0]?.ask('mark', { text })
  const startedAt = performance.now()
  const process = new ChildProgram<MeshProgram>('bench/mesh')
  await process.ask('creditPort')
  const openedAt = performance.now()
  await process.ask('open', {
    peers: addresses.slice(0, 2),
    ...(folder === undefined ? {} : { folder }),
    ...(horizonMs === undefined ? {} : { replication: { horizonMs } }),
  })
  await process.ask('sees', { text })
  const now = performance.now()
  const bySnapshot = (await process.ask('snapshotCount')) > 0
  await process.end('SIGKILL')
  return { bySnapshot, sinceStartMs: now - startedAt, sinceOpenMs: now - openedAt }
}

let marks = 0
