/** Processor time of five replicas that have met and have nothing to do. */
import { setTimeout as pause } from 'node:timers/promises'
import type { BenchContext } from './support/bench.ts'
import { openMeshCluster } from './support/mesh-cluster.ts'

export const question = 'How much processor time does an idle cluster of five take?'

const COUNT = 5

export async function run(context: BenchContext): Promise<void> {
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
