/** Leases, as users see them. */
import { optionNames } from '../../../crdt/checked-options.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { LeaseId } from '../../operation/leases/lease-note.ts'
import type { Settlement, SettleOptions } from '../../store/write-road/receipt.ts'

/** One lease that has not ended, as far as is known here. */
export interface Lease {
  readonly id: LeaseId
  /** The replica that granted it: the only one that renews it. */
  readonly owner: ReplicaId
  readonly isOwn: boolean
  readonly ttlMs: number
  /**
   * How long it has left, as this replica reckons; 0 or absent: it may have run out, and its keys are
   * hidden. Absent: not known, as after a start.
   */
  readonly leftMs?: number
  /** The keys and patterns that fall with it. */
  readonly targets: readonly string[]
}

/** What granting, attaching, renewing and revoking give back. */
export interface LeaseReceipt extends Settlement {
  readonly id: LeaseId
  /** The operation. */
  readonly dot: Dot
}

export interface GrantOptions extends SettleOptions {
  /** How long it lives, and after each renewal again; ms. */
  readonly ttlMs: number
}

/** Groups of keys that fall together, on every replica: see docs/data-layer.md, "Leases". */
export interface Leases {
  /**
   * Begins a lease, which this replica owns.
   *
   *     const lease = await warp.leases.grant({ ttlMs: 1_800_000 })
   *     await warp.leases.attach(lease.id, 'session:42:*')
   *
   * Rejects with `WARP_E_CONFIG`, `WARP_E_LIMIT` (100,000 leases), and what a write rejects with.
   */
  grant(options: GrantOptions): Promise<LeaseReceipt>
  /**
   * From now on the copies of a key, or of all that match a pattern, fall with the lease. A key on
   * several leases falls with the first one. Any replica may attach. Rejects with `WARP_E_LEASE` for a
   * lease that has ended or is not known here (yet), `WARP_E_CONFIG` where nothing that is meant loads,
   * `WARP_E_LIMIT` (1,000 on one lease).
   */
  attach(lease: LeaseId, keyOrPattern: string, options?: SettleOptions): Promise<LeaseReceipt>
  /**
   * It has its whole time before it again. Only the replica that granted it may, and not after it has
   * run out. Rejects with `WARP_E_LEASE`; where the log refuses it, try again before the time is over.
   */
  renew(lease: LeaseId, options?: SettleOptions): Promise<LeaseReceipt>
  /**
   * Ends it, from whichever replica: what is attached is void everywhere, now and for who joins or
   * comes back later. Rejects with `WARP_E_LEASE` for a lease that has ended, or is not known here.
   */
  revoke(lease: LeaseId, options?: SettleOptions): Promise<LeaseReceipt>
  /** Those that have not ended, in the order in which they became known. */
  list(): Lease[]
}

/** What leases count. */
export interface LeaseCounts {
  /** Known, and not ended. */
  readonly leasesCount: number
  /** Of these, those that may have run out: what is attached is not shown. */
  readonly hiddenCount: number
  /** Seen to end, since open. */
  readonly endedCount: number
}

export const SETTLE_OPTIONS: readonly string[] = optionNames<SettleOptions>({ ack: true, acks: true, signal: true })
export const GRANT_OPTIONS: readonly string[] = [...SETTLE_OPTIONS, 'ttlMs']
