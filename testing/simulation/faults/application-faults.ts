/**
 * What applications do to an engine beside reading and writing. Merge functions that throw come
 * with the default keys.
 */
import type { Fault } from './fault.ts'
import { victim } from './fault.ts'

export type ApplicationFault = 'compaction' | 'stalled watch' | 'projection'

export const APPLICATION_FAULTS: Readonly<Record<ApplicationFault, Fault>> = {
  compaction: {
    everyMs: [2000, 20_000],
    strike: (context) => {
      const machine = victim(context)
      const { world } = context
      if (machine?.warp === undefined) return false
      // Who has compacted before it ever met the others cannot be merged with them: README, "What
      // it does not promise".
      if (!machine.warp.stats().isJoined) {
        world.history.exempt('compaction before a replica has met the others')
        return false
      }
      world.struck('compaction', machine.name)
      world.call(machine, { kind: 'compact' })
      return true
    },
  },
  'stalled watch': {
    everyMs: [10_000, 40_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine === undefined) return false
      context.world.struck('stalled watch', machine.name)
      context.world.call(machine, { kind: 'watch', pattern: '*', takeMax: context.random.below(30) })
      return true
    },
  },
  /** Started, fed and dropped with the process. Throws now and then. */
  projection: {
    everyMs: [15_000, 60_000],
    strike: (context) => {
      const machine = victim(context)
      if (machine?.warp === undefined) return false
      const name = `projection ${context.random.uint32()}`
      context.world.struck('projection', machine.name)
      machine.warp
        .project({ name, initial: () => 0, apply: (count: number) => count + 1 })
        .then(undefined, () => context.world.struck('projection refused'))
      return true
    },
  },
}
