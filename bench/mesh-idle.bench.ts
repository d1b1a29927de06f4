/**
 * Replicas that have met and have nothing to do: processor time of five, and what one sends among 3
 * as among 32, each a process of its own.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './support/bench.ts'
import { openMeshCluster } from './support/mesh-cluster.ts'
import { formatCount } from './support/table.ts'

export const question = 'What does an idle cluster cost, in processor time and on the wire?'

const COUNT = 5
/** By then they have told each other everything, and speak as seldom as they ever do. */
const QUIET_MS = 75_000

export async function run(context: BenchContext): Promise<void> {
  await processorTime(context)
  const sizes = context.sizes([3, 32], 32, [3])
  const sent = new Map<number, Sent>()
  for (const count of sizes) sent.set(count, await sentByOne(context, count))
  context.report(
    `one idle process, ${context.size(60, 1)} s`,
    ['processes', 'bytes per second', 'datagrams per second'],
    [...sent].map(([count, { bytes, datagrams }]) => [String(count), formatCount(bytes), datagrams.toFixed(2)]),
  )
  const [few, many] = [sent.get(3), sent.get(32)]
  if (few === undefined || many === undefined) return
  context.goal('a process of 32 against one of 3, bytes', many.bytes / few.bytes, { atMost: 2 })
  context.goal('a process of 32 against one of 3, datagrams', many.datagrams / few.datagrams, { atMost: 2 })
}

async function processorTime(context: BenchContext): Promise<void> {
  const seconds = context.size(15, 1)
  const cluster = await openMeshCluster(COUNT)
  await cluster.processes[0]?.ask('write', { operations: 1000, keys: 100, kind: 'note', textBytes: 200, perTurn: 100 })
  await cluster.all((process) => process.ask('applied', { count: 1000 }))
  await pause(context.size(5000, 100))
  await cluster.all((process) => process.ask('cpu'))
  await pause(seconds * 1000)
  const shares = (await cluster.all((process) => process.ask('cpu'))).map((us) => us / seconds / 1e6)
  await cluster.close()
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`
  context.report(
    `${COUNT} replicas with 100 keys, ${seconds} s`,
    ['replica', 'of one core'],
    shares.map((share, i) => [String(i + 1), percent(share)]),
  )
  context.goal('the busiest, per cent of a core', Math.max(...shares) * 100, { atMost: 1 })
}

interface Sent {
  readonly bytes: number
  readonly datagrams: number
}

/** A second, of the average process; each of them has written. */
async function sentByOne(context: BenchContext, count: number): Promise<Sent> {
  const cluster = await openMeshCluster(count)
  const writing = { operations: 10, keys: 10, kind: 'note', textBytes: 200, perTurn: 10 } as const
  await cluster.all((process) => process.ask('write', writing))
  await cluster.all((process) => process.ask('applied', { count: 10 * count }))
  await pause(context.size(QUIET_MS, 100))
  const before = await wireOf(cluster)
  const seconds = context.size(60, 1)
  await pause(seconds * 1000)
  const after = await wireOf(cluster)
  await cluster.close()
  const perSecond = (sent: number): number => sent / seconds / count
  return { bytes: perSecond(after.bytes - before.bytes), datagrams: perSecond(after.datagrams - before.datagrams) }
}

async function wireOf(cluster: Awaited<ReturnType<typeof openMeshCluster>>): Promise<Sent> {
  const sent = { bytes: 0, datagrams: 0 }
  for (const counts of await cluster.all((process) => process.ask('wire'))) {
    sent.bytes += counts.datagramBytes + counts.streamBytes
    sent.datagrams += counts.datagrams
  }
  return sent
}
