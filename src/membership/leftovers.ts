/**
 * What a replica holds beyond a snapshot that it takes over. What the new state may take as it is is
 * admitted again. The rest is issued again under the present identity, whoever wrote it: the own
 * operations of before, for others may have compacted past the places that they had, and those of
 * others whose ids have come to an end before them, or whose causes are gone. They are writes of now,
 * with what their writers had seen then as their context, as far as it is here.
 *
 * An operation that is issued again keeps its first name (`origin`), and all operations of one first
 * name are one operation (`merge/folding/repeats.ts`). So it does not matter how many replicas issue
 * it again, nor whether the original comes after all. Nobody who has it under any name does so.
 *
 * A delete that had not seen all that the new state holds of its key is reported instead
 * (`rejoin:lost`): somewhere what it had seen may have been folded into one state, of which a part
 * cannot be taken away. So is what had been folded here, and the new state does not contain.
 *
 * Issuing again is done behind the record that says so (`Meta.reissuing`), in log order. If the
 * machine dies in between, or the disk is full, what has been issued is found by its first name, and
 * the rest follows at the next opening or before the next snapshot.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import { formatDot, type Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { LostAtRejoin } from '../store/event.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'
import { RECORD_KIND } from '../log/log.ts'
import { isCanceller } from '../merge/folding/cancellation.ts'
import type { Placed } from '../merge/placed.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { FIELD } from '../operation/envelope/format.ts'
import { isApplied, isOfKey, OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import type { Reissued } from '../operation/names/reissued.ts'
import type { Position } from '../operation/position.ts'
import { textOf } from '../operation/text.ts'
import { isShared } from './snapshot-stream.ts'

/** An operation that the snapshot does not hold, as its envelope. */
export interface Leftover {
  readonly replica: ReplicaId
  readonly envelope: Uint8Array
  readonly isOwn: boolean
  /** The snapshot holds it under its first name. */
  readonly isThere: boolean
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
  /** The state is still that which holds them: what has been folded in it is told apart. */
  readonly isWhole: boolean
}

/** The operations of `held`, in log order, that are not in `vector`. */
export function leftoversBeyond({ store, vector, ended, held, own, isWhole }: LeftoversOptions): Leftover[] {
  const reader = new OperationReader(store.table)
  const isThere = ({ replica, sequence }: Dot): boolean =>
    vector.includes(replica, sequence) || ended.includes(replica, sequence)
  const isHeld = ({ replica, sequence }: Dot): boolean =>
    held.includes(replica, sequence) || store.table.ended.includes(replica, sequence)
  const leftovers: Leftover[] = []
  store.log.scan(0, (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const operation = reader.load(record.bytes, record.start, record.end)
    if (isThere(operation) || !isHeld(operation)) return true
    const { replica } = operation
    const isOwn = own.get(replica) > 0
    if (!isOwn && isWhole && isFolded(store, operation, record.position)) return true
    const origin = operation.origin()
    const envelope = record.bytes.slice(record.start, record.end)
    leftovers.push({
      ...{ envelope, replica, isOwn },
      isThere: origin !== undefined && isThere(origin),
    })
    return true
  })
  return leftovers
}

/** What took it away may have been rewritten away, and would be missing if it were issued again. */
function isFolded(store: KeyStore, operation: OperationReader, position: Position): boolean {
  if (!isOfKey(operation.kind)) return false
  const { keys } = store
  const key = keyOf(operation)
  const slot = keys.find(key)
  if (!store.keyspaceFor(key, slot).domain.isSent) return false
  return slot === undefined || position <= keys.cut[slot]!
}

/**
 * Keys of which something has been folded here that the snapshot does not hold. Only two groups that
 * were cut off from each other can have come to that.
 */
export function foldedBeyond({
  store,
  vector,
  ended,
}: Pick<LeftoversOptions, 'store' | 'vector' | 'ended'>): LostAtRejoin[] {
  const { keys, folder } = store
  const lost: LostAtRejoin[] = []
  for (const slot of keys.occupied()) {
    if (keys.snapshot[slot] === 0 || !isShared(store, slot)) continue
    const snapshot = folder.chains.snapshot(folder.chains.record(keys.snapshot[slot]!))
    const names = [...snapshot.vector.entries()]
      .map(([replica, sequence]) => ({ replica, sequence }))
      .filter(({ replica, sequence }) => !vector.includes(replica, sequence) && !ended.includes(replica, sequence))
    if (names.length > 0) lost.push({ key: snapshot.key, reason: 'folded', names })
  }
  return lost
}

export interface ReentryOptions {
  readonly store: KeyStore
  /** First names of what has been issued again, by anybody. */
  readonly reissued: Reissued
  /** Keys of which more had been folded than the snapshot holds: no delete of theirs is issued again. */
  readonly folded: ReadonlySet<string>
  /** Takes the operation into the new state as it is, if that may be. */
  readonly admit: (envelope: Uint8Array) => void
  readonly onLost: (lost: LostAtRejoin) => void
}

