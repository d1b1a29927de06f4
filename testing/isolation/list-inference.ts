/**
 * What follows from transactions on lists that only grow. A read shows the whole history of its
 * key, so the order of versions is seen, not guessed: every read of a key is the beginning of the
 * longest one. That is why this kind of history finds nearly everything, and the other little.
 *
 * What was committed and never seen came behind all that was seen, since versions never lose an
 * element: whoever read without it came before it. So an append that was acknowledged and got lost
 * shows as a stale read.
 *
 * 1. Kyle Kingsbury, Peter Alvaro, "Elle: inferring isolation anomalies from experimental
 *    observations", VLDB 14(3), 2020.
 */
import { type Json, canonicalText } from '../history/json.ts'
import { type Anomaly, nameOf } from './anomaly.ts'
import type { Dependency } from './dependencies.ts'
import {
  type ExternalRead,
  type Inference,
  anomaly,
  intermediateRead,
  isAnomaly,
  judgeSeen,
  lostUpdates,
} from './inference.ts'
import { type Transaction, type Write, type Writes, committedTransactions } from './transactions.ts'

/**
 * A list that was read, whole, and without what the reader itself had appended: its own appends are
 * at the end of what it sees, wherever they will come to stand once they are committed.
 */
interface ListRead extends ExternalRead {
  readonly elements: readonly string[]
  readonly external: readonly string[]
  /** Whether it is the transaction's first one of the key. */
  readonly isFirst: boolean
}

export function inferFromLists(transactions: readonly Transaction[], writes: Writes): Inference {
  const committed = committedTransactions(transactions, writes, elementsOf)
  const anomalies: Anomaly[] = []
  const reads = transactions.filter(({ outcome }) => outcome === 'ok').flatMap((one) => readsOf(one, anomalies))
  for (const read of reads) anomalies.push(...judgeRead(read, writes))
  anomalies.push(...lostUpdates(reads.filter(({ isFirst }) => isFirst)))
  const keys = new Set([...writes.keys(), ...reads.map(({ key }) => key)])
  const byKey = new Map([...keys].map((key) => [key, reads.filter((read) => read.key === key)]))
  const dependencies: Dependency[] = []
  for (const [key, ofKey] of byKey) {
    const order = versionOrder(key, ofKey, anomalies)
    if (order === undefined) continue
    const versions = new Versions(order, [...(writes.get(key)?.values() ?? [])], committed)
    anomalies.push(...versions.dirtyUpdates(key))
    dependencies.push(...versions.dependencies(key, ofKey))
  }
  return { committed, anomalies, dependencies }
}

function elementsOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : []
}

/** The reads of one transaction; and where it contradicts itself. */
function readsOf(transaction: Transaction, anomalies: Anomaly[]): ListRead[] {
  const reads: ListRead[] = []
  const known = new Map<string, readonly string[]>()
  const appended = new Map<string, readonly string[]>()
  transaction.operations.forEach(({ kind, key, value, text }, i) => {
    const own = appended.get(key) ?? []
    const expected = known.get(key)
    if (kind === 'write') {
      appended.set(key, [...own, text])
      if (expected !== undefined) known.set(key, [...expected, text])
      return
    }
    const elements = elementsOf(value).map(canonicalText)
    const rest = transaction.operations.slice(i + 1)
    const isFuture = rest.some((later) => later.kind === 'write' && later.key === key && elements.includes(later.text))
    const isOwnThere = endsWith(elements, own)
    if (isFuture)
      anomalies.push(
        anomaly('future-read', [transaction], `${nameOf(transaction)} read from ${key} what it appends later`),
      )
    else if (!isOwnThere || (expected !== undefined && !isSame(elements, expected))) {
      const what = `${nameOf(transaction)} read ${key} as ${text}, against its own earlier reads and appends`
      anomalies.push(anomaly('internal', [transaction], what))
    }
    known.set(key, elements)
    const external = isOwnThere ? elements.slice(0, elements.length - own.length) : elements
    const isUpdate = own.length === 0 && rest.some((later) => later.kind === 'write' && later.key === key)
    reads.push({ transaction, key, value, text, isUpdate, elements, external, isFirst: expected === undefined })
  })
  return reads
}

function endsWith(list: readonly string[], end: readonly string[]): boolean {
  return end.length <= list.length && end.every((text, i) => text === list[list.length - end.length + i])
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && endsWith(a, b)
}

function judgeRead(read: ListRead, writes: Writes): Anomaly[] {
  const { transaction, key, elements, external } = read
  const seen = elements.map((element) => judgeSeen(transaction, key, element, writes))
  const last = writes.get(key)?.get(external.at(-1) ?? '')
  const anomalies = [...seen.filter(isAnomaly), ...(last === undefined ? [] : intermediateRead(read, last))]
  if (new Set(elements).size === elements.length) return anomalies
  const text = `${nameOf(transaction)} read ${key} as ${read.text}, which has an element twice`
  return [...anomalies, anomaly('duplicate-elements', [transaction], text)]
}

