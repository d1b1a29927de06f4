/**
 * What users do in a world with an ordered log, beside reading and writing: calls that look at what a
 * key is before they write it, transactions, locks, and the question what became of a write.
 */
import type { Dot } from '../../../crdt/time/dot.ts'

export type Expecting = { readonly version: number } | { readonly value: number } | 'absent'

/** What is done under a lock, one after the other, each after a pause. */
export interface LockStep {
  readonly pauseMs: number
  /** `write`: a number that is written with the token as its fence. */
  readonly then: 'renew' | { readonly write: number } | 'nothing'
}

/** A read of a list, or a number that is appended to it. */
export type ListStep = readonly ['r' | 'append', key: string, value: number | null]

export type OrderIntent =
  | { readonly kind: 'stale'; readonly key: string }
  | { readonly kind: 'versioned'; readonly key: string }
  /** `expected`: of what the users of that machine have seen last, `by` that. */
  | {
      readonly kind: 'cas'
      readonly key: string
      readonly by: 'version' | 'value' | 'absent'
      readonly expected?: Expecting
      readonly next: number
    }
  | { readonly kind: 'update'; readonly key: string; readonly add: number }
  /** Of the write that was `back` unknown ones before the newest; `of`: which call that is. */
  | { readonly kind: 'resolve'; readonly back: number; readonly of?: number; readonly dot?: Dot }
  /** A transfer, which its user may give up in the middle. */
  | {
      readonly kind: 'move'
      readonly number: number
      readonly from: string
      readonly to: readonly string[]
      readonly amount: number
      readonly isGivenUp: boolean
      readonly pauseMs: number
    }
  | { readonly kind: 'balances'; readonly how: 'linearizable' | 'stale' | 'transaction' }
  | { readonly kind: 'lists'; readonly steps: readonly ListStep[]; readonly pauseMs: number }
  /** `waitMs`: 0 does not wait. `isForgotten`: nobody releases it. */
  | {
      readonly kind: 'lock'
      readonly name: string
      readonly ttlMs: number
      readonly permits: number
      readonly waitMs: number
      readonly steps: readonly LockStep[]
      readonly isForgotten: boolean
    }
  | {
      readonly kind: 'with lock'
      readonly name: string
      readonly ttlMs: number
      readonly waitMs: number
      readonly maxMs: number
      readonly steps: readonly LockStep[]
    }
  /** Takes part for so long; resigns when the steps of a term are done. */
  | {
      readonly kind: 'elect'
      readonly name: string
      readonly ttlMs: number
      readonly forMs: number
      readonly steps: readonly LockStep[]
    }
  /**
   * One of a user's calls in a session, which goes on at whatever machine the next one is made. `value`:
   * what is added to the set; without one it is read.
   */
  | { readonly kind: 'session'; readonly user: number; readonly key: string; readonly value?: number }
  /** Who holds and who waits, as far as the machine knows. */
  | { readonly kind: 'locks' }

/** What several users may share is asked for by that number. */
export const READS = 0

const KINDS: Readonly<Record<OrderIntent['kind'], true>> = {
  ...{ stale: true, versioned: true, cas: true, update: true, resolve: true, move: true, balances: true },
  ...{ lists: true, lock: true, 'with lock': true, elect: true, locks: true, session: true },
}

export function isOrderIntent<Other extends { readonly kind: string }>(
  intent: Other | OrderIntent,
): intent is OrderIntent {
  return Object.hasOwn(KINDS, intent.kind)
}

/** What the calls of order intents give, where it is no value of a key. */
export interface VersionedAnswer {
  readonly value: unknown
  readonly version: number
}

export type CasAnswer = { readonly version: number } | { readonly conflict: number }

export interface BalancesAnswer {
  readonly sum: number
  readonly count: number
}

export type LocksAnswer = readonly {
  readonly name: string
  readonly tokens: readonly number[]
  readonly waitingCount: number
}[]
