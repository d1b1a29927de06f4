/**
 * What `warp.health()` tells: whether this process is worth keeping, whether callers should be sent
 * to it now, and why not.
 */

export interface Health {
  /**
   * `false` only where nothing but another opening helps: restart the process. A replica that waits
   * for something is alive.
   */
  readonly live: boolean
  /** Whether callers should be sent here now. `false` when any part waits or has failed. */
  readonly ready: boolean
  readonly parts: Readonly<Record<HealthPart, PartHealth>>
}

export type HealthPart = 'engine' | 'log' | 'replication' | 'projections' | 'compaction' | 'stores' | 'order'

export interface PartHealth {
  /**
   * - `'ok'`
   * - `'degraded'`: it works, and an operator should look at it. Still ready.
   * - `'waiting'`: it does not do all of its work now, and may do so later by itself. Not ready.
   * - `'failed'`: it does not come back before the engine is opened again. Neither ready nor live.
   */
  readonly state: 'ok' | 'degraded' | 'waiting' | 'failed'
  /** Empty if, and only if, the state is `'ok'`. */
  readonly reasons: readonly HealthReason[]
}

export type HealthReasonCode =
  /** `openWarp` has not settled yet (`warp-engine/http`). */
  | 'opening'
  /** `openWarp` has rejected (`warp-engine/http`). */
  | 'open-failed'
  /** `close()` has been called. */
  | 'closing'
  /** The log cannot store what it is given (`WARP_E_STORAGE_POISONED`): reads go on, writes end. */
  | 'log-poisoned'
  /** The disk has no space: writes are refused until there is some. */
  | 'log-full'
  /** It does not know yet which peers are there, or what they have. */
  | 'listening'
  /** It has not had yet what its peers had when it started to hear them. */
  | 'catching-up'
  /** A peer has compacted what this replica has never seen: that peer's state is taken over. */
  | 'taking-over-state'
  /** It and a peer have both compacted what the other one has never seen (`resync:failed`). */
  | 'unmergeable'
  /** It has lacked operations of peers for longer than `replication.peerLaggingMs`. */
  | 'lagging'
  /** It has met other replicas, and hears none. */
  | 'alone'
  /** A projection reads the log for the first time. */
  | 'projection-reading'
  /** The `apply` of a projection has thrown: it takes in nothing more until it is rebuilt. */
  | 'projection-failed'
  /** There are more replicas than can be kept track of: nothing is compacted. */
  | 'too-many-replicas'
  /** A primary store fails: copies are served, writes behind wait in the log. */
  | 'store-failing'
  /** The ordered log is away, has lost something, or a partition stands still: strong keys are refused or wait. */
  | 'order-failing'
  /** No replica of another region is heard, by itself or through a relay: it goes on by itself. */
  | 'region-down'

export interface HealthReason {
  readonly code: HealthReasonCode
  /** For people. */
  readonly message: string
  readonly details?: Readonly<Record<string, string | number>>
}
