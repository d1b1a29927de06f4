/**
 * What replication tells operators beside its counts: how full its bounded queues are, and which
 * members hold back compaction.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Env } from '../ports/env.ts'
import { ACKNOWLEDGEMENT_WAITS_MAX } from './acknowledgement/acknowledgements.ts'
import { ANSWERS_MAX } from './anti-entropy/answers.ts'
import type { Stability, Standstill } from './members/stability.ts'
import type { ReplicationSettings } from './options.ts'
import { PEERS_MAX } from '../limits.ts'
import { MEMBERS_MAX } from './members/known-replicas.ts'
import type { ReceptionParts } from './replication-stats.ts'

/** A bounded queue or table, now. */
export interface QueueFill {
  /** For machines: a label of metrics. Stays as it is from version to version. */
  readonly id: 'inbox' | 'causes' | 'answers' | 'snapshots' | 'acknowledgements' | 'peers' | 'members'
  /** What it holds, in words: `frames that wait to be processed`. */
  readonly name: string
  readonly count: number
  readonly countMax: number
  /** Absent where bytes have no bound of their own. */
  readonly bytes?: number
  readonly bytesMax?: number
}

export function queuesOf(parts: ReceptionParts, settings: ReplicationSettings): QueueFill[] {
  const { inbox, admitter, answers, offers, acknowledgements, rounds } = parts
  const { buffer } = admitter
  return [
    {
      id: 'inbox',
      name: 'frames that wait to be processed',
      count: inbox.count,
      countMax: settings.inboxFramesMax,
      bytes: inbox.bytesCount,
      bytesMax: settings.inboxBytesMax,
    },
    {
      id: 'causes',
      name: 'operations that wait for their causes',
      count: buffer.count,
      countMax: settings.bufferOperationsMax,
      bytes: buffer.bytesCount,
      bytesMax: settings.bufferBytesMax,
    },
    { id: 'answers', name: 'peers that are being answered', count: answers.count, countMax: ANSWERS_MAX },
    {
      id: 'snapshots',
      name: 'snapshots that are handed out',
      count: offers.count,
      countMax: settings.snapshotExportsMax,
    },
    {
      id: 'acknowledgements',
      name: 'writes that wait for replicas',
      count: acknowledgements.count,
      countMax: ACKNOWLEDGEMENT_WAITS_MAX,
    },
    { id: 'peers', name: 'peers', count: parts.peers, countMax: PEERS_MAX },
    { id: 'members', name: 'replicas that are known', count: rounds.stability.memberCount, countMax: MEMBERS_MAX },
  ]
}

/** A replica that has to say something before compaction can go on. */
export interface LackingReplica {
  readonly replica: ReplicaId
  /** What people call it; absent until it has said so. */
  readonly name?: string
  /**
   * `'acknowledgement'`: it has not said that it has applied these operations. `'announcement'`: it
   * has, and has not said yet that it knows that all others have as well.
   */
  readonly lacks: 'acknowledgement' | 'announcement'
  /** Of how many operations. */
  readonly missingCount: number
  /**
   * Since when it lacks something and has said nothing more, in milliseconds since 1970 by this
   * replica's wall clock.
   */
  readonly sinceMs: number
}

export interface CompactionBlock {
  readonly replicas: readonly LackingReplica[]
  readonly standstill?: Standstill
}

export function compactionBlock(stability: Stability, env: Env): CompactionBlock {
  const ahead = env.now() - env.monotonic()
  const replicas: LackingReplica[] = []
  for (const { replica, name, lack } of stability.lacking()) {
    const { of: lacks, missingCount, sinceMs } = lack
    const named = name === '' ? {} : { name }
    replicas.push({ replica, ...named, lacks, missingCount, sinceMs: Math.round(sinceMs + ahead) })
  }
  replicas.sort((a, b) => a.sinceMs - b.sinceMs)
  const { standstill } = stability
  return { replicas, ...(standstill === undefined ? {} : { standstill }) }
}
