/**
 * What to tell others by the way: each news of a member rides on a few messages, those that have
 * ridden least first (Das, Gupta, Motivala 2002, 4.1). `RIDES_FACTOR · log2(n + 1)` rides reach
 * everybody with high probability; what they miss, the records that every message carries in
 * rotation repair.
 *
 * One news per member, the newest, so the table is as bounded as the members are. `take` is O(n log
 * n) in the news that are waiting, usually none.
 */
import type { MemberId } from '../contacts/contact.ts'
import type { MemberRecord } from './member-record.ts'

const RIDES_FACTOR = 3

interface News {
  readonly record: MemberRecord
  rideCount: number
}

export class Gossip {
  readonly #news = new Map<MemberId, News>()

  get count(): number {
    return this.#news.size
  }

  /** Replaces what was to be told of the same member. */
  add(record: MemberRecord): void {
    this.#news.set(record.profile.member, { record, rideCount: 0 })
  }

  /** At most `countMax` news, each counted as told once more. */
  take(countMax: number, memberCount: number): MemberRecord[] {
    if (this.#news.size === 0) return []
    const ridesMax = RIDES_FACTOR * Math.ceil(Math.log2(memberCount + 1))
    const waiting = [...this.#news.values()].sort((a, b) => a.rideCount - b.rideCount).slice(0, countMax)
    for (const news of waiting) {
      news.rideCount++
      if (news.rideCount >= ridesMax) this.#news.delete(news.record.profile.member)
    }
    return waiting.map((news) => news.record)
  }
}
