/**
 * What each author of a history had seen before each transaction. An author's transactions form a
 * chain (each has the author's previous one among its ancestors), so the ancestors of a transaction
 * are a count per author: a version vector.
 */
import type { Trace } from './authors/trace-file.ts'
import { UsageError } from './usage-error.ts'

export interface Causality {
  /** Per transaction and author, how many of the author's transactions are ancestors. */
  readonly known: readonly (readonly number[])[]
  /**
   * Whether a transaction is the newest of its author that another author had seen at some time.
   */
  readonly isSeenLast: readonly boolean[]
}

/** Throws {@link UsageError} if somebody wrote without having seen what they had written before. */
export function causalityOf({ transactions, agentsCount }: Trace): Causality {
  const known: number[][] = []
  const made: number[][] = Array.from({ length: agentsCount }, () => []) // transactions by author
  const isSeenLast = transactions.map(() => false)
  const knownBefore: number[][] = Array.from({ length: agentsCount }, () => Array<number>(agentsCount).fill(0))
  transactions.forEach(({ agent, parents }, index) => {
    const vector = Array<number>(agentsCount).fill(0)
    for (const parent of parents) raise(vector, known[parent]!, transactions[parent]!.agent)
    if (vector[agent] !== made[agent]!.length) {
      throw new UsageError(`txns[${index}]: author ${agent} had not seen all of their own earlier transactions`)
    }
    vector.forEach((count, other) => {
      if (other !== agent && count > knownBefore[agent]![other]!) isSeenLast[made[other]![count - 1]!] = true
    })
    knownBefore[agent] = vector
    known.push(vector)
    made[agent]!.push(index)
  })
  return { known, isSeenLast }
}

/** The ancestors of a parent, and the parent itself. */
function raise(vector: number[], ancestors: readonly number[], author: number): void {
  ancestors.forEach((count, agent) => {
    vector[agent] = Math.max(vector[agent]!, agent === author ? count + 1 : count)
  })
}
