/**
 * How processes and machines end, begin again, stand still and crawl; and whose disk they come back
 * with.
 */
import type { Machine } from '../machine.ts'
import { type Fault, type FaultContext, logUniform, victim } from './fault.ts'

export type ProcessFault =
  | 'kill'
  | 'power failure'
  | 'death in a disk step'
  | 'death at an await'
  | 'lost disk'
  | 'old backup'
  | 'clone'
  | 'pause'
  | 'slow'

export const PROCESS_FAULTS: Readonly<Record<ProcessFault, Fault>> = {
  kill: { everyMs: [4000, 30_000], strike: (context) => end(context, 'kill', (machine) => machine.end('killed')) },
  'power failure': {
    everyMs: [6000, 40_000],
    strike: (context) => end(context, 'power failure', (machine) => machine.end('power failure')),
  },
  /** In the middle of a step of the disk: the next one, or one of the next. */
  'death in a disk step': {
    everyMs: [4000, 20_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      const { random } = context
      machine.stepsToDeath = {
        left: 1 + random.below(random.pick([2, 20, 200])),
        ending: random.pick(['killed', 'power failure']),
      }
      return true
    },
  },
  /** In the middle of whatever it is doing when it next uses its Env. */
  'death at an await': {
    everyMs: [4000, 20_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine?.life === undefined) return false
      machine.life.dieAfter(1 + context.random.below(context.random.pick([3, 50, 500])))
      return true
    },
  },
  'lost disk': {
    everyMs: [20_000, 60_000],
    strike: (context) =>
      end(context, 'lost disk', (machine) => {
        machine.end('power failure')
        machine.replaceDisk(undefined, 'disk lost')
      }),
  },
  'old backup': {
    everyMs: [15_000, 40_000],
    strike: (context) => {
      const { world, random } = context
      const machine = victim(context)
      if (machine === undefined) return false
      if (machine.backup === undefined || random.chance(0.3)) {
        machine.backup = {
          disk: machine.disk.copy(`${machine.home}/restored ${machine.lifeNumber}`),
          atMs: world.nowMs,
          hasRotted: machine.hasRotted,
        }
        return true
      }
      world.struck('old backup', machine.name)
      machine.end('killed')
      machine.replaceDisk(machine.backup.disk, 'restored', machine.backup.hasRotted)
      machine.backup = undefined
      context.restart(machine, restartMs(context))
      return true
    },
  },
  /** A copy of a running machine's folder, started elsewhere. */
  clone: {
    everyMs: [40_000, 120_000],
    strike: (context) => {
      const { world } = context
      const machine = victim(context)
      if (machine === undefined || world.machines.length > world.options.machines + CLONES_MAX) return false
      const clone = world.add(machine.disk.copy(`m${world.machines.length}/copied from ${machine.name}`))
      clone.format = machine.format
      world.struck('clone', `${machine.name} to ${clone.name}`)
      world.noteCopied(machine, clone)
      void clone.start()
      return true
    },
  },
  pause: {
    everyMs: [5000, 30_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('pause', machine.name)
      machine.pause()
      context.until(logUniform(context.random, 1, 40_000), () => machine.resume())
      return true
    },
  },
  slow: {
    everyMs: [15_000, 40_000],
    strike: (context) => {
      const { life } = victim(context) ?? {}
      if (life === undefined) return false
      context.world.struck('slow')
      life.costMs = logUniform(context.random, 1, 30)
      context.until(logUniform(context.random, 1000, 10_000), () => (life.costMs = 0))
      return true
    },
  },
}

const CLONES_MAX = 1

export function restartMs({ random }: FaultContext): number {
  return logUniform(random, 10, 10_000)
}

function end(context: FaultContext, kind: string, how: (machine: Machine) => void): boolean {
  const machine = victim(context)
  if (machine === undefined) return false
  context.world.struck(kind, machine.name)
  how(machine)
  context.restart(machine, restartMs(context))
  return true
}
