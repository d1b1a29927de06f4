/**
 * Which of some transactions came after which, in real time or within a process, by as few edges as
 * say it all.
 *
 * Real time is an interval order: keep the *frontier*, those that have returned and behind which
 * nothing that has returned was invoked. Whoever is invoked comes after all of the frontier; when
 * it returns, it takes their place there. So edges number transactions times those under way at
 * once, instead of the square.
 */
import type { Transaction } from './transactions.ts'

export interface OrderedPair {
  readonly from: Transaction
  readonly to: Transaction
}

/**
 * One that never returned comes after others, and nothing after it. `transactions` are in the order
 * of their invocations.
 */
export function realtimePairs(transactions: readonly Transaction[]): OrderedPair[] {
  const events = transactions.flatMap((transaction) => [
    { at: transaction.invokedAt, transaction, isReturn: false },
    { at: transaction.returnedAt, transaction, isReturn: true },
  ])
  const inOrder = events.filter(({ at }) => Number.isFinite(at)).sort((a, b) => a.at - b.at)
  const before = new Map<Transaction, readonly Transaction[]>()
  let frontier: readonly Transaction[] = []
  for (const { transaction, isReturn } of inOrder) {
    if (isReturn) {
      const replaced = new Set(before.get(transaction))
      frontier = [...frontier.filter((other) => !replaced.has(other)), transaction]
    } else before.set(transaction, frontier)
  }
  return [...before].flatMap(([to, all]) => all.map((from) => ({ from, to })))
}

/**
 * Each with the one before it of the same process. What became of one that never returned, its
 * process does not wait for.
 */
export function processPairs(transactions: readonly Transaction[]): OrderedPair[] {
  const last = new Map<Transaction['process'], Transaction>()
  return transactions.flatMap((to) => {
    const from = last.get(to.process)
    if (Number.isFinite(to.returnedAt)) last.set(to.process, to)
    return from === undefined ? [] : [{ from, to }]
  })
}
