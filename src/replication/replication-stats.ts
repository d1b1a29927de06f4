/** What replication tells about itself: counts since the start, and how full its bounded queues are. */
import type { Admitter } from './admission.ts'
import type { Answers } from './answers.ts'
import type { AntiEntropy } from './anti-entropy.ts'
import type { PeerName } from './events.ts'
import type { Inbox } from './inbox.ts'
import type { Peer } from './peers.ts'
import type { SnapshotOffers } from './snapshot-offer.ts'

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

/** The part that concerns what arrives. */
export type ReceptionStats = Omit<ReplicationStats, 'sentFrames' | 'sentBytes' | 'broadcastOperations'>

export interface ReceptionParts {
  readonly admitter: Admitter
  readonly antiEntropy: AntiEntropy
  readonly answers: Answers
  readonly offers: SnapshotOffers
  readonly inbox: Inbox
  readonly counts: Readonly<Record<'frames' | 'bytes' | 'malformed' | 'unknown' | 'echoed' | 'heldBack', number>>
  readonly peers: number
  readonly members: number
}

export function receptionStats(parts: ReceptionParts): ReceptionStats {
  const { admitter, counts: frames } = parts
  const { counts, buffer } = admitter
  return {
    answeredOperations: parts.answers.operationCount,
    receivedFrames: frames.frames,
    receivedBytes: frames.bytes,
    malformedFrames: frames.malformed,
    unknownFrames: frames.unknown,
    echoedFrames: frames.echoed,
    droppedFrames: parts.inbox.droppedCount,
    heldBackOperations: frames.heldBack,
    appliedOperations: counts.applied,
    duplicateOperations: counts.duplicate,
    earlyOperations: counts.early,
    refusedOperations: counts.drift + counts.resync + counts.clone + counts.full + counts.failed,
    requests: parts.antiEntropy.requestCount,
    snapshotChunks: parts.offers.chunkCount,
    inboxFrames: parts.inbox.count,
    inboxBytes: parts.inbox.bytesCount,
    bufferedOperations: buffer.count,
    bufferedBytes: buffer.bytesCount,
    bufferDroppedOperations: buffer.droppedCount,
    pendingRequests: parts.antiEntropy.pendingCount,
    pendingAnswers: parts.answers.count,
    snapshotExports: parts.offers.count,
    peers: parts.peers,
    members: parts.members,
  }
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
