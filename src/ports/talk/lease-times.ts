/**
 * What replicas tell each other of how long leases have left. It is in no operation, for it depends on
 * when it is said.
 */
import type { Dot } from '../../../crdt/time/dot.ts'

/** What is left of a lease since that grant or renewal, as its sender reckons. */
export interface LeaseLeft {
  readonly lease: string
  readonly renewal: Dot
  readonly leftMs: number
}

/** Who reckons. */
export interface LeaseTimesPort {
  /** Leases of others of which it is not known how long they have left. */
  unknown(countMax: number): string[]
  /** Of these, those of which it is known. */
  leftOf(leases: Iterable<string>): LeaseLeft[]
  hear(lefts: readonly LeaseLeft[]): void
}

/** Who talks with other replicas about it. */
export interface LeaseTalkPort {
  connect(times: LeaseTimesPort): void
  /** Others are to hear soon what is left of a lease of this replica's own. */
  renewed(lease: string): void
  /** Whether this is the member with the least id. */
  readonly isSenior: boolean
}
