/**
 * Who must have come before whom, as a graph of transactions (Adya 1999), each edge with the reason
 * for it:
 *
 * - `ww`: it overwrote what the other had written, or came directly behind it in the list;
 * - `wr`: it read what the other had written;
 * - `rw`: it overwrote what the other had read, so the other did not see it (an anti-dependency);
 * - `process`: it was invoked by the same process after the other one had returned;
 * - `realtime`: it was invoked after the other one had returned.
 *
 * A serial execution has no cycle of the first three; a strictly serial one has none at all.
 */
import type { Transaction } from './transactions.ts'

/** What an edge rests on besides the data: nothing, the order within a process, or real time. */
export type Basis = 'data' | 'process' | 'realtime'

export interface Dependency {
  readonly from: Transaction
  readonly to: Transaction
  readonly kind: 'ww' | 'wr' | 'rw' | 'order'
  /** Of `order`, which; of the others, what the order of versions was inferred from. */
  readonly basis: Basis
  /** A clause that explains the edge, without naming the two transactions. */
  readonly reason: string
}

export class DependencyGraph {
  readonly #from = new Map<Transaction, Dependency[]>()
  readonly #known = new Set<string>()
  readonly transactions: readonly Transaction[]

  constructor(transactions: readonly Transaction[]) {
    this.transactions = transactions
  }

  /**
   * A second edge of the same kind between the same two says nothing new, nor does one from a
   * transaction to itself.
   */
  add(dependency: Dependency): void {
    const { from, to, kind, basis } = dependency
    const name = `${from.index} ${to.index} ${kind} ${basis}`
    if (from === to || this.#known.has(name)) return
    this.#known.add(name)
    const edges = this.#from.get(from)
    if (edges === undefined) this.#from.set(from, [dependency])
    else edges.push(dependency)
  }

  edgesFrom(transaction: Transaction): readonly Dependency[] {
    return this.#from.get(transaction) ?? []
  }
}
