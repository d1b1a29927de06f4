/**
 * Whom to let go when there is no room: a policy is told of each copy that comes, is read and goes, by the
 * number of its slot, and names the next one to go. Slots are small whole numbers that are used again.
 */

/** What `openWarp({ copies: { policy } })` may make: see docs/data-layer.md. */
export interface CopyPolicy {
  /** A copy has come into a slot. Its key stays the same until the copy goes. */
  added(slot: number, key: string): void
  /** It has been read. On the way of every hit: do little. */
  hit(slot: number): void
  /** It is gone, for whatever reason. */
  removed(slot: number): void
  /**
   * Which copy is to go; asked again while there is too little room. Not `kept`, which has just come: what has
   * been loaded is kept for a moment at least. `undefined` if there is no other.
   */
  victim(kept: number): number | undefined
}

/** What a policy may ask of the copies. */
export interface PolicyFacts {
  /** Copies that may stay; `Infinity` where their weight alone is bounded. One more may be there for a moment. */
  readonly entriesMax: number
  /** Whether a copy could not be served any more. Costs a look at what has been invalidated. */
  readonly isWorthless: (slot: number) => boolean
}

export type PolicyName = 'sieve' | 'adaptive' | 'w-tinylfu' | 'lfu' | 'lru'
