/**
 * Replicas that do not come back, and operators who say so. Drawn behind all other kinds, so that
 * seeds from before these were there go on as they did.
 */
import { type Fault, type FaultContext, victim } from './fault.ts'

export type GivenUpFault = 'eviction' | 'death'

export const GIVEN_UP_FAULTS: Readonly<Record<GivenUpFault, Fault>> = {
  /**
   * Somebody gives up any id that it knows: of a machine that is down, of one that is up, or that
   * nobody has had for long.
   */
  eviction: {
    everyMs: [8000, 60_000],
    strike: (context) => {
      const { world, random } = context
      const machine = victim(context)
      const warp = machine?.warp
      if (machine === undefined || warp === undefined) return false
      const others = warp.replicas().filter(({ isSelf }) => !isSelf)
      if (others.length === 0) return false
      const { replica } = random.pick(others)
      const by = machine.name
      warp.evict(replica, { force: true }).then(
        () => world.struck('eviction', `${by} ${replica}`),
        // It had left, was given up before, or the disk takes nothing more.
        () => world.history.count('eviction refused'),
      )
      return true
    },
  },
  /** A machine dies for good, with its disk, and another one takes its place. */
  death: {
    everyMs: [20_000, 80_000],
    strike: (context) => {
      const { world, random } = context
      const machine = victim(context)
      if (machine === undefined || staying(context) <= LEAST_MACHINES) return false
      if (world.machines.length > world.options.machines + NEWCOMERS_MAX) return false
      world.struck('death', machine.name)
      machine.hasLeft = true
      machine.end(random.pick(['killed', 'power failure']))
      const newcomer = world.add()
      newcomer.format = Math.max(...world.machines.map(({ formatHighest }) => formatHighest))
      context.restart(newcomer, 1 + random.below(10_000))
      return true
    },
  },
}

const LEAST_MACHINES = 3
const NEWCOMERS_MAX = 5

function staying({ world }: FaultContext): number {
  return world.machines.filter(({ hasLeft }) => !hasLeft).length
}
