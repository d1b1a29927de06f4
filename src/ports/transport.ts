import type { WarpError } from '../../crdt/warp-error.ts'

/**
 * The broadcast port: carries frames between replicas and may lose, repeat and reorder them.
 * Replication repairs by anti-entropy, so an implementation never needs to retry. The in-memory
 * network of `adapters/memory` is its executable specification; `adapters/conformance` holds the
 * suite that every implementation passes.
 */
export interface Transport {
  readonly kind: 'broadcast'
  /** Names the transport in events, `stats` and `capabilities`. */
  readonly name: string
  /** Joins the network. Rejects if that cannot be done. Called once. */
  open(receiver: TransportReceiver): Promise<TransportLink>
}

/** Given by the engine. Calls never throw and return quickly: the work is queued. */
export interface TransportReceiver {
  /**
   * A frame came from the peer at `from`. The receiver may keep `bytes`; the transport does not
   * change them.
   */
  receive(from: PeerAddress, bytes: Uint8Array): void
  /**
   * More waits than is soon worked off. A transport that can hold its peers up reads no more from
   * them until this is over; what it hands over all the same is dropped once there is no room.
   */
  readonly isBusy?: boolean
  /** A link to a peer has come up (perhaps again), so that it is worth telling it what we have. */
  peerUp?(peer: PeerAddress): void
  peerDown?(peer: PeerAddress): void
  /**
   * Something that an operator should know; it reaches the engine's `observe`, with the transport's
   * name.
   */
  report?(report: TransportReport): void
}

/** Opaque to the engine; stable while the peer runs. */
export type PeerAddress = string

export interface TransportLink {
  /** The largest frame that `broadcast` and `send` take. */
  readonly frameBytesMax: number
  /** To everybody who can be reached. Does not keep `bytes`. */
  broadcast(bytes: Uint8Array): void
  /**
   * To one peer. Returns `false` if the peer's queue is full: the frame is dropped and the caller
   * tries again later.
   */
  send(to: PeerAddress, bytes: Uint8Array): boolean
  /**
   * What the transport itself knows of its peers, those that are down included; bounded. Absent
   * where it knows nothing. A transport that has it watches its peers: while it lists one as `'up'`
   * or `'suspect'`, the engine takes it for there, however long it says nothing, and itself says
   * next to nothing while nothing happens.
   */
  peers?(): readonly TransportPeer[]
  close(): Promise<void>
}

/** A peer as its transport sees it. */
export interface TransportPeer {
  readonly address: PeerAddress
  /** `'suspect'`: it does not answer, and has not been given up yet. */
  readonly state: 'up' | 'suspect' | 'down'
  /** Where it runs and what it is for, as it says itself. */
  readonly zone?: string
  readonly roles?: readonly string[]
  /** Smoothed; absent until it has been measured. */
  readonly roundTripMs?: number
  /** Its wall clock minus ours, about; absent until it has been measured. */
  readonly clockSkewMs?: number
  /** Bytes that wait to be sent to it. */
  readonly queuedBytes?: number
}

/** What a transport reports of itself. */
export type TransportReport =
  /** It works, but not as well as it was asked to: no multicast, say. Once, until that changes. */
  | { readonly kind: 'transport:degraded'; readonly error: WarpError }
  /**
   * Somebody wants to talk to us and may not: another cluster key (`WARP_E_AUTH`) or version
   * (`WARP_E_PROTOCOL`). Rarely per address.
   */
  | { readonly kind: 'peer:refused'; readonly address: PeerAddress; readonly error: WarpError }
  /** A peer that we were told to talk to has not answered for a while. Once, until it does. */
  | { readonly kind: 'peer:unreachable'; readonly address: PeerAddress; readonly error: WarpError }
  /** It does not answer; unless it does soon, it counts as down. */
  | { readonly kind: 'peer:suspect'; readonly address: PeerAddress }
  /**
   * Its wall clock and ours differ by more than is good for either. Once, until they agree again.
   */
  | { readonly kind: 'peer:skewed'; readonly address: PeerAddress; readonly clockSkewMs: number }
  /**
   * Packets that were not authentic, were repeated, or were malformed, since the last report. At
   * most one report a minute.
   */
  | {
      readonly kind: 'packets:refused'
      readonly forgedCount: number
      readonly replayedCount: number
      readonly malformedCount: number
    }
