/** What users and outsiders do in a world that keeps its data elsewhere, beside reading and writing. */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { LeaseId } from '../../../src/operation/leases/lease-note.ts'
import type { Ack, ReachedAck } from '../../../src/store/write-road/receipt.ts'

/** How somebody says that a key has changed. */
export type Saying = 'key' | 'pattern' | 'tag' | 'clear'

/** `lease`: a number that stands for the lease that was granted for it last. */
export type DataIntent =
  | { readonly kind: 'getOrSet'; readonly key: string }
  | { readonly kind: 'forget'; readonly key: string }
  /**
   * Somebody changes what the source or the database has of a key, past Warp, and then says so at the
   * machine; or says nothing. `added`: what a row gets.
   */
  | {
      readonly kind: 'change'
      readonly key: string
      readonly added: number
      readonly said?: Saying
      readonly ack?: Ack
    }
  | { readonly kind: 'grant'; readonly lease: number; readonly ttlMs: number; readonly ack?: Ack }
  | { readonly kind: 'attach'; readonly lease: number; readonly target: string; readonly ack?: Ack }
  | { readonly kind: 'renew'; readonly lease: number; readonly ack?: Ack }
  /** Somebody changes the keys at their source, and ends the lease. */
  | { readonly kind: 'revoke'; readonly lease: number; readonly keys: readonly string[]; readonly ack?: Ack }

/** What a call that says something gives: which operation it is, and of which lease. */
export interface Said {
  readonly dot: Dot
  readonly ack: ReachedAck
  readonly lease?: LeaseId
  /** What the source had of each key when it was said. */
  readonly versions: ReadonlyMap<string, number>
}

const KINDS: Readonly<Record<DataIntent['kind'], true>> = {
  ...{ getOrSet: true, forget: true, change: true, grant: true, attach: true, renew: true, revoke: true },
}

export function isDataIntent<Other extends { readonly kind: string }>(
  intent: Other | DataIntent,
): intent is DataIntent {
  return Object.hasOwn(KINDS, intent.kind)
}
