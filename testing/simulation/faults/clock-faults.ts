/**
 * How clocks go wrong. When the faults end, all machines agree on the time again, and nobody has
 * been ahead of it.
 */
import { type Fault, logUniform, victim } from './fault.ts'

const MINUTE_MS = 60_000
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS

export type ClockFault = 'skew' | 'drift' | 'jump' | 'freeze' | 'suspend'

export const CLOCK_FAULTS: Readonly<Record<ClockFault, Fault>> = {
  /** Small enough to be tolerated, mostly. */
  skew: {
    begin: ({ world, random }) => {
      for (const machine of world.machines) machine.clock.jump(random.between(-400, 400))
      const [far] = random.shuffled(world.machines)
      if (random.chance(0.3)) far?.clock.jump(random.between(-10, 10) * MINUTE_MS)
      world.struck('skew')
    },
  },
  drift: {
    begin: ({ world, random }) => {
      for (const machine of world.machines) machine.clock.drift(random.between(-500, 500))
      world.struck('drift')
    },
  },
  jump: {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      const { random, world } = context
      const farMs = random.pick([500, 5000, 60 * MINUTE_MS, 10 * YEAR_MS])
      const byMs = Math.round((random.float() * 2 - 1) * farMs)
      world.struck('jump', `${machine.name} ${byMs} ms`)
      machine.clock.jump(byMs)
      return true
    },
  },
  freeze: {
    everyMs: [15_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('freeze', machine.name)
      machine.clock.drift(-1_000_000)
      context.until(logUniform(context.random, 100, 20_000), () => machine.clock.drift(0))
      return true
    },
  },
  /**
   * The machine sleeps: its processes stand still, its wall clock goes on, and its monotonic clock
   * does not.
   */
  suspend: {
    everyMs: [15_000, 60_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      const { world, random } = context
      const sinceMs = world.nowMs
      world.struck('suspend', machine.name)
      machine.pause()
      context.until(logUniform(random, 100, 30_000), () => {
        machine.clock.slept(world.nowMs - sinceMs)
        machine.resume()
      })
      return true
    },
  },
}