/**
 * The longest version of a key that was read, of which all others are beginnings. `undefined` if
 * there is no such order.
 */
function versionOrder(key: string, reads: readonly ListRead[], anomalies: Anomaly[]): readonly string[] | undefined {
  const [first] = reads
  if (first === undefined) return []
  const longest = reads.reduce((best, read) => (read.external.length > best.external.length ? read : best), first)
  const other = reads.find(({ external }) => external.some((text, i) => text !== longest.external[i]))
  if (other !== undefined) {
    const [a, b] = [longest, other].map(({ transaction, text }) => `${nameOf(transaction)} read ${text}`)
    const what = `${a ?? ''} from ${key}, and ${b ?? ''}: neither is the beginning of the other`
    anomalies.push(anomaly('incompatible-order', [longest.transaction, other.transaction], what))
    return undefined
  }
  return new Set(longest.external).size === longest.external.length ? longest.external : undefined
}

/** The order in which one key's elements were appended. */
class Versions {
  /** Of those that were seen, in order; `undefined` where nobody wrote it. */
  readonly #seen: readonly (Write | undefined)[]
  /** Committed and never seen, hence behind the others, in no known order. */
  readonly #unseen: readonly Write[]

  readonly #committed: ReadonlySet<Transaction>

  constructor(order: readonly string[], writes: readonly Write[], committed: ReadonlySet<Transaction>) {
    const byText = new Map(writes.map((write) => [write.text, write]))
    const isSeen = new Set(order)
    this.#committed = committed
    this.#seen = order.map((text) => byText.get(text))
    this.#unseen = writes.filter(({ transaction, text }) => committed.has(transaction) && !isSeen.has(text))
  }

  /** An element of a failed transaction with one of another, committed transaction behind it. */
  dirtyUpdates(key: string): Anomaly[] {
    const failedAt = this.#seen.findIndex((write) => write?.transaction.outcome === 'failed')
    const failed = this.#seen[failedAt]
    const above = this.#seen.slice(failedAt + 1).find((write) => this.#isCommitted(write))
    if (failed === undefined || above === undefined) return []
    const [bad, good] = [failed.transaction, above.transaction]
    const text = `${nameOf(good)} appended ${above.text} to ${key} behind ${failed.text} of ${nameOf(bad)}, which failed`
    return [anomaly('dirty-update', [good, bad], text)]
  }

  dependencies(key: string, reads: readonly ListRead[]): Dependency[] {
    return [
      ...this.#overwrites(key),
      ...reads.filter(({ isFirst }) => isFirst).flatMap((read) => this.#ofRead(key, read)),
    ]
  }

  #overwrites(key: string): Dependency[] {
    const written = this.#seen.filter((write) => this.#isCommitted(write)) as Write[] // those are there
    const pairs = written.slice(1).map((to, i) => ({ from: written[i] as Write, to }))
    const last = written.at(-1)
    if (last !== undefined) pairs.push(...this.#unseen.map((to) => ({ from: last, to })))
    return pairs.map(({ from, to }) => {
      const reason = `${nameOf(to.transaction)} appended ${to.text} to ${key} behind ${from.text} of ${nameOf(from.transaction)}`
      return { from: from.transaction, to: to.transaction, kind: 'ww', basis: 'data', reason }
    })
  }

  #ofRead(key: string, { transaction, external, text }: ListRead): Dependency[] {
    const reader = nameOf(transaction)
    const last = this.#seen[external.length - 1]
    const next = this.#next(external.length)
    const found: Dependency[] = next.map((write) => {
      const reason = `${reader} read ${key} as ${text}, without ${write.text}, which ${nameOf(write.transaction)} appended`
      return { from: transaction, to: write.transaction, kind: 'rw', basis: 'data', reason }
    })
    if (last === undefined || !this.#committed.has(last.transaction)) return found
    const reason = `${reader} read ${key} as ${text}, of which ${nameOf(last.transaction)} appended ${last.text}`
    return [...found, { from: last.transaction, to: transaction, kind: 'wr', basis: 'data', reason }]
  }

  /** What came directly behind the first `count` elements. */
  #next(count: number): readonly Write[] {
    const next = this.#seen.slice(count).find((write) => this.#isCommitted(write))
    return next === undefined ? this.#unseen : [next]
  }

  #isCommitted(write: Write | undefined): boolean {
    return write !== undefined && this.#committed.has(write.transaction)
  }
}