/** Lets the leftovers enter again. Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`. */
export function reenter(leftovers: readonly Leftover[], options: ReentryOptions): void {
  const { store, reissued } = options
  const reader = new OperationReader(store.table)
  const reissue = new Reissue(options)
  for (const { envelope, isOwn, isThere } of leftovers) {
    const operation = reader.load(envelope, 0, envelope.length)
    const { replica, sequence, kind } = operation
    const first = operation.origin() ?? operation
    if (isThere || reissued.has(first)) reissue.isThere(operation)
    else {
      if (!isOwn) options.admit(envelope)
      // What is of no key said something of its writer's own, whose id has come to its end.
      if (!store.applied.includes(replica, sequence) && isOfKey(kind)) reissue.issue(operation, isOwn)
    }
  }
}

/** One operation under two names. */
interface Renamed {
  readonly former: Dot
  readonly present: Dot
}

/** Operations of one key that have another name by now. */
interface RenamedOfKey {
  /** How far this replica had written the key under its present identity before. */
  readonly before: number
  /** Issued again by this replica just now. */
  readonly ours: Renamed[]
  /** Of those, how far each writer goes. */
  readonly heights: VersionVector
  /** Here under a name that somebody else gave. */
  readonly theirs: Renamed[]
}

/**
 * Fields that say something of the operation's name or place, and its life, which counts anew. The
 * others go with it.
 */
const REWRITTEN: readonly number[] = [FIELD.former, FIELD.origin, FIELD.previousHash, FIELD.life]

/** Operations of a key that are compared by their names with what a delete had seen. */
const COMPARED_MAX = 4096

class Reissue {
  readonly #options: ReentryOptions
  readonly #store: KeyStore
  readonly #keys = new Map<string, RenamedOfKey>()
  /** The present names by the former ones. */
  readonly #present = new Map<string, Dot>()
  /** What is here of operations that were issued again, by first name. */
  #issued: Map<string, Dot> | undefined

  constructor(options: ReentryOptions) {
    this.#options = options
    this.#store = options.store
  }

