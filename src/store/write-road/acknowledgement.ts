/**
 * How many replicas must hold a write before its promise settles, and who knows.
 */
import type { Dot } from '../../../crdt/time/dot.ts'

/** How safe a copy of an operation is where it is held; each level includes those before it. */
export type AckLevel = 'memory' | 'logged' | 'durable'

/**
 * What `acks` asks for: that many replicas, in that many zones, hold the operation at that level.
 */
export interface ReplicaAcks {
  /** Distinct replicas that hold the operation. At least 1. */
  readonly replicas: number
  /**
   * Distinct zones among these replicas. Default 1. A replica says its own with
   * `openWarp({ zone })`.
   */
  readonly zones?: number
  /**
   * What holding means. Default: `'logged'`, and of a replica whose log is in memory `'memory'`; the
   * receipt says which of them all that counted have reached.
   */
  readonly level?: AckLevel
  /** Whether this replica counts as one of them. Default `true`. */
  readonly countSelf?: boolean
  /**
   * How long other replicas are waited for, ms, from 1 to 86,400,000 (a day). Then the promise
   * rejects with `WARP_E_QUORUM`, or with `WARP_E_ZONES` where enough replicas hold the operation
   * in too few zones; the message names the replicas that are missing. The operation stays in the
   * log and is sent to replicas as they appear (`outcome: 'indeterminate'`). Default: no limit.
   */
  readonly timeoutMs?: number
}

/** The longest wait for other replicas. */
export const ACKS_TIMEOUT_MS_MAX = 86_400_000

/**
 * Knows how far other replicas hold what was written here. Replication provides it; without
 * transports nobody does.
 */
export interface ReplicaAcknowledgements {
  /**
   * Settles when what `acks` asks for holds of this replica's operation `dot`. Late answers,
   * repeated ones and those of a clone do not count twice. Rejects with `WARP_E_ABORTED` (outcome
   * `indeterminate`) when `signal` aborts, with `WARP_E_CLOSED` at close, with `WARP_E_QUORUM` or
   * `WARP_E_ZONES` when `acks.timeoutMs` is over.
   *
   * Says at which level so many replicas hold it: what `acks.level` asks for; where that is left
   * out, `'memory'` if replicas whose log is in memory are needed for it.
   */
  settled(dot: Dot, acks: ReplicaAcks, signal?: AbortSignal): Promise<AckLevel>
}
