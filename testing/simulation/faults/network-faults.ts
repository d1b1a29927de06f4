/** What befalls frames: all links alike for the settings, some of them for cuts. */
import { type Fault, type FaultContext, logUniform } from './fault.ts'

type Pair = readonly [from: string, to: string]

export type NetworkFault =
  | 'loss'
  | 'burst loss'
  | 'repeat'
  | 'late repeat'
  | 'reorder'
  | 'delay'
  | 'bandwidth'
  | 'truncation'
  | 'bit flip'
  | 'partition'
  | 'one-way partition'
  | 'bridge'
  | 'flapping'

export const NETWORK_FAULTS: Readonly<Record<NetworkFault, Fault>> = {
  loss: { begin: ({ world, random }) => world.wire.set({ loss: random.float() * 0.5 }) },
  'burst loss': {
    everyMs: [5000, 20_000],
    strike: (context) => {
      const { world, random } = context
      world.struck('burst loss')
      world.wire.burst = 0.5 + random.float() / 2
      context.until(logUniform(random, 50, 3000), () => (world.wire.burst = 0))
      return true
    },
  },
  repeat: { begin: ({ world, random }) => world.wire.set({ repeat: random.float() * 0.3 }) },
  'late repeat': {
    begin: ({ world, random }) =>
      world.wire.set({ repeat: 0.02 + random.float() * 0.1, repeatDelayMs: logUniform(random, 1000, 3_600_000) }),
  },
  reorder: { begin: ({ world, random }) => world.wire.set({ reorder: random.float() * 0.5 }) },
  delay: {
    begin: ({ world, random }) => {
      world.struck('delay')
      world.wire.set({ delayMs: logUniform(random, 1, 300), delaySpread: random.float() * 1.5 })
    },
  },
  bandwidth: {
    begin: ({ world, random }) => {
      world.struck('bandwidth')
      world.wire.set({ bandwidth: logUniform(random, 10_000, 1_000_000) })
    },
  },
  truncation: {
    begin: ({ world, random }) =>
      (world.wire.damage = { ...world.wire.damage, truncated: logUniform(random, 0.001, 0.05) }),
  },
  'bit flip': {
    begin: ({ world, random }) =>
      (world.wire.damage = { ...world.wire.damage, flipped: logUniform(random, 0.001, 0.05) }),
  },
  partition: {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const [some, others] = halves(context)
      return cut(context, 'partition', crossing(some, others, true))
    },
  },
  'one-way partition': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const [some, others] = halves(context)
      return cut(context, 'one-way partition', crossing(some, others, false))
    },
  },
  /** Two halves that only one machine hears. */
  bridge: {
    everyMs: [15_000, 40_000],
    strike: (context) => {
      const [, ...names] = context.random.shuffled(context.world.machines.map(({ name }) => name))
      const half = Math.ceil(names.length / 2)
      return cut(context, 'bridge', crossing(names.slice(0, half), names.slice(half), true))
    },
  },
  flapping: {
    everyMs: [15_000, 40_000],
    strike: (context) => {
      const { world, random } = context
      const [some, others] = halves(context)
      const pairs = crossing(some, others, random.chance(0.5))
      const periodMs = logUniform(random, 10, 2000)
      world.struck('flapping')
      for (let flap = 0; flap < 10; flap++) {
        world.after(2 * flap * periodMs, () => {
          if (world.nowMs < context.endMs) world.wire.cut(pairs)
        })
        context.until((2 * flap + 1) * periodMs, () => world.wire.mend(pairs))
      }
      return true
    },
  },
}

function cut(context: FaultContext, kind: string, pairs: readonly Pair[]): boolean {
  const { world, random } = context
  if (pairs.length === 0) return false
  world.struck(kind, pairs.map((pair) => pair.join('>')).join(' '))
  world.wire.cut(pairs)
  context.until(logUniform(random, 100, 25_000), () => world.wire.mend(pairs))
  return true
}

function halves({ world, random }: FaultContext): readonly [string[], string[]] {
  const names = random.shuffled(world.machines.map(({ name }) => name))
  const size = 1 + random.below(Math.max(1, names.length - 1))
  return [names.slice(0, size), names.slice(size)]
}

function crossing(some: readonly string[], others: readonly string[], bothWays: boolean): Pair[] {
  return some.flatMap((a) =>
    others.flatMap((b): Pair[] =>
      bothWays
        ? [
            [a, b],
            [b, a],
          ]
        : [[a, b]],
    ),
  )
}
