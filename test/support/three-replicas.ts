/** Replicas of one key without an engine, for causal graphs of a few operations. */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { REPLICA_IDS, ReferenceReplica } from '../../testing/laws/reference-replica.ts'

export interface ThreeReplicas {
  readonly a: ReferenceReplica
  readonly b: ReferenceReplica
  readonly c: ReferenceReplica
}

export function threeReplicas(strategy: AnyStrategy): ThreeReplicas {
  const [a, b, c] = REPLICA_IDS.map((id) => new ReferenceReplica(strategy, id)) as [
    ReferenceReplica,
    ReferenceReplica,
    ReferenceReplica,
  ]
  return { a, b, c }
}

/** Everybody gets everything, the later replicas' operations first. Returns the values, one per replica. */
export function exchange(...replicas: readonly ReferenceReplica[]): unknown[] {
  const everything = replicas.flatMap((replica) => [...replica.operations.values()]).reverse()
  return replicas.map((replica) => replica.deliverAll(everything).value)
}

/** The code of what `action` throws. */
export function codeOf(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return (error as { code?: unknown }).code
  }
  return undefined
}
