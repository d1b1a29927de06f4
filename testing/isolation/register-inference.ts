/**
 * What follows from transactions on registers. A read shows one version and not those before it, so
 * little is known of their order:
 *
 * - nothing (`null`) comes before everything that was written;
 * - what a transaction read from a key comes before what it then wrote there (an assumption that
 *   every sane system meets);
 * - if real time, or the order within a process, counts: the version that one left or found comes
 *   before another one that a later one finds or leaves. What rests on this closes cycles of the
 *   names that end in `-realtime` and `-process` only.
 *
 * Lists find more; use registers where the system has no append.
 */
import { type Anomaly, nameOf } from './anomaly.ts'
import { components } from './components.ts'
import type { Basis, Dependency } from './dependencies.ts'
import {
  type ExternalRead,
  type Inference,
  anomaly,
  intermediateRead,
  isAnomaly,
  judgeSeen,
  lostUpdates,
} from './inference.ts'
import { type OrderedPair, processPairs, realtimePairs } from './order-edges.ts'
import { type Transaction, type Write, type Writes, committedTransactions } from './transactions.ts'

const NOTHING = 'null'

/** Version `from` came before version `to` of the same key; both by the text of the value. */
interface VersionPair {
  readonly from: string
  readonly to: string
  readonly basis: Basis
  /** Why, as a clause. */
  readonly why: string
}

export function inferFromRegisters(transactions: readonly Transaction[], writes: Writes): Inference {
  const committed = committedTransactions(transactions, writes, (value) => (value === null ? [] : [value]))
  const anomalies: Anomaly[] = []
  const reads = transactions.filter(({ outcome }) => outcome === 'ok').flatMap((one) => readsOf(one, anomalies))
  for (const read of reads) anomalies.push(...judgeRead(read, writes))
  anomalies.push(...lostUpdates(reads))
  const dependencies: Dependency[] = []
  for (const key of new Set([...writes.keys(), ...reads.map((read) => read.key)])) {
    const register = new RegisterVersions(key, {
      writes: [...(writes.get(key)?.values() ?? [])].filter(({ transaction }) => committed.has(transaction)),
      reads: reads.filter((read) => read.key === key),
    })
    anomalies.push(...register.cycles())
    dependencies.push(...register.dependencies())
  }
  return { committed, anomalies, dependencies }
}

/**
 * The first read of each key that the transaction had not written yet; and where it contradicts
 * itself.
 */
function readsOf(transaction: Transaction, anomalies: Anomaly[]): ExternalRead[] {
  const reads: ExternalRead[] = []
  const known = new Map<string, string>()
  transaction.operations.forEach(({ kind, key, value, text }, i) => {
    const expected = known.get(key)
    known.set(key, text)
    if (kind === 'write' || expected === text) return
    const later = transaction.operations.slice(i + 1).filter((other) => other.kind === 'write' && other.key === key)
    const read = `${nameOf(transaction)} read ${text} from ${key}`
    if (later.some((write) => write.text === text))
      anomalies.push(anomaly('future-read', [transaction], `${read}, which it writes later`))
    else if (expected !== undefined)
      anomalies.push(anomaly('internal', [transaction], `${read}, but knows it as ${expected}`))
    if (expected === undefined) reads.push({ transaction, key, value, text, isUpdate: later.length > 0 })
  })
  return reads
}

function judgeRead(read: ExternalRead, writes: Writes): Anomaly[] {
  if (read.value === null) return []
  const seen = judgeSeen(read.transaction, read.key, read.text, writes)
  return isAnomaly(seen) ? [seen] : intermediateRead(read, seen)
}

interface KeyHistory {
  readonly writes: readonly Write[]
  readonly reads: readonly ExternalRead[]
}

/** The versions of one key and what is known of their order. */
class RegisterVersions {
  readonly #key: string
  readonly #writes: readonly Write[]
  readonly #reads: readonly ExternalRead[]
  readonly #writeOf: ReadonlyMap<string, Write>
  readonly #pairs: readonly VersionPair[]
  readonly #cycle: readonly string[] | undefined

