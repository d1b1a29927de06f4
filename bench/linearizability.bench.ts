/**
 * Judging histories of 200 calls: 8 processes, 8 registers, some answers lost. The rival is the
 * definition taken at its word, every order of all calls, without memory and not by key, which has
 * to give up nearly always. Half of the histories are right; in the others one answer has been
 * changed, and to judge those includes to say which calls are to blame.
 */
import type { History } from '../testing/history/history.ts'
import { checkLinearizability } from '../testing/linearizability/check-linearizability.ts'
import { registerModel } from '../testing/linearizability/models.ts'
import { naiveVerdict } from '../test/support/naive-linearizability.ts'
import { atomicRegister, mutated, simulatedHistory } from '../test/support/simulated-history.ts'
import type { BenchContext } from './support/bench.ts'
import { type Running, quantile } from './support/measure.ts'

export const question = 'How many histories of 200 calls does the linearizability checker judge in a second?'

const SHAPE = { calls: 200, processes: 8, keys: 8, indeterminate: 0.12 }
const NAIVE_STEPS_MAX = 2000
const ROUNDS = 7

type Verdict = 'linearizable' | 'violation' | 'undecided'
type Judge = (history: History) => Verdict

export async function run(context: BenchContext): Promise<void> {
  const count = context.size(500, 10)
  const random = context.random('histories')
  const right = Array.from({ length: count }, () => simulatedHistory(random, atomicRegister, SHAPE))
  const changed = right.map((history) => mutated(random, history))
  context.check(indeterminateShare(right) >= 0.05, 'at least 5 % of the calls are indeterminate')
  context.check(!right.map(warp).includes('violation'), 'what an atomic register did is right')
  context.check(changed.map(warp).includes('violation'), 'a changed answer is found')
  const few = [...right, ...changed].filter((_, i) => i % context.size(20, 5) === 0)
  await context.compare({
    title: `histories of ${SHAPE.calls} calls; every order gives up after ${NAIVE_STEPS_MAX} steps`,
    baseline: 'every order',
    operations: few.length,
    batches: 1,
    contestants: [
      { name: 'Warp', open: () => judging(few, warp) },
      { name: 'every order', open: () => judging(few, naive) },
    ],
    goals: [{ of: 'Warp', atLeast: 1 }],
  })
  context.report(
    'decided, and how fast',
    ['', 'decided, %', 'per second'],
    [
      ['Warp, right', decidedPercent(right, warp), perSecond(context, right)],
      ['Warp, one answer changed', decidedPercent(changed, warp), perSecond(context, changed)],
      ['every order, both', decidedPercent(few, naive), ''],
    ],
  )
  if (!context.isSmoke) {
    context.goal('right histories per second', perSecond(context, right), { atLeast: 500 })
    context.goal('changed histories per second', perSecond(context, changed), { atLeast: 500 })
    context.goal('decided, % of all', decidedPercent([...right, ...changed], warp), { atLeast: 99.9 })
  }
}

function warp(history: History): Verdict {
  return checkLinearizability(history, registerModel).kind
}

function naive(history: History): Verdict {
  return naiveVerdict(history, registerModel, { stepsMax: NAIVE_STEPS_MAX })
}

function judging(histories: readonly History[], judge: Judge): Running {
  let verdicts: readonly Verdict[] = []
  return {
    batch: () => void (verdicts = histories.map(judge)),
    verify() {
      const isContradicted = verdicts.some((verdict, i) => {
        const known = warp(histories[i] as History)
        return verdict !== 'undecided' && known !== 'undecided' && verdict !== known
      })
      if (isContradicted) throw new Error('the judges contradict each other')
    },
  }
}

function indeterminateShare(histories: readonly History[]): number {
  const lost = histories.map(({ events }) => events.filter(({ type }) => type === 'info').length)
  return lost.reduce((sum, count) => sum + count, 0) / (histories.length * SHAPE.calls)
}

function decidedPercent(histories: readonly History[], judge: Judge): number {
  const decided = histories.filter((history) => judge(history) !== 'undecided')
  return (decided.length / histories.length) * 100
}

function perSecond(context: BenchContext, histories: readonly History[]): number {
  const taken = Array.from({ length: context.size(ROUNDS, 1) }, () => {
    const startedAt = process.hrtime.bigint()
    for (const history of histories) warp(history)
    return Number(process.hrtime.bigint() - startedAt)
  })
  return (histories.length / quantile(taken, 0.5)) * 1e9
}
