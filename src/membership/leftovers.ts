/**
 * What a replica holds beyond a snapshot that it takes over. Foreign operations keep their names
 * and are admitted again. Its own cannot: others may have compacted past the places that they had,
 * so they are issued again under a new identity, as writes of now, with what they had seen then as
 * their context, as far as it is here. Under the old one they are void (retired-ids.ts).
 *
 * An operation says which names it had before. If the snapshot holds one of those, because its
 * owner has got it from somebody else before it was void, the operation is not issued once more.
 *
 * Issuing again is done in one go behind the record that says so (`Meta.reissuing`), in log order.
 * If the machine dies in between, or the disk is full, what has been issued is found by the names
 * that it had, and the rest follows at the next opening or before the next snapshot.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { RECORD_KIND } from '../log/log.ts'
import { isCanceller } from '../merge/folding/cancellation.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { FIELD } from '../operation/envelope/format.ts'
import { isApplied, isOfKey, OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import { textOf } from '../operation/text.ts'

/** Of so many names an operation says that it had them: it may be somewhere under the last few. */
const FORMER_MAX = 16

/** An operation that the snapshot does not hold, as its envelope. */
export interface Leftover {
  readonly replica: ReplicaId
  readonly envelope: Uint8Array
  readonly isOwn: boolean
  /** The snapshot, or another leftover in front of it, is the same operation under another name. */
  readonly isThereAs?: readonly [ReplicaId, number]
}

export interface LeftoversOptions {
  readonly store: KeyStore
  /** What the snapshot holds. */
  readonly vector: VersionVector
  /** And what it need not name. */
  readonly ended: EndedIds
  /** What this replica holds. */
  readonly held: VersionVector
  /** As whom this replica has written, and how far. */
  readonly own: VersionVector
}

/** The operations of `held`, in log order, that are not in `vector`. */
export function leftoversBeyond({ store, vector, ended, held, own }: LeftoversOptions): Leftover[] {
  const reader = new OperationReader(store.table)
  const seen = new Set<string>()
  const names = new Names(vector, ended)
  const leftovers: Leftover[] = []
  store.log.scan(0, (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const { replica, sequence } = reader.load(record.bytes, record.start, record.end)
    if (vector.includes(replica, sequence) || ended.includes(replica, sequence) || !held.includes(replica, sequence))
      return true
    const isOwn = own.get(replica) > 0
    if (isOwn && seen.has(nameOf(replica, sequence))) return true
    if (isOwn) seen.add(nameOf(replica, sequence))
    const envelope = record.bytes.slice(record.start, record.end)
    const isThereAs = isOwn ? names.find(replica, sequence, reader.former()) : undefined
    leftovers.push({ replica, envelope, isOwn, ...(isThereAs === undefined ? {} : { isThereAs }) })
    return true
  })
  return leftovers
}

/** Finds out which operations are the same one under several names. */
class Names {
  readonly #vector: VersionVector
  readonly #ended: EndedIds
  /**
   * By each name that it has or had, the present name of an operation that is to be issued again.
   */
  readonly #known = new Map<string, readonly [ReplicaId, number]>()

  constructor(vector: VersionVector, ended: EndedIds) {
    this.#vector = vector
    this.#ended = ended
  }