  get #writer(): ReplicaId {
    return this.#store.writers.shared.replica
  }

  /** The operation is part of the new state under another name. */
  isThere(operation: OperationReader): void {
    const first = dotOf(operation.origin() ?? operation)
    this.#note(operation, this.#presentOf(first))
  }

  issue(operation: OperationReader, isOwn: boolean): void {
    const { reissued, onLost } = this.#options
    const store = this.#store
    const { bytes, kind, strategy, payloadStart, end, lifeMs } = operation
    const key = keyOf(operation)
    const slot = store.keys.find(key)
    const keyspace = store.keyspaceFor(key, slot)
    // What others have written to a key that is local here is no part of it.
    if (!keyspace.domain.isSent && !isOwn) return
    const first = dotOf(operation.origin() ?? operation)
    const cancels = isCanceller(keyspace.strategy, operation)
    if (cancels && !this.#mayCancel(key, operation)) onLost({ key, reason: 'delete', names: [first] })
    else if (reissued.mayBeForgotten(operation.hlc)) onLost({ key, reason: 'forgotten', names: [first] })
    else {
      const payload = kind === OPERATION_KIND.update ? this.#payload(keyspace, operation) : undefined
      const opaque = isApplied(kind) ? undefined : bytes.slice(payloadStart, end)
      // A delete had seen all that is here, as one of now has.
      const seen = cancels ? {} : this.#seen(key, operation)
      const fields = { origin: first, others: operation.fieldsBeside(REWRITTEN) }
      const renamed = this.#ofKey(key)
      store.append({ key, keyspace, slot, kind, strategy, payload, opaque, ...seen, fields, lifeMs })
      const { replica, sequence } = store.writerOf(keyspace)
      reissued.add(first, store.clock.last)
      renamed.heights.raise(operation.replica, operation.sequence)
      this.#note(operation, { replica, sequence })
    }
  }

  #note(operation: OperationReader, present: Dot): void {
    const former = dotOf(operation)
    const { ours, theirs } = this.#ofKey(keyOf(operation))
    const isOurs = present.replica === this.#writer
    ;(isOurs ? ours : theirs).push({ former, present })
    for (const name of [former, dotOf(operation.origin() ?? former)]) {
      this.#present.set(formatDot(name), present)
      if (isOurs) this.#store.writers.shared.noteRenamed(name, present)
    }
  }

  #ofKey(key: string): RenamedOfKey {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const slot = this.#store.keys.find(key)
    const before = slot === undefined ? 0 : this.#store.keys.vector(slot).get(this.#writer)
    const renamed = { before, ours: [], heights: new VersionVector(), theirs: [] }
    this.#keys.set(key, renamed)
    return renamed
  }

  /** The name that an operation has here; its first one, if what holds it does not say. */
  #presentOf(first: Dot): Dot {
    if (this.#store.applied.includes(first.replica, first.sequence)) return first
    this.#issued ??= issuedIn(this.#store)
    return this.#issued.get(formatDot(first)) ?? first
  }

  #payload(keyspace: Keyspace, { bytes, payloadStart, end, strategy }: OperationReader): Encodable {
    const written = decode(bytes, payloadStart, end)
    // The key may be registered otherwise by now, or not at all: then it stays what it was, for those
    // who can read it.
    const rebase = keyspace.strategy.code === strategy ? keyspace.strategy.rebase : undefined
    const rename = (replica: ReplicaId, sequence: number): readonly [ReplicaId, number] => {
      const present = this.#present.get(formatDot({ replica, sequence }))
      return present === undefined ? [replica, sequence] : [present.replica, present.sequence]
    }
    return (rebase?.call(keyspace.strategy, written, rename) ?? written) as Encodable
  }

  /**
   * What the writer had seen, under the names that it has now, as far as it is here: the rest is
   * void, or comes after this. It is exact unless the writer had seen all that has been written here
   * of the key under the present identity.
   */
  #seen(key: string, operation: OperationReader): Seen {
    const isExact = !this.#hasSeenOurs(key, operation)
    const { ours, theirs } = this.#ofKey(key)
    const seen = VersionVector.from(this.#formerContext(operation))
    const dots = operation.dots().filter(([replica, sequence]) => this.#store.applied.includes(replica, sequence))
    for (const { former, present } of isExact ? [...ours, ...theirs] : theirs)
      if (operation.observed(former.replica, former.sequence)) dots.push([present.replica, present.sequence])
    const beyond = takeFollowing(seen, dots)
    const context = isExact ? [...seen.entries()] : seen.entriesWithout(this.#writer)
    // Of so many dots the rest counts as not seen, which takes nothing away.
    return { context, dots: beyond.slice(0, VECTOR_ENTRIES_MAX), isExact }
  }

  #hasSeenOurs(key: string, operation: OperationReader): boolean {
    const { before, heights } = this.#ofKey(key)
    if (before > 0 && !operation.observedThrough(this.#writer, before)) return false
    return [...heights.entries()].every(([replica, sequence]) => operation.observedThrough(replica, sequence))
  }

  /** What the writer had seen, its own earlier operations among it. */
  #formerContext(operation: OperationReader): VectorEntries {
    const { replica, sequence } = operation
    const own = operation.isExact ? [] : [[replica, sequence - 1] as const]
    const { ended } = this.#store.table
    return [...operation.context(), ...own]
      .map(([writer, upTo]) => {
        return [writer, ended.isPruned(writer) ? upTo : Math.min(upTo, this.#store.applied.get(writer))] as const
      })
      .filter(([, upTo]) => upTo > 0)
  }

  /** Whether the writer had seen all that is here of the key, under whatever name. */
  #mayCancel(key: string, operation: OperationReader): boolean {
    if (this.#options.folded.has(key)) return false
    const { keys, folder } = this.#store
    const slot = keys.find(key)
    if (slot === undefined || this.#hasSeen(key, operation, keys.vector(slot))) return true
    const chain = { ...this.#store.chain(slot) }
    if (chain.snapshot > 0) {
      const { vector } = folder.chains.snapshot(folder.chains.record(chain.snapshot))
      if (!this.#hasSeen(key, operation, vector)) return false
    }
    const within = { operations: COMPARED_MAX, bytes: Infinity }
    const positions = folder.chains.positionsAfter(chain.head, chain.cut, within)
    return positions?.every((position) => hasSeenAs(operation, folder.chains.placed(position))) === true
  }

  #hasSeen(key: string, operation: OperationReader, vector: VersionVector): boolean {
    const { ended } = this.#store.table
    const hasSeen = (replica: ReplicaId, sequence: number): boolean => operation.observed(replica, sequence)
    return [...vector.entries()].every(([replica, sequence]) => {
      if (replica === this.#writer) return this.#hasSeenOurs(key, operation)
      return operation.observedThrough(replica, sequence) || ended.isSeen(replica, hasSeen)
    })
  }
}

function hasSeenAs(later: OperationReader, { replica, sequence, origin }: Placed): boolean {
  if (later.observed(replica, sequence)) return true
  return origin !== undefined && later.observed(origin.replica, origin.sequence)
}

function keyOf({ bytes, keyStart, keyEnd }: OperationReader): string {
  return textOf(bytes, keyStart, keyEnd)
}

interface Seen {
  readonly context: VectorEntries
  readonly dots: VectorEntries
  readonly isExact: boolean
}

/** What is here of operations that were issued again: the present names by the first ones. */
function issuedIn(store: KeyStore): Map<string, Dot> {
  const reader = new OperationReader(store.table)
  const issued = new Map<string, Dot>()
  store.log.scan(0, (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const operation = reader.load(record.bytes, record.start, record.end)
    const origin = operation.origin()
    if (origin !== undefined && store.applied.includes(operation.replica, operation.sequence))
      issued.set(formatDot(origin), dotOf(operation))
    return true
  })
  return issued
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

function dotOf({ replica, sequence }: Dot): Dot {
  return { replica, sequence }
}
