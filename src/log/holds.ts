/**
 * Who reads the log for long keeps compaction from what is still to be read. A hold keeps
 * everything, for an export or an offer of a snapshot. A follower keeps what lies behind its
 * position, within bounds. Each has a name and the time of its start, so that an operator can see
 * why a log only grows.
 */
import type { Env } from '../ports/env.ts'
import type { Position } from '../operation/position.ts'
import { TWO_POW_32 as POSITIONS_PER_SEGMENT } from './segments/segment-format.ts'

/** A hold as it is shown. */
export interface HeldBy {
  /** What holds, in words: `an export`, `projection totals`. */
  readonly name: string
  /** When it began, in milliseconds since 1970 by the wall clock of this replica. */
  readonly sinceMs: number
  /** Records from here on stay as they are; 0 if everything does. */
  readonly from: Position
}

/**
 * Somebody who follows the log. Compaction asks where it is; nothing has to be said while it moves.
 */
export interface Follower {
  /** As shown: `a watch of 'user:*'`. */
  readonly name: string
  /** Records from here on have not been seen; the end of the log if everything has. */
  readonly unseenFrom: Position
  /**
   * Compaction is going to begin: a follower that can see more at once, or say that it has, does so
   * now.
   */
  catchUp?(): void
  /** Whether it follows a key. */
  follows(key: string): boolean
}

/**
 * How long, and how far behind, a follower keeps compaction waiting. Beyond that it goes on
 * without, and the follower has a gap.
 */
export const FOLLOWER_MS_MAX = 60_000
export const FOLLOWER_BYTES_MAX: number = 64 * 1024 * 1024

interface Following {
  readonly sinceMs: number
  /** Where the follower was when compaction last began. */
  from: Position
  /**
   * Since when it has been there, by the monotonic clock; `undefined` if it was at the end of the
   * log.
   */
  stuckMs: number | undefined
}

export class Holds {
  readonly #env: Env
  readonly #holds = new Set<Hold>()
  readonly #followers = new Map<Follower, Following>()
  /** Where the log ended when compaction last began, if anybody followed it. */
  #reviewedEnd: Position = Number.POSITIVE_INFINITY
  /** Who had not seen everything then, and is waited for. */
  readonly #behind = new Map<Follower, Position>()

  constructor(env: Env) {
    this.#env = env
  }

  /** Keeps all records, and nothing is folded, until the hold is released. */
  take(name: string): Hold {
    const hold: Hold = { name, sinceMs: this.#env.now(), release: () => void this.#holds.delete(hold) }
    this.#holds.add(hold)
    return hold
  }

  /** Whether everything has to stay as it is. */
  get isWhole(): boolean {
    return this.#holds.size > 0
  }

  /**
   * Operations of a key from here on may not be folded into a snapshot in this run of compaction.
   */
  foldableBefore(key: string): Position {
    if (this.isWhole) return 0
    let before = this.#reviewedEnd
    for (const [follower, from] of this.#behind) if (from < before && follower.follows(key)) before = from
    return before
  }

  /** Keeps compaction from what somebody has not seen, within bounds. Returns how to let go. */
  follow(follower: Follower): () => void {
    const from = follower.unseenFrom
    this.#followers.set(follower, { sinceMs: this.#env.now(), from, stuckMs: undefined })
    this.#behind.set(follower, from)
    return () => {
      this.#followers.delete(follower)
      this.#behind.delete(follower)
    }
  }

  /** A run of compaction begins: finds out what all followers have seen. */
  review(log: FollowedLog): void {
    this.#reviewedEnd = this.#followers.size > 0 ? log.end : Number.POSITIVE_INFINITY
    this.#behind.clear()
    for (const [follower, following] of this.#followers) {
      follower.catchUp?.()
      const from = follower.unseenFrom
      if (from < log.end && this.#isWaitedFor(from, following, log)) this.#behind.set(follower, from)
      if (from >= log.end) following.stuckMs = undefined
      following.from = from
    }
  }

  #isWaitedFor(from: Position, following: Following, log: FollowedLog): boolean {
    const nowMs = this.#env.monotonic()
    if (from !== following.from) following.stuckMs = undefined
    following.stuckMs ??= nowMs
    return nowMs - following.stuckMs <= FOLLOWER_MS_MAX && bytesBetween(from, log) <= FOLLOWER_BYTES_MAX
  }

  /** Oldest first. */
  list(): HeldBy[] {
    const held = [...this.#holds].map(({ name, sinceMs }) => ({ name, sinceMs, from: 0 }))
    const following = [...this.#followers].map(([{ name, unseenFrom }, { sinceMs }]) => ({
      name,
      sinceMs,
      from: unseenFrom,
    }))
    return [...held, ...following].sort((a, b) => a.sinceMs - b.sinceMs)
  }
}

/** Keeps compaction from everything. */
export interface Hold {
  readonly name: string
  readonly sinceMs: number
  /** Lets go. Idempotent. */
  release(): void
}

/** What the bound of a follower is measured by. */
export interface FollowedLog {
  readonly end: Position
  segments(): readonly { readonly number: number; readonly bytes: number }[]
}

/**
 * How many bytes of the log lie behind a position; of a segment that was rewritten, as many as it
 * has at most.
 */
export function bytesBetween(from: Position, log: FollowedLog): number {
  let bytes = 0
  const segment = Math.floor(from / POSITIONS_PER_SEGMENT)
  for (const { number, bytes: all } of log.segments()) {
    if (number > segment) bytes += all
    else if (number === segment) bytes += Math.max(0, all - (from % POSITIONS_PER_SEGMENT))
  }
  return bytes
}
