/**
 * What a larger cluster costs: until all processes have applied one write, and the bytes that it
 * puts on the wire, of all processes together; and the bytes that a process sends in a second in
 * which nothing happens. On a machine with few cores the time is that of waking up so many
 * processes.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { type MeshCluster, openMeshCluster } from './support/mesh-cluster.ts'
import { formatCount, formatNs } from './support/table.ts'

export const question = 'What do a write and an idle second cost as a mesh grows from 3 to 32 processes?'

const VALUE_BYTES = 200
/** Digests, which tell of a write and let it become stable, have come and gone by then. */
const SETTLE_MS = 2000

interface Cost {
  readonly processes: number
  readonly convergedNs: readonly number[]
  readonly bytesPerWrite: number
  readonly idleBytesPerSecond: number
}

export async function run(context: BenchContext): Promise<void> {
  const costs: Cost[] = []
  for (const count of context.isSmoke ? [3] : [3, 8, 16, 32]) costs.push(await measure(context, count))
  context.report(
    `one write of ${VALUE_BYTES} bytes`,
    ['processes', 'applied by all, median', 'p99', 'bytes on the wire per write', 'bytes per second and process, idle'],
    costs.map(({ processes, convergedNs, bytesPerWrite, idleBytesPerSecond }) => [
      String(processes),
      formatNs(quantile(convergedNs, 0.5)),
      formatNs(quantile(convergedNs, 0.99)),
      formatCount(bytesPerWrite),
      formatCount(idleBytesPerSecond),
    ]),
  )
  const line = (name: string, value: (cost: Cost) => number): { name: string; points: [number, number][] } => ({
    name,
    points: costs.map((cost) => [cost.processes, value(cost)]),
  })
  context.figure('mesh-growth', {
    title: 'One write as the mesh grows',
    x: { label: 'processes', scale: 'log' },
    y: { label: 'bytes, microseconds', scale: 'log' },
    series: [
      line('bytes on the wire per write', (cost) => cost.bytesPerWrite),
      line('bytes per second, process idle', (cost) => cost.idleBytesPerSecond),
      line('µs until applied by all', (cost) => quantile(cost.convergedNs, 0.5) / 1000),
    ],
  })
}

async function measure(context: BenchContext, count: number): Promise<Cost> {
  const writes = context.size(10, 2)
  const settleMs = context.size(SETTLE_MS, 200)
  const cluster = await openMeshCluster(count)
  await pause(settleMs)
  const idleMs = context.size(6000, 300)
  const before = await bytesSent(cluster)
  await pause(idleMs)
  const afterIdle = await bytesSent(cluster)
  const perMs = (afterIdle - before) / idleMs
  const startedAt = performance.now()
  const convergedNs: number[] = []
  for (let i = 0; i < writes; i++) {
    convergedNs.push(await converge(cluster, String(i).padEnd(VALUE_BYTES, '.')))
    // Apart, or one digest would tell of several.
    await pause(context.size(500, 50))
  }
  await pause(settleMs)
  const written = (await bytesSent(cluster)) - afterIdle - perMs * (performance.now() - startedAt)
  await cluster.close()
  return {
    ...{ processes: count, convergedNs },
    bytesPerWrite: Math.max(1, written / writes),
    idleBytesPerSecond: Math.max(1, (perMs * 1000) / count),
  }
}

/** Nanoseconds from a write of the first process until the last one has applied it. */
async function converge({ processes }: MeshCluster, text: string): Promise<number> {
  const [writer, ...others] = processes
  await Promise.all(others.map((process) => process.ask('expectMark', { text })))
  const writtenAt = (await writer?.ask('mark', { text })) ?? 0n
  const seenAt = await Promise.all(others.map((process) => process.ask('marked')))
  const latest = seenAt.reduce((a, b) => (a > b ? a : b))
  return Number(latest - writtenAt)
}

async function bytesSent(cluster: MeshCluster): Promise<number> {
  const counts = await cluster.all((process) => process.ask('wire'))
  return counts.reduce((sum, { datagramBytes, streamBytes }) => sum + datagramBytes + streamBytes, 0)
}
