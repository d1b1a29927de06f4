/** What replication tells about itself: counts since the start, and how full its bounded queues are. */
import type { PeerName } from './events.ts'
import type { Peer } from './peers.ts'

export interface ReplicationStats {
  readonly sentFrames: number
  readonly sentBytes: number
  /** Own operations sent unasked, and operations sent because a peer asked. */
  readonly broadcastOperations: number
  readonly answeredOperations: number
  readonly receivedFrames: number
  readonly receivedBytes: number
  /** Frames that were dropped: malformed, of an unknown kind, our own coming back, or because too many waited. */
  readonly malformedFrames: number
  readonly unknownFrames: number
  readonly echoedFrames: number
  readonly droppedFrames: number
  /** Operations that came while a snapshot was being taken in; fetched again afterwards. */
  readonly heldBackOperations: number
  readonly appliedOperations: number
  readonly duplicateOperations: number
  readonly earlyOperations: number
  /** Not taken in: clock drift, written without having seen what was compacted, no space, or the store failed. */
  readonly refusedOperations: number
  readonly requests: number
  readonly snapshotChunks: number
  /** Queues, now. */
  readonly inboxFrames: number
  readonly inboxBytes: number
  readonly bufferedOperations: number
  readonly bufferedBytes: number
  readonly bufferDroppedOperations: number
  readonly pendingRequests: number
  readonly pendingAnswers: number
  readonly snapshotExports: number
  readonly peers: number
  readonly members: number
}

export interface PeerReport extends PeerName {
  readonly isUp: boolean
  readonly isLagging: boolean
  /** Since it was heard. */
  readonly silentMs: number
}

export function peerReport(peer: Peer, nowMs: number): PeerReport {
  return { ...peer.name, isUp: peer.isUp, isLagging: peer.isLagging, silentMs: nowMs - peer.heardMs }
}
