/** How disks fail while they are used, and rot while they are not. */
import type { FaultyFiles } from '../../world/faulty-files.ts'
import type { Random } from '../../world/random.ts'
import { type Fault, type FaultContext, logUniform, victim } from './fault.ts'
import type { Machine } from '../machine.ts'

export type DiskFault = 'slow disk' | 'disk full' | 'read error' | 'write error' | 'flush error' | 'bit rot'

export const DISK_FAULTS: Readonly<Record<DiskFault, Fault>> = {
  'slow disk': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('slow disk', machine.name)
      const before = machine.flushMs
      machine.flushMs = logUniform(context.random, 10, 5000)
      context.until(logUniform(context.random, 500, 10_000), () => (machine.flushMs = before))
      return true
    },
  },
  'disk full': {
    everyMs: [8000, 30_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('disk full', machine.name)
      fill(machine, context.random)
      context.until(logUniform(context.random, 100, 15_000), () => (machine.disk.spaceBytes = Infinity))
      return true
    },
  },
  'read error': { everyMs: [15_000, 60_000], strike: (context) => fail(context, 'read') },
  'write error': { everyMs: [15_000, 60_000], strike: (context) => fail(context, 'write') },
  'flush error': { everyMs: [15_000, 60_000], strike: (context) => fail(context, 'sync') },
  /** In the file of a machine that is down. */
  'bit rot': {
    everyMs: [20_000, 60_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      const { world, random } = context
      machine.end('killed')
      if (rot(machine.disk, random)) {
        world.struck('bit rot', machine.name)
        machine.rotted()
      }
      context.restart(machine, 1000)
      return true
    },
  },
}

function fail(context: FaultContext, call: 'read' | 'write' | 'sync'): boolean {
  const machine = victim(context)
  if (machine === undefined) return false
  context.world.struck(call === 'sync' ? 'flush error' : `${call} error`, machine.name)
  machine.disk.failNext(call, 'EIO', 1 + context.random.below(3))
  return true
}

/** No room beyond a few more records. */
function fill({ disk }: Machine, random: Random): void {
  const used = disk.list().reduce((sum, name) => sum + disk.bytes(name).length, 0)
  disk.spaceBytes = used + random.pick([0, 100, 5000])
}

/** Flips bits of one file; `false` if there is nothing to flip. */
function rot(disk: FaultyFiles, random: Random): boolean {
  const names = disk.list().filter((name) => disk.bytes(name).length > 0)
  if (names.length === 0) return false
  const name = random.pick(names)
  const bits = disk.bytes(name).length * 8
  for (let flips = 1 + random.below(3); flips > 0; flips--) disk.flipBit(name, random.below(bits))
  return true
}
