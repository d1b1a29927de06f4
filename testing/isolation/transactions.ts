/**
 * A history as transactions: calls named `txn` whose value is a list of micro-operations, in the
 * form that Elle reads.
 *
 *     ["r", key, value]        read; the value is null when invoked, and what was seen when it returned
 *     ["append", key, value]   append to a list
 *     ["w", key, value]        write a register
 *
 * Only writes that can be told apart say who saw whom, so a value is written to one key once at
 * most, whatever became of it.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { pairCalls } from '../history/calls.ts'
import type { CallOutcome, History, Process } from '../history/history.ts'
import { type Json, canonicalText } from '../history/json.ts'

export interface MicroOperation {
  readonly kind: 'read' | 'write'
  readonly key: string
  /** Written or seen. */
  readonly value: Json
  /** Equal for equal values. */
  readonly text: string
}

export interface Transaction {
  /** The place in the list of transactions, by invocation. */
  readonly index: number
  readonly process: Process
  readonly outcome: CallOutcome
  readonly operations: readonly MicroOperation[]
  /** Index of the event. */
  readonly invokedAt: number
  /** Index of the event; infinite if the outcome is unknown. */
  readonly returnedAt: number
}

/** What the keys hold: lists that only grow, or registers. */
export type TransactionKind = 'list-append' | 'rw-register'

/** Who wrote what. */
export interface Write {
  readonly transaction: Transaction
  readonly value: Json
  readonly text: string
  /** Whether the transaction writes this key again later. */
  readonly isIntermediate: boolean
}

/** By key, and then by the text of the value. */
export type Writes = ReadonlyMap<string, ReadonlyMap<string, Write>>

/** Throws `WARP_E_PROTOCOL` if a call is not a transaction of this kind. */
export function readTransactions(history: History, kind: TransactionKind): Transaction[] {
  return pairCalls(history.events).map((call, index) => {
    if (call.f !== 'txn') refuse(index, `is a ${call.f}, not a txn`)
    const invoked = readOperations(call.input, { kind, index })
    const operations = call.outcome === 'ok' ? readOperations(call.output, { kind, index }) : invoked
    if (shapeOf(operations) !== shapeOf(invoked))
      refuse(index, 'returned other micro-operations than it was invoked with')
    const { process: caller, outcome, invokedAt, returnedAt } = call
    return { index, process: caller, outcome, operations, invokedAt, returnedAt }
  })
}

/** Throws `WARP_E_PROTOCOL` if one value is written to one key twice. */
export function indexWrites(transactions: readonly Transaction[]): Writes {
  const writes = new Map<string, Map<string, Write>>()
  for (const transaction of transactions) {
    transaction.operations.forEach(({ kind, key, value, text }, i) => {
      if (kind === 'read') return
      const later = transaction.operations.slice(i + 1)
      const isIntermediate = later.some((other) => other.kind === 'write' && other.key === key)
      let ofKey = writes.get(key)
      if (ofKey === undefined) writes.set(key, (ofKey = new Map<string, Write>()))
      if (ofKey.has(text))
        refuse(transaction.index, `writes a value to ${key} that is written there before; use each once`)
      ofKey.set(text, { transaction, value, text, isIntermediate })
    })
  }
  return writes
}

/**
 * Transactions that took place: those that say so, and those of unknown outcome of which somebody
 * who committed saw a write. Of what the rest may have done, nobody has seen anything.
 */
export function committedTransactions(
  transactions: readonly Transaction[],
  writes: Writes,
  seenIn: (value: Json) => readonly Json[],
): ReadonlySet<Transaction> {
  const ok = transactions.filter(({ outcome }) => outcome === 'ok')
  const reads = ok.flatMap(({ operations }) => operations.filter(({ kind }) => kind === 'read'))
  const committed = new Set(ok)
  for (const { key, value } of reads) {
    for (const seen of seenIn(value)) {
      const writer = writes.get(key)?.get(canonicalText(seen))?.transaction
      if (writer?.outcome === 'indeterminate') committed.add(writer)
    }
  }
  return committed
}

interface Place {
  readonly kind: TransactionKind
  readonly index: number
}

function readOperations(value: Json, place: Place): MicroOperation[] {
  if (!Array.isArray(value)) return refuse(place.index, 'has no list of micro-operations')
  return value.map((operation: Json) => readOperation(operation, place))
}

function readOperation(operation: Json, { kind, index }: Place): MicroOperation {
  const [name, key, value = null] = Array.isArray(operation) ? (operation as readonly Json[]) : []
  if (typeof key !== 'string' && typeof key !== 'number')
    return refuse(index, 'has a key that is no text and no number')
  const isRead = name === 'r'
  const problem = isRead ? problemOfRead(kind, value) : problemOfWrite(kind, name, value)
  if (problem !== undefined) refuse(index, `${problem}, key ${key}`)
  return { kind: isRead ? 'read' : 'write', key: String(key), value, text: canonicalText(value) }
}

function problemOfRead(kind: TransactionKind, value: Json): string | undefined {
  const isFit = value === null || kind === 'rw-register' || Array.isArray(value)
  return isFit ? undefined : 'reads something else than a list'
}

function problemOfWrite(kind: TransactionKind, name: Json | undefined, value: Json): string | undefined {
  const write = kind === 'list-append' ? 'append' : 'w'
  if (name !== write) return `has a micro-operation that is neither "r" nor "${write}"`
  return value === null ? 'writes null, which is how nothing is read' : undefined
}

/** What reads and writes there are, whatever was read. */
function shapeOf(operations: readonly MicroOperation[]): string {
  return canonicalText(operations.map(({ kind, key, text }) => [kind, key, kind === 'write' ? text : '']))
}

function refuse(index: number, what: string): never {
  const text = `transaction ${index} of the history ${what}; see docs/histories.md`
  throw new WarpError('WARP_E_PROTOCOL', text, { details: { transaction: index } })
}
