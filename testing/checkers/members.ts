/**
 * W69: nobody who takes part is taken for one that has left. An id that a replica has pruned is the
 * present one of no machine that stays, and what a replica has pruned it names no more.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Checker, Violation } from './checker.ts'

const NAME = 'W69'

export function memberChecker(): Checker {
  const prunedBy = new Map<ReplicaId, string>()
  return {
    name: NAME,
    observe(event) {
      if (event.kind !== 'report' || event.report.event.kind !== 'members:pruned') return undefined
      for (const replica of event.report.event.replicas) prunedBy.set(replica, event.report.machine)
      return undefined
    },
    verify({ phase, machines }) {
      if (phase === 'replayed') return []
      return machines.flatMap(({ name, warp }): Violation[] => {
        const by = prunedBy.get(warp.replica)
        if (by === undefined) return []
        const message = `${name} is up as ${warp.replica}, which ${by} has pruned as one that has left`
        return [{ invariant: NAME, message, machine: name }]
      })
    },
  }
}
