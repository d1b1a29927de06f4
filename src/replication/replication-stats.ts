/**
 * What replication tells about itself: counts since the start, and how full its bounded queues are.
 */
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Acknowledgements } from './acknowledgement/acknowledgements.ts'
import type { AcknowledgementAnswerer } from './acknowledgement/answerer.ts'
import type { Admitter } from './anti-entropy/admitter.ts'
import type { Answers } from './anti-entropy/answers.ts'
import type { AntiEntropy } from './anti-entropy/anti-entropy.ts'
import type { PeerName } from './events.ts'
import type { Inbox } from './reception/inbox.ts'
import type { Rounds } from './reception/rounds.ts'
import { type Link, type Peer, missingCount } from './peers.ts'
import type { SnapshotOffers } from './snapshot/snapshot-offer.ts'
import type { TransportPeer } from '../ports/transport.ts'

export interface ReplicationStats {
  readonly sentFrames: number
  readonly sentBytes: number
  /** Own operations sent unasked, and operations sent because a peer asked. */
  readonly broadcastOperations: number
  readonly answeredOperations: number
  /** Operations that this relay carried from one region into another. */
  readonly relayedOperations: number
  readonly receivedFrames: number
  readonly receivedBytes: number
  /**
   * Frames that were dropped: malformed, of an unknown kind, our own coming back, or because too
   * many waited.
   */
  readonly malformedFrames: number
  readonly unknownFrames: number
  readonly echoedFrames: number
  readonly droppedFrames: number
  /** Operations that came while a snapshot was being taken in; fetched again afterwards. */
  readonly heldBackOperations: number
  readonly appliedOperations: number
  readonly duplicateOperations: number
  readonly earlyOperations: number
  /**
   * Not taken in: clock drift, written without having seen what was compacted, no space, or the
   * store failed.
   */
  readonly refusedOperations: number
  readonly requests: number
  readonly receivedRequests: number
  readonly sentDigests: number
  readonly receivedDigests: number
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
  /**
   * Waits for acknowledgements by other replicas, and questions of theirs that have not been
   * answered in full.
   */
  readonly pendingAcknowledgements: number
  readonly askedAcknowledgements: number
  readonly peers: number
  readonly members: number
}

/** The part that concerns what arrives. */
export type ReceptionStats = Omit<
  ReplicationStats,
  'sentFrames' | 'sentBytes' | 'broadcastOperations' | 'relayedOperations'
>

export interface ReceptionParts {
  readonly admitter: Admitter
  readonly antiEntropy: AntiEntropy
  readonly answers: Answers
  readonly offers: SnapshotOffers
  readonly inbox: Inbox
  readonly acknowledgements: Acknowledgements
  readonly answerer: AcknowledgementAnswerer
  readonly counts: Readonly<
    Record<'frames' | 'bytes' | 'malformed' | 'unknown' | 'echoed' | 'heldBack' | 'requests', number>
  >
  readonly peers: number
  readonly rounds: Rounds
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
    receivedRequests: frames.requests,
    sentDigests: parts.rounds.counts.sent,
    receivedDigests: parts.rounds.counts.received,
    snapshotChunks: parts.offers.chunkCount,
    inboxFrames: parts.inbox.count,
    inboxBytes: parts.inbox.bytesCount,
    bufferedOperations: buffer.count,
    bufferedBytes: buffer.bytesCount,
    bufferDroppedOperations: buffer.droppedCount,
    pendingRequests: parts.antiEntropy.pendingCount,
    pendingAnswers: parts.answers.count,
    snapshotExports: parts.offers.count,
    pendingAcknowledgements: parts.acknowledgements.count,
    askedAcknowledgements: parts.answerer.count,
    peers: parts.peers,
    members: parts.rounds.stability.memberCount,
  }
}

/** A peer, as replication and its transport see it. */
export interface PeerReport extends PeerName {
  /** `'suspect'`: it does not answer, and has not been given up yet. */
  readonly state: TransportPeer['state']
  /**
   * How many of this replica's operations it lacked when it last told us what it has; absent until
   * it has.
   */
  readonly lagCount?: number
  /** It has lacked something for longer than `peerLaggingMs`. */
  readonly isLagging: boolean
  /** Since a frame of it came, which may be long ago when nothing happens; absent if none has. */
  readonly silentMs?: number
  readonly roles: readonly string[]
  /**
   * The newest format that it reads, so a rolling upgrade shows how far it has come; absent until
   * the peer has said it.
   */
  readonly format?: number
  /** Its region, as it says itself; absent if it has none or has not said yet. */
  readonly region?: string
  /** The regions in which it sits, if it is a relay. */
  readonly relayed?: readonly string[]
  /** Only a relay hears it, the one at that address. Its lag is what the relay last told. */
  readonly isRelayed?: true
  /** Where it runs: as it says itself, else as its transport says. */
  readonly zone?: string
  /** Smoothed; absent where the transport does not measure it. */
  readonly roundTripMs?: number
  /** Its wall clock minus ours, about; absent where the transport does not measure it. */
  readonly clockSkewMs?: number
  /** Bytes that wait in this process to be sent to it; absent where the transport does not say. */
  readonly queuedBytes?: number
}

/**
 * What replication has heard, beside what the transport knows; either may know a peer that the
 * other does not.
 */
export function peerReports(
  heard: Iterable<Peer>,
  links: readonly Link[],
  applied: VersionVector,
  nowMs: number,
): PeerReport[] {
  const reports: PeerReport[] = []
  const seen = new Map<string, Peer>()
  for (const peer of heard) seen.set(`${peer.via.index}/${peer.address}`, peer)
  for (const link of links) {
    for (const known of link.link.peers?.() ?? []) {
      const id = `${link.index}/${known.address}`
      const peer = seen.get(id)
      seen.delete(id)
      reports.push({
        ...{ transport: link.name, isLagging: false, roles: [], ...known },
        ...(peer === undefined ? {} : heardOf(peer, applied, nowMs)),
      })
    }
  }
  for (const peer of seen.values()) {
    reports.push({ ...heardOf(peer, applied, nowMs), state: peer.isUp ? 'up' : 'down', roles: [] })
  }
  return reports
}

function heardOf(
  peer: Peer,
  applied: VersionVector,
  nowMs: number,
): PeerName & Pick<PeerReport, 'isLagging' | 'lagCount' | 'silentMs' | 'zone' | 'format' | 'region' | 'relayed'> {
  const hasTold = peer.floor !== undefined
  return {
    ...peer.name,
    isLagging: peer.isLagging,
    silentMs: nowMs - peer.heardMs,
    ...(peer.hello === undefined ? {} : { format: peer.hello.highest }),
    ...(peer.hello === undefined || peer.hello.zone === '' ? {} : { zone: peer.hello.zone }),
    ...regionOf(peer),
    ...(hasTold ? { lagCount: missingCount(peer.has, applied) } : {}),
  }
}

function regionOf({ hello, isRelay }: Peer): Pick<PeerReport, 'region' | 'relayed'> {
  if (hello === undefined || hello.region === '') return {}
  return isRelay ? { region: hello.region, relayed: hello.relayed } : { region: hello.region }
}
