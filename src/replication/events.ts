/**
 * What replication reports, through one observer. Nothing is dropped, refused or repaired in
 * silence: each of these is also counted in the replicator's `stats`. Observers must not throw and
 * should return quickly.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { GoneReason } from './members/known-replicas.ts'
import type { PeerAddress, TransportReport } from '../ports/transport.ts'

/** A peer as it is seen over one transport. `replica` is absent until it has been heard. */
export interface PeerName {
  readonly transport: string
  readonly address: PeerAddress
  readonly replica?: ReplicaId
  /** For people, as it says itself; absent if it has none or has not said yet. */
  readonly name?: string
}

export type ReplicationEvent =
  | { readonly kind: 'peer:up'; readonly peer: PeerName }
  /**
   * Once for each `peer:up`. `replaced`: another replica is at its address, or it was started again.
   */
  | {
      readonly kind: 'peer:down'
      readonly peer: PeerName
      readonly reason: 'transport' | 'silent' | 'replaced' | 'closed'
    }
  /**
   * It has lacked operations of ours for longer than `peerLaggingMs`. Once, until it has caught up.
   */
  | { readonly kind: 'peer:lagging'; readonly peer: PeerName; readonly missingCount: number }
  /**
   * It no longer holds back compaction. `silent`: not heard for the horizon; `away`: closed in
   * order, and not back within the time that it said; `left`: for good; `evicted`: by a member.
   */
  | {
      readonly kind: 'member:gone'
      readonly replica: ReplicaId
      /** Absent until it has said so. */
      readonly name?: string
      readonly reason: GoneReason
    }
  /**
   * A quarter of the replicas that can be kept track of take part at one time, this one counted. Once,
   * until there are fewer. Clients that come and go belong behind a replica, not into the cluster.
   */
  | { readonly kind: 'members:many'; readonly count: number; readonly limit: number }
  /** More replicas than can be kept track of; nothing becomes stable until there are fewer. */
  | { readonly kind: 'member:overflow'; readonly limit: number }
  /**
   * Operations of `replica` up to `to` exist, have been asked for and did not come; they are asked
   * for again. Catching up, however long it takes, is no gap.
   */
  | { readonly kind: 'gap'; readonly replica: ReplicaId; readonly from: number; readonly to: number }
  /** Arrived frames were dropped because too many waited; anti-entropy fetches what they held. */
  | { readonly kind: 'queue:overflow'; readonly queue: 'inbox'; readonly droppedCount: number }
  | { readonly kind: 'frame:malformed'; readonly peer: PeerName; readonly error: Error }
  /**
   * Stamped beyond the clock drift allowed; not taken in, tried again later. Once per replica until
   * one is taken in.
   */
  | { readonly kind: 'operation:drift'; readonly replica: ReplicaId; readonly sequence: number }
  /** Larger than a transport's frames; it cannot be sent there. */
  | {
      readonly kind: 'operation:oversize'
      readonly transport: string
      readonly sequence: number
      readonly bytes: number
    }
  /** A message larger than a transport's frames; it is not sent there. */
  | {
      readonly kind: 'message:oversize'
      readonly transport: string
      readonly channel: string
      readonly bytes: number
    }
  /**
   * The store could not take an operation of `replica` in, or, if that is this one, not note what is
   * stable or who has ended; tried again later. `error` is absent when there is no space for an
   * operation.
   */
  | { readonly kind: 'store:refused'; readonly replica: ReplicaId; readonly error?: Error }
  /**
   * The own log could not be read to serve others; what was wanted is asked for again, here or
   * elsewhere.
   */
  | { readonly kind: 'store:unreadable'; readonly error: Error }
  /**
   * `us`: this replica is behind what `peer` has compacted. `peer`: `replica` wrote without having
   * seen what we compacted.
   */
  | { readonly kind: 'resync:required'; readonly side: 'us' | 'peer'; readonly replica: ReplicaId }
  | { readonly kind: 'resync:done'; readonly replica: ReplicaId; readonly chunkCount: number }
  | { readonly kind: 'resync:failed'; readonly replica: ReplicaId; readonly error: Error }
  /** This replica's identity has been used elsewhere. The engine takes a new one. */
  | { readonly kind: 'clone:detected'; readonly replica: ReplicaId }
  /**
   * Members that read an older format only: everybody writes `format` until they have been
   * upgraded. When it changes who they are; at most eight of them.
   */
  | {
      readonly kind: 'format:held'
      readonly format: number
      readonly by: readonly { readonly replica: ReplicaId; readonly name: string; readonly highest: number }[]
    }
  /**
   * All members read it, and it is written from now on. Who reads less can join no more, once
   * something has been.
   */
  | { readonly kind: 'format:raised'; readonly format: number }
  /**
   * One of the two cannot read what the other's cluster has written: they exchange nothing. Once
   * per session.
   */
  | { readonly kind: 'format:refused'; readonly side: 'us' | 'peer'; readonly peer: PeerName; readonly error: Error }
  /** A replica of another region, or another one of this region, has been heard, itself or through a relay. */
  | { readonly kind: 'region:up'; readonly region: string }
  /** None of its replicas is heard any more. It catches up when it is. */
  | { readonly kind: 'region:down'; readonly region: string }
  /**
   * A peer that is heard over the transports of the region `here` says that it is of `region`, and is
   * no relay between the two: a transport of the wrong region, or two regions of one name. Once per session.
   */
  | { readonly kind: 'region:conflict'; readonly peer: PeerName; readonly region: string; readonly here: string }
  /** This relay carries what is written in the region `from` into `to` from now on. */
  | { readonly kind: 'relay:works'; readonly from: string; readonly to: string; readonly replica: ReplicaId }
  /** It does so no more: `replica` does. */
  | { readonly kind: 'relay:rests'; readonly from: string; readonly to: string; readonly replica: ReplicaId }
  | { readonly kind: 'transport:failed'; readonly transport: string; readonly error: Error }
  | (TransportReport & { readonly transport: string })

export type ReplicationObserver = (event: ReplicationEvent) => void
