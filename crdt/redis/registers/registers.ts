/**
 * The registers of a HyperLogLog, each the greatest rank that was seen of some of the elements. A register
 * is what concurrent writers have raised it to: who raises it takes away what he had seen of it, so nearly
 * always one rank is left; and who deletes takes away the ranks that he had seen.
 */
import type { Stamp } from '../../time/hlc.ts'
import { isPast, type Seen } from '../seen.ts'

export const REGISTERS = 16_384
/** The place of a register that no element has: whoever makes an empty HyperLogLog raises it. */
export const PRESENCE: typeof REGISTERS = REGISTERS
/** 50 bits without a one, and one more. */
export const RANK_MAX = 51

export interface Raised {
  readonly place: number
  readonly rank: number
}

export interface Rank {
  readonly rank: number
  readonly stamp: Stamp
}

export class Registers {
  readonly #byPlace = new Map<number, readonly Rank[]>()

  /** How many have been raised. */
  get size(): number {
    return this.#byPlace.size
  }

  /** 0 of one that nobody has raised. */
  rank(place: number): number {
    return (this.#byPlace.get(place) ?? []).reduce((greatest, { rank }) => Math.max(greatest, rank), 0)
  }

  raise({ place, rank }: Raised, seen: Seen): void {
    const unseen = (this.#byPlace.get(place) ?? []).filter(({ stamp }) => !isPast(seen, stamp))
    this.#byPlace.set(place, [...unseen, { rank, stamp: seen.stamp }])
  }

  put(place: number, ranks: readonly Rank[]): void {
    this.#byPlace.set(place, ranks)
  }

  erase(seen: Seen): void {
    for (const [place, ranks] of this.#byPlace) {
      const unseen = ranks.filter(({ stamp }) => !isPast(seen, stamp))
      if (unseen.length === 0) this.#byPlace.delete(place)
      else if (unseen.length < ranks.length) this.#byPlace.set(place, unseen)
    }
  }

  has(place: number): boolean {
    return this.#byPlace.has(place)
  }

  /** In any order. */
  entries(): Iterable<readonly [place: number, ranks: readonly Rank[]]> {
    return this.#byPlace
  }

  /** The rank of each register, by place. */
  ranks(): Uint8Array {
    const ranks = new Uint8Array(REGISTERS)
    for (const place of this.#byPlace.keys()) if (place < REGISTERS) ranks[place] = this.rank(place)
    return ranks
  }

  *stamps(): Generator<Stamp> {
    for (const ranks of this.#byPlace.values()) for (const { stamp } of ranks) yield stamp
  }
}
