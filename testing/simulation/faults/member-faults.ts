/**
 * Who takes part: machines that join late, leave, come only for a moment, stay away for long, and such that
 * run a later version.
 */
import { MIXED_VERSIONS } from './mixed-versions.ts'
import { type Fault, type FaultContext, logUniform, victim } from './fault.ts'
import { laterOperation } from '../later-version.ts'
import { WALL_START_MS } from '../machine-clock.ts'

export type MemberFault =
  'join' | 'leave' | 'short life' | 'long absence' | 'restart in order' | 'later version' | 'mixed versions'

export const MEMBER_FAULTS: Readonly<Record<MemberFault, Fault>> = {
  join: {
    everyMs: [30_000, 90_000],
    strike: ({ world }) => {
      if (world.machines.length > world.options.machines + JOINERS_MAX) return false
      const machine = world.add()
      world.struck('join', machine.name)
      void machine.start()
      return true
    },
  },
  /** In order, and for good: there is one less at the end. */
  leave: {
    everyMs: [40_000, 120_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined || staying(context) <= LEAST_MACHINES) return false
      context.world.struck('leave', machine.name)
      void machine.leave(context.random.chance(0.7))
      return true
    },
  },
  /** One that comes, takes part for a moment, and is gone for good: its id goes from all vectors. */
  'short life': {
    everyMs: [4000, 20_000],
    strike: ({ world, random }) => {
      if (world.machines.length > world.options.machines + SHORT_LIVES_MAX) return false
      const machine = world.add()
      world.struck('short life', machine.name)
      void machine.start()
      const leave = (): void => {
        if (machine.hasLeft) return
        if (machine.warp === undefined) world.after(LOOK_MS, leave)
        else void machine.leave(true)
      }
      world.after(logUniform(random, 500, 20_000), leave)
      return true
    },
  },
  /** Longer than the others wait for it: they compact without it. */
  'long absence': {
    everyMs: [30_000, 80_000],
    strike: (context) => {
      const { world, random } = context
      const machine = victim(context)
      if (machine === undefined) return false
      world.struck('long absence', machine.name)
      machine.end(random.pick(['killed', 'power failure']))
      context.restart(machine, logUniform(random, 20_000, 80_000))
      return true
    },
  },
  'restart in order': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('restart in order', machine.name)
      void machine.close().then(() => context.restart(machine, logUniform(context.random, 10, 5000)))
      return true
    },
  },
  /** What a replica of a later version has written comes in at one of ours. */
  'later version': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      const warp = machine?.warp
      if (machine === undefined || warp === undefined) return false
      // Who writes it is not there any more to be asked. Stamped far ahead, it would be quarantined
      // until it has been given up.
      if (machine.clock.wallMs > WALL_START_MS + context.world.nowMs + TOLERATED_MS) {
        context.world.history.exempt('no operation of a later version at a machine whose clock is ahead')
        return false
      }
      context.world.struck('later version', machine.name)
      laterOperation(context.world, machine, context.random)
      return true
    },
  },
  'mixed versions': MIXED_VERSIONS,
}

const TOLERATED_MS = 400
const JOINERS_MAX = 1
const SHORT_LIVES_MAX = 6
/** As long as it is not up, it is looked again. */
const LOOK_MS = 500
const LEAST_MACHINES = 3

function staying({ world }: FaultContext): number {
  return world.machines.filter(({ hasLeft }) => !hasLeft).length
}