  constructor(key: string, { writes, reads }: KeyHistory) {
    this.#key = key
    this.#reads = reads
    this.#writes = writes.filter(({ isIntermediate }) => !isIntermediate)
    this.#writeOf = new Map(this.#writes.map((write) => [write.text, write]))
    const overwritten = this.#overwritten()
    this.#cycle = cyclicVersions(overwritten)
    const sane = this.#cycle === undefined ? overwritten : []
    this.#pairs = [...this.#fromNothing(sane), ...sane, ...this.#inOrder('process'), ...this.#inOrder('realtime')]
  }

  cycles(): Anomaly[] {
    if (this.#cycle === undefined) return []
    const writers = this.#cycle.flatMap((text) => this.#writeOf.get(text)?.transaction ?? [])
    const text = `of ${this.#key}, each of the versions ${this.#cycle.join(', ')} was written over another one of them`
    return [anomaly('cyclic-versions', writers, text)]
  }

  dependencies(): Dependency[] {
    const seen = this.#reads.flatMap((read): Dependency[] => {
      const writer = this.#writeOf.get(read.text)?.transaction
      if (writer === undefined) return []
      const reason = `${nameOf(read.transaction)} read ${read.text} from ${this.#key}, which ${nameOf(writer)} wrote`
      return [{ from: writer, to: read.transaction, kind: 'wr', basis: 'data', reason }]
    })
    return [...seen, ...this.#pairs.flatMap((pair) => this.#ofPair(pair))]
  }

  #ofPair({ from, to, basis, why }: VersionPair): Dependency[] {
    const over = this.#writeOf.get(to)?.transaction
    if (over === undefined) return []
    const writer = this.#writeOf.get(from)?.transaction
    const before = `before ${nameOf(over)} wrote ${to}, for ${why}`
    const missed = this.#reads
      .filter(({ text }) => text === from)
      .map(({ transaction }): Dependency => {
        const reason = `${nameOf(transaction)} read ${from} from ${this.#key}, ${before}`
        return { from: transaction, to: over, kind: 'rw', basis, reason }
      })
    if (writer === undefined) return missed
    const reason = `${nameOf(writer)} wrote ${from} to ${this.#key}, ${before}`
    return [...missed, { from: writer, to: over, kind: 'ww', basis, reason }]
  }

  /** Found, and then written over by the same transaction. */
  #overwritten(): VersionPair[] {
    return this.#reads.flatMap((read): VersionPair[] => {
      const written = this.#lastWriteOf(read.transaction)
      if (!read.isUpdate || written === undefined || read.value === null) return []
      const why = `${nameOf(read.transaction)} read ${read.text} and then wrote ${written}`
      return [{ from: read.text, to: written, basis: 'data', why }]
    })
  }

  /** To those only that nothing else is known to come before. */
  #fromNothing(pairs: readonly VersionPair[]): VersionPair[] {
    const isLater = new Set(pairs.map(({ to }) => to))
    const first = this.#writes.filter(({ text }) => !isLater.has(text))
    return first.map(({ text }) => ({ from: NOTHING, to: text, basis: 'data', why: 'nothing was there at first' }))
  }

  #inOrder(basis: 'process' | 'realtime'): VersionPair[] {
    const found = new Map(this.#reads.map(({ transaction, text }) => [transaction, text]))
    const left = new Map(this.#writes.map(({ transaction, text }) => [transaction, text]))
    const touching = [...new Set([...found.keys(), ...left.keys()])].sort((a, b) => a.invokedAt - b.invokedAt)
    const pairs: readonly OrderedPair[] = basis === 'process' ? processPairs(touching) : realtimePairs(touching)
    return pairs.flatMap(({ from, to }): VersionPair[] => {
      const before = left.get(from) ?? found.get(from) ?? NOTHING
      const after = found.get(to) ?? left.get(to) ?? NOTHING
      // That nothing came first is known already.
      if (before === after || before === NOTHING || after === NOTHING) return []
      const why = `${nameOf(from)} had returned with ${before} in place when ${nameOf(to)} began, which met ${after}`
      return [{ from: before, to: after, basis, why }]
    })
  }

  #lastWriteOf(transaction: Transaction): string | undefined {
    return this.#writes.find((write) => write.transaction === transaction)?.text
  }
}

/** Versions that came before each other. */
function cyclicVersions(pairs: readonly VersionPair[]): readonly string[] | undefined {
  const after = new Map<string, string[]>()
  for (const { from, to } of pairs) after.set(from, [...(after.get(from) ?? []), to])
  return components([...after.keys()], (text) => after.get(text) ?? [])[0]
}
