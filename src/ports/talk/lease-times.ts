/**
 * What replicas tell each other of how long leases have left. It is in no operation, for it depends on
 * when it is said.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'

/** What is left of a lease since that grant or renewal, as its sender reckons. */
export interface LeaseLeft {
  readonly lease: string
  readonly renewal: Dot
  readonly leftMs: number
}

/** A lease of which it is not known how long it has left. */
export interface UnknownLease {
  readonly lease: string
  readonly owner: ReplicaId
}

/** Who reckons. */
export interface LeaseTimesPort {
  /** Leases of others of which it is not known how long they have left. */
  unknown(countMax: number): UnknownLease[]
  /** Of these, those of which it is known. */
  leftOf(leases: Iterable<string>): LeaseLeft[]
  /** `askedMs`: when that was asked for, by the monotonic clock. What is left counts from then. */
  hear(lefts: readonly LeaseLeft[], askedMs: number): void
}

/** Who talks with other replicas about it. */
export interface LeaseTalkPort {
  connect(times: LeaseTimesPort): void
  /** Whether this is the member with the least id. */
  readonly isSenior: boolean
}
