/**
 * Where each operation of a log lies, and its stamp, by dot: pages of 256 operations per replica,
 * 16 bytes an operation. Sparse, so that a log whose first million operations are compacted away,
 * or one forged with an absurd sequence, costs its operations only.
 */
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Position } from '../operation/position.ts'

const PAGE_DOTS = 256

interface Page {
  readonly positions: Float64Array
  readonly hlcs: Float64Array
}

/** A stretch of sequences without an operation. */
export interface Gap {
  readonly first: number
  readonly count: number
}

export class DotTable {
  readonly #pages = new Map<ReplicaId, Map<number, Page>>()
  count = 0

  /**
   * Notes an operation. Returns the position that was noted before under the same dot, 0 if none
   * was.
   */
  note(replica: ReplicaId, sequence: number, at: { readonly position: Position; readonly hlc: Hlc }): Position {
    const page = this.#pageFor(replica, Math.floor(sequence / PAGE_DOTS))
    const index = sequence % PAGE_DOTS
    const before = page.positions[index] as number
    if (before === 0) this.count++
    page.positions[index] = at.position
    page.hlcs[index] = at.hlc
    return before
  }

  /** 0 if there is none. */
  position(replica: ReplicaId, sequence: number): Position {
    return this.#page(replica, sequence)?.positions[sequence % PAGE_DOTS] ?? 0
  }

  /** 0 if there is none. */
  hlc(replica: ReplicaId, sequence: number): Hlc {
    return this.#page(replica, sequence)?.hlcs[sequence % PAGE_DOTS] ?? 0
  }

  replicas(): IterableIterator<ReplicaId> {
    return this.#pages.keys()
  }

  /** In ascending order. */
  *sequences(replica: ReplicaId): IterableIterator<number> {
    const pages = this.#pages.get(replica)
    if (pages === undefined) return
    for (const number of [...pages.keys()].sort((a, b) => a - b)) {
      const { positions } = pages.get(number) as Page
      for (let i = 0; i < PAGE_DOTS; i++) if (positions[i] !== 0) yield number * PAGE_DOTS + i
    }
  }

  /** The stretches of (after, through] that hold nothing. */
  *gaps(replica: ReplicaId, after: number, through: number): IterableIterator<Gap> {
    let next = after + 1
    for (const sequence of this.sequences(replica)) {
      if (sequence > through) break
      if (sequence > next) yield { first: next, count: sequence - next }
      if (sequence >= next) next = sequence + 1
    }
    if (next <= through) yield { first: next, count: through - next + 1 }
  }

  #page(replica: ReplicaId, sequence: number): Page | undefined {
    return this.#pages.get(replica)?.get(Math.floor(sequence / PAGE_DOTS))
  }

  #pageFor(replica: ReplicaId, number: number): Page {
    let pages = this.#pages.get(replica)
    if (pages === undefined) this.#pages.set(replica, (pages = new Map<number, Page>()))
    let page = pages.get(number)
    if (page === undefined) {
      page = { positions: new Float64Array(PAGE_DOTS), hlcs: new Float64Array(PAGE_DOTS) }
      pages.set(number, page)
    }
    return page
  }
}
