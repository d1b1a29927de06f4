/**
 * A version vector: per replica, the length of the contiguous prefix of its operations that has
 * been seen (Parker et al. 1983; Mattern 1989). Mutable, because it lies on the hot path; `copy()`
 * where a value must stay.
 *
 * Parallel arrays with a linear search while small (few replicas write one key), a Map beside them
 * when larger.
 */
import type { ReplicaId } from './replica-id.ts'

export type CausalOrder = 'before' | 'after' | 'equal' | 'concurrent'

const LINEAR_ENTRIES_MAX = 12

export class VersionVector {
  readonly #replicas: ReplicaId[] = []
  readonly #sequences: number[] = []
  #index: Map<ReplicaId, number> | undefined

  static from(entries: Iterable<readonly [ReplicaId, number]>): VersionVector {
    const vector = new VersionVector()
    for (const [replica, sequence] of entries) vector.raise(replica, sequence)
    return vector
  }

  get size(): number {
    return this.#replicas.length
  }

  /** The number of operations of `replica` seen; 0 if none. */
  get(replica: ReplicaId): number {
    const at = this.#find(replica)
    return at < 0 ? 0 : (this.#sequences[at] ?? 0)
  }

  includes(replica: ReplicaId, sequence: number): boolean {
    return sequence <= this.get(replica)
  }

  /** Raises the entry to `sequence` if it is lower. Returns whether it changed. */
  raise(replica: ReplicaId, sequence: number): boolean {
    const at = this.#find(replica)
    if (at >= 0) {
      if ((this.#sequences[at] ?? 0) >= sequence) return false
      this.#sequences[at] = sequence
      return true
    }
    if (sequence <= 0) return false
    this.#replicas.push(replica)
    this.#sequences.push(sequence)
    if (this.#index !== undefined) this.#index.set(replica, this.#replicas.length - 1)
    else if (this.#replicas.length > LINEAR_ENTRIES_MAX) this.#buildIndex()
    return true
  }

  /** Raises every entry to the other's: the least upper bound. */
  join(other: VersionVector): void {
    for (let i = 0; i < other.#replicas.length; i++) {
      this.raise(other.#replicas[i] as ReplicaId, other.#sequences[i] ?? 0)
    }
  }

  /** What both include: the greatest lower bound, as a vector of its own. */
  meet(other: VersionVector): VersionVector {
    const both = new VersionVector()
    for (const [replica, sequence] of this.entries()) both.raise(replica, Math.min(sequence, other.get(replica)))
    return both
  }

  /** Becomes equal to the other: entries may fall, and go. */
  assign(other: VersionVector): void {
    const entries = [...other.entries()]
    this.#replicas.length = 0
    this.#sequences.length = 0
    this.#index = undefined
    for (const [replica, sequence] of entries) this.raise(replica, sequence)
  }

  /** Whether every entry is at least the other's. */
  dominates(other: VersionVector): boolean {
    for (let i = 0; i < other.#replicas.length; i++) {
      if (this.get(other.#replicas[i] as ReplicaId) < (other.#sequences[i] ?? 0)) return false
    }
    return true
  }

  compare(other: VersionVector): CausalOrder {
    const after = this.dominates(other)
    const before = other.dominates(this)
    if (after && before) return 'equal'
    if (after) return 'after'
    return before ? 'before' : 'concurrent'
  }

  copy(): VersionVector {
    return VersionVector.from(this.entries())
  }

  /** Whether it holds of each entry. */
  every(test: (replica: ReplicaId, sequence: number) => boolean): boolean {
    for (let i = 0; i < this.#replicas.length; i++)
      if (!test(this.#replicas[i] as ReplicaId, this.#sequences[i] ?? 0)) return false
    return true
  }

  *entries(): IterableIterator<readonly [ReplicaId, number]> {
    for (let i = 0; i < this.#replicas.length; i++) {
      yield [this.#replicas[i] as ReplicaId, this.#sequences[i] ?? 0]
    }
  }

  /** The entries of all others, in a list of their own. */
  entriesWithout(replica: ReplicaId): (readonly [ReplicaId, number])[] {
    const entries: (readonly [ReplicaId, number])[] = []
    for (let i = 0; i < this.#replicas.length; i++) {
      const other = this.#replicas[i] as ReplicaId
      if (other !== replica) entries.push([other, this.#sequences[i] ?? 0])
    }
    return entries
  }

  /** Sorted by replica id, so that equal vectors print and encode the same. */
  sorted(): (readonly [ReplicaId, number])[] {
    return [...this.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  }

  #find(replica: ReplicaId): number {
    if (this.#index !== undefined) return this.#index.get(replica) ?? -1
    return this.#replicas.indexOf(replica)
  }

  #buildIndex(): void {
    this.#index = new Map(this.#replicas.map((replica, i) => [replica, i]))
  }
}