  /**
   * Under which name the operation is there already, in the snapshot or because this has been asked
   * of it under another one.
   */
  find(replica: ReplicaId, sequence: number, former: VectorEntries): readonly [ReplicaId, number] | undefined {
    const all = [...former, [replica, sequence] as const]
    const inSnapshot = former.find(
      ([writer, at]) => this.#vector.includes(writer, at) || this.#ended.includes(writer, at),
    )
    if (inSnapshot !== undefined) return inSnapshot
    const same = all.map(([writer, at]) => this.#known.get(nameOf(writer, at))).find((name) => name !== undefined)
    if (same === undefined) for (const [writer, at] of all) this.#known.set(nameOf(writer, at), [replica, sequence])
    return same
  }
}

/**
 * Operations that have been issued again: by the names that each had before, the one that it has.
 */
export type Issued = ReadonlyMap<string, readonly [ReplicaId, number]>

/** What is here of operations that were issued again. */
export function issuedOf(store: KeyStore): Issued {
  const reader = new OperationReader(store.table)
  const issued = new Map<string, readonly [ReplicaId, number]>()
  store.log.scan(0, (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const { replica, sequence } = reader.load(record.bytes, record.start, record.end)
    if (!store.applied.includes(replica, sequence)) return true
    for (const former of reader.former()) issued.set(nameOf(...former), [replica, sequence])
    return true
  })
  return issued
}

export interface ReentryOptions {
  readonly store: KeyStore
  readonly issued: Issued
  readonly admit: (envelope: Uint8Array) => void
}

/** Lets the leftovers enter again. Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`. */
export function reenter(leftovers: readonly Leftover[], options: ReentryOptions): void {
  const { store, issued } = options
  const reader = new OperationReader(store.table)
  const renamed = new Map<string, readonly [ReplicaId, number]>()
  for (const { envelope, isOwn, isThereAs } of leftovers) {
    if (!isOwn) {
      options.admit(envelope)
      continue
    }
    const operation = reader.load(envelope, 0, envelope.length)
    const name = nameOf(operation.replica, operation.sequence)
    const present = issued.get(name)
    if (isThereAs !== undefined) renamed.set(name, renamed.get(nameOf(...isThereAs)) ?? isThereAs)
    else if (present !== undefined) renamed.set(name, present)
    // What is of no key said something of its writer's own, whose id has come to its end.
    else if (isOfKey(operation.kind)) {
      issueAgain(store, operation, renamed)
      const { replica, sequence } = store.writers.shared
      renamed.set(name, [replica, sequence])
    }
  }
}

function nameOf(replica: ReplicaId, sequence: number): string {
  return `${replica}:${sequence}`
}

/** By the name that an operation had, the one that it has now. */
type Renamed = ReadonlyMap<string, readonly [ReplicaId, number]>

/**
 * Fields that say something of the operation's name or place, and its life, which counts anew. The
 * others go with it.
 */
const REWRITTEN: readonly number[] = [FIELD.former, FIELD.origin, FIELD.previousHash, FIELD.life]

function issueAgain(store: KeyStore, operation: OperationReader, renamed: Renamed): void {
  const { bytes, kind, strategy, payloadStart, end } = operation
  const key = textOf(bytes, operation.keyStart, operation.keyEnd)
  const slot = store.keys.find(key)
  const keyspace = store.keyspaceFor(key, slot)
  const { context, dots } = issuedContext(store, keyspace, operation, renamed)
  const written = kind === OPERATION_KIND.update ? decode(bytes, payloadStart, end) : undefined
  // The key may be registered otherwise by now, or not at all: then it stays what it was, for those
  // who can read it.
  const rebase = keyspace.strategy.code === strategy ? keyspace.strategy.rebase : undefined
  const rename = (of: ReplicaId, at: number): readonly [ReplicaId, number] => renamed.get(nameOf(of, at)) ?? [of, at]
  const payload =
    written === undefined ? undefined : ((rebase?.call(keyspace.strategy, written, rename) ?? written) as Encodable)
  const { replica, sequence } = operation
  const fields = {
    former: [...operation.former(), [replica, sequence] as const].slice(-FORMER_MAX),
    origin: operation.origin() ?? { replica, sequence },
    others: operation.fieldsBeside(REWRITTEN),
  }
  const seen = { context, isExact: operation.isExact, dots }
  const opaque = isApplied(kind) ? undefined : bytes.slice(payloadStart, end)
  const { lifeMs } = operation
  store.append({ key, keyspace, slot, kind, strategy, payload, opaque, ...seen, fields, lifeMs })
}

/**
 * What the writer had seen. One that cancels others has, however, to have seen all that is here of
 * its key: somewhere the rest may have been folded into one state, of which a part cannot be taken
 * away. If it has not, it cancels nothing: what others have written meanwhile is not lost, and the
 * delete may be asked for again.
 */
function issuedContext(
  store: KeyStore,
  keyspace: Keyspace,
  operation: OperationReader,
  renamed: Renamed,
): IssuedContext {
  const seen = VersionVector.from(formerContext(store, operation))
  const dots = takeFollowing(seen, issuedDots(store, operation, renamed))
  const issued = { context: [...seen.entries()], dots }
  const slot = store.keys.find(textOf(operation.bytes, operation.keyStart, operation.keyEnd))
  if (slot === undefined || !isCanceller(keyspace.strategy, operation)) return issued
  const { ended } = store.table
  const hasSeen = (replica: ReplicaId, sequence: number): boolean => seen.includes(replica, sequence)
  const isImplied = (replica: ReplicaId): boolean => !operation.isExact && replica === store.writers.shared.replica
  const hasSeenAll = [...store.keys.vector(slot).entries()].every(
    ([replica, sequence]) => isImplied(replica) || hasSeen(replica, sequence) || ended.isSeen(replica, hasSeen),
  )
  return hasSeenAll ? issued : { context: [], dots: [] }
}

interface IssuedContext {
  readonly context: VectorEntries
  readonly dots: VectorEntries
}

/** Single operations that the writer had seen, under the names that they have now. */
function issuedDots(store: KeyStore, operation: OperationReader, renamed: Renamed): VectorEntries {
  const dots = operation.dots().filter(([replica, sequence]) => store.applied.includes(replica, sequence))
  if (!operation.isExact) return dots
  for (const [name, present] of renamed) {
    const [replica = '', sequence = ''] = name.split(':')
    if (operation.observed(replica as ReplicaId, Number(sequence))) dots.push(present)
  }
  return dots
}

/** Raises the vector by the dots that follow it without a gap, and returns the others. */
function takeFollowing(seen: VersionVector, dots: VectorEntries): VectorEntries {
  return [...dots]
    .sort(([, a], [, b]) => a - b)
    .filter(([replica, sequence]) => {
      if (sequence > seen.get(replica) + 1) return true
      seen.raise(replica, sequence)
      return false
    })
}

/**
 * What the writer had seen, its former self's operations among it, as far as it is here: the rest
 * is void, or comes after this.
 */
function formerContext(store: KeyStore, operation: OperationReader): VectorEntries {
  const { replica, sequence } = operation
  const own = operation.isExact ? [] : [[replica, sequence - 1] as const]
  const seen = [...operation.context(), ...own]
  const { ended } = store.table
  const present = seen.map(([writer, upTo]) => {
    return [writer, ended.isPruned(writer) ? upTo : Math.min(upTo, store.applied.get(writer))] as const
  })
  return present.filter(([, upTo]) => upTo > 0)
}
