/**
 * How far ahead of real time a simulated cluster runs: virtual seconds per second of processor
 * time, which is what a core gives on an idle machine, whatever else runs on this one. Each seed
 * has its own faults, so some cost more than others: shown are the middle one and the slowest. A
 * run without faults says what the engines and the checks cost by themselves.
 */
import type { FaultKind } from '../testing/simulation/faults/fault-plan.ts'
import { simulate } from '../testing/simulation/simulate.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'

export const question = 'How many virtual seconds does the simulator run in a second?'

const REPLICAS = 5

interface Run {
  readonly virtualPerProcessor: number
  readonly virtualPerReal: number
  readonly calls: number
  readonly hash: string
}

export async function run(context: BenchContext): Promise<void> {
  const seeds = context.size(20, 2)
  const seconds = context.size(120, 20)
  await simulated({ seed: 0, seconds }) // compiles
  const faulty = await each(seeds, (seed) => simulated({ seed, seconds }))
  const quiet = await each(context.size(5, 1), (seed) => simulated({ seed, seconds, faults: [] }))
  const again = await simulated({ seed: 1, seconds })
  context.check(again.hash === faulty[0]?.hash, 'the same seed gives the same run')
  context.report(
    `${REPLICAS} replicas, ${seconds} virtual seconds of use, and coming to rest and verifying after that`,
    ['', 'seeds', 'calls', 'virtual s per s of a core', 'the slowest seed', 'virtual s per real s'],
    [row('all faults', faulty), row('no faults', quiet)],
  )
  if (!context.isSmoke)
    context.goal('virtual seconds per second of a core, all faults', middle(faulty), { atLeast: 100 })
}

async function each(count: number, make: (seed: number) => Promise<Run>): Promise<Run[]> {
  const runs: Run[] = []
  for (let seed = 1; seed <= count; seed++) runs.push(await make(seed))
  return runs
}

async function simulated(options: {
  readonly seed: number
  readonly seconds: number
  readonly faults?: readonly FaultKind[]
}): Promise<Run> {
  const processor = process.cpuUsage()
  const startedAt = process.hrtime.bigint()
  const { virtualMs, hash, history } = await simulate({ ...options, replicas: REPLICAS, minimise: false })
  const realMs = Number(process.hrtime.bigint() - startedAt) / 1e6
  const { user, system } = process.cpuUsage(processor)
  const processorMs = (user + system) / 1e3
  return {
    ...{ virtualPerProcessor: virtualMs / processorMs, virtualPerReal: virtualMs / realMs },
    ...{ calls: history.calls.length, hash },
  }
}

function row(name: string, runs: readonly Run[]): (string | number)[] {
  const slowest = Math.min(...runs.map(({ virtualPerProcessor }) => virtualPerProcessor))
  const calls = runs.reduce((sum, one) => sum + one.calls, 0)
  const real = quantile(
    runs.map(({ virtualPerReal }) => virtualPerReal),
    0.5,
  )
  return [name, runs.length, calls, middle(runs), slowest, real]
}

function middle(runs: readonly Run[]): number {
  return quantile(
    runs.map(({ virtualPerProcessor }) => virtualPerProcessor),
    0.5,
  )
}
