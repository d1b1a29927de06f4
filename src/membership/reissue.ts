/**
 * Operations enter a state once more: what it may take as it is, as that; the rest is issued again,
 * as writes of now, with what their writers had seen then as their context, as far as it is here.
 *
 * A delete that had not seen all that the new state holds of its key is reported instead
 * (`rejoin:lost`): somewhere what it had seen may have been folded into one state, of which a part
 * cannot be taken away.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { LostAtRejoin } from '../store/event.ts'
import type { DomainWriter } from '../keys/domain-writer.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'
import { isCanceller } from '../merge/folding/cancellation.ts'
import type { Meter } from '../operation/budget.ts'
import type { HybridClock } from '../operation/clock.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { FIELD } from '../operation/envelope/format.ts'
import type { TransactionPart } from '../operation/envelope/operation-fields.ts'
import { TransactionGatherer } from '../operation/envelope/transaction-gatherer.ts'
import { isApplied, isOfKey, OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import { PresentNames } from '../operation/names/present-names.ts'
import type { Reissued } from '../operation/names/reissued.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { textOf } from '../operation/text.ts'
import type { Draft } from '../store/write-road/draft.ts'
import type { IssuedBefore, Leftover } from './leftovers.ts'

/** Where leftovers enter again: the present state, or one that is being built beside it. */
export interface IssueTarget {
  readonly keys: KeyTable
  readonly table: ReplicaTable
  readonly clock: HybridClock
  readonly ended: EndedIds
  readonly applied: VersionVector
  /** First names of what has been issued again, by anybody. */
  readonly reissued: Reissued
  /** Under whose id they are issued again. */
  readonly writer: DomainWriter
  keyspaceFor(key: string, slot: Slot | undefined): Keyspace
  /** Whether keys that are local here are part of this. */
  readonly hasLocalKeys: boolean
  /** Returns the name that the operation has got. */
  append(draft: Draft): Dot
  /** Takes the operations of one transaction, or a single one, as they are, if that may be; otherwise none. */
  admit(envelopes: readonly Uint8Array[]): void
  /** What has been folded into the key's snapshot, if it has one. */
  foldedOf(slot: Slot): VersionVector | undefined
  /** What is here of the key behind that; `undefined` if it is more than `max` operations. */
  behindFolded(slot: Slot, max: number): readonly Named[] | undefined
}

/** An operation by its name, and by its first one if that is another. */
export interface Named extends Dot {
  readonly origin?: Dot | undefined
}

export interface ReentryOptions {
  readonly target: IssueTarget
  readonly issued: IssuedBefore
  /** Keys of which more had been folded than the snapshot holds: no delete of theirs is issued again. */
  readonly folded: ReadonlySet<string>
  readonly onLost: (lost: LostAtRejoin) => void
  readonly meter: Meter
}

/**
 * Lets the leftovers enter again, one after the other, those of a transaction together: they follow
 * each other in the log. What is left of one after some could not be carried over is one as well.
 */
export class Reentry {
  readonly #options: ReentryOptions
  readonly #reader: OperationReader
  readonly #reissue: Reissue
  readonly #gatherer = new TransactionGatherer<Leftover>((leftovers) => this.#takeAll(leftovers))

  constructor(options: ReentryOptions) {
    this.#options = options
    this.#reader = new OperationReader(options.target.table)
    this.#reissue = new Reissue(options)
  }

  /** Throws `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`. */
  take(leftover: Leftover): void {
    this.#gatherer.add(leftover, this.#load(leftover.envelope).part())
  }

  /** All leftovers have been told: nothing more comes of the last transaction. Throws as `take` does. */
  takeGathered(): void {
    this.#gatherer.end()
  }

  /** Of one transaction, or a single one. */
  #takeAll(leftovers: readonly Leftover[]): void {
    const { target } = this.#options
    const left = leftovers.filter(({ envelope, isThere }) => {
      const operation = this.#load(envelope)
      if (!isThere && !target.reissued.has(operation.origin() ?? operation)) return true
      this.#reissue.isThere(operation)
      return false
    })
    const foreign = left.filter(({ isOwn }) => !isOwn).map(({ envelope }) => envelope)
    if (foreign.length > 0) target.admit(foreign)
    this.#reissue.issue(left.filter((leftover) => !this.#isAdmitted(leftover)))
  }

  #isAdmitted({ envelope }: Leftover): boolean {
    const { target, issued } = this.#options
    const operation = this.#load(envelope)
    const { replica, sequence, kind } = operation
    const isAdmitted = target.applied.includes(replica, sequence)
    if (isAdmitted) issued.note(operation)
    // What is of no key said something of its writer's own, whose id has come to its end.
    return isAdmitted || !isOfKey(kind)
  }

  #load(envelope: Uint8Array): OperationReader {
    return this.#reader.load(envelope, 0, envelope.length)
  }
}

/** One operation under two names. */
interface Renamed {
  readonly former: Dot
  readonly present: Dot
}

/** Operations of one key that have another name by now. */
interface RenamedOfKey {
  /** How far the key had been written under the present identity before. */
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

/** To issue an operation again takes longer than to look at one: it is spent once more. */
const ISSUED_COST = 3

/** Operations of a key that are compared by their names with what a delete had seen. */
const COMPARED_MAX = 4096

class Reissue {
  readonly #options: ReentryOptions
  readonly #target: IssueTarget
  readonly #keys = new Map<string, RenamedOfKey>()
  readonly #present = new PresentNames()
  readonly #reader: OperationReader

  constructor(options: ReentryOptions) {
    this.#options = options
    this.#target = options.target
    this.#reader = new OperationReader(options.target.table)
  }

  get #writer(): ReplicaId {
    return this.#target.writer.replica
  }

  /** The operation is part of the new state under another name. */
  isThere(operation: OperationReader): void {
    const first = dotOf(operation.origin() ?? operation)
    this.#note(operation, this.#presentOf(first))
  }

  /** Of one transaction, or a single one. */
  issue(leftovers: readonly Leftover[]): void {
    const left = leftovers.filter(({ envelope, isOwn }) => this.#mayBeIssued(this.#load(envelope), isOwn))
    const [first] = left
    if (first === undefined) return
    const count = left.length
    const id = this.#load(first.envelope).part()?.id
    // They are of one moment, as they were before.
    const hlc = count > 1 ? this.#target.clock.ticks(count) : undefined
    for (const [index, { envelope }] of left.entries()) {
      const isPart = count > 1 && id !== undefined && hlc !== undefined
      this.#append(this.#load(envelope), isPart ? { part: { id, index, count }, hlc: hlc + index } : {})
    }
  }

  #load(envelope: Uint8Array): OperationReader {
    return this.#reader.load(envelope, 0, envelope.length)
  }

  #mayBeIssued(operation: OperationReader, isOwn: boolean): boolean {
    const { onLost, meter } = this.#options
    const target = this.#target
    const key = keyOf(operation)
    const keyspace = target.keyspaceFor(key, target.keys.find(key))
    // What others have written to a key that is local here is no part of it.
    if (!keyspace.domain.isSent && !(isOwn && target.hasLocalKeys)) return false
    const first = dotOf(operation.origin() ?? operation)
    meter.spend(ISSUED_COST, 0)
    const cancels = isCanceller(keyspace.strategy, operation)
    if (cancels && !this.#mayCancel(key, operation)) onLost({ key, reason: 'delete', names: [first] })
    else if (target.reissued.mayBeForgotten(operation.hlc)) onLost({ key, reason: 'forgotten', names: [first] })
    else return true
    return false
  }

  #append(operation: OperationReader, { part, hlc }: { readonly part?: TransactionPart; readonly hlc?: Hlc }): void {
    const target = this.#target
    const { bytes, kind, strategy, payloadStart, end, lifeMs } = operation
    const key = keyOf(operation)
    const slot = target.keys.find(key)
    const keyspace = target.keyspaceFor(key, slot)
    const first = dotOf(operation.origin() ?? operation)
    const payload = kind === OPERATION_KIND.update ? this.#payload(keyspace, operation) : undefined
    const opaque = isApplied(kind) ? undefined : bytes.slice(payloadStart, end)
    // A delete had seen all that is here, as one of now has.
    const seen = isCanceller(keyspace.strategy, operation) ? {} : this.#seen(key, operation)
    const rewritten = operation.isPart ? [...REWRITTEN, FIELD.condition] : REWRITTEN
    const condition = part === undefined ? undefined : { transaction: part }
    const fields = { origin: first, others: operation.fieldsBeside(rewritten), condition }
    const renamed = this.#ofKey(key)
    const draft = { key, keyspace, slot, kind, strategy, payload, opaque, ...seen, fields, lifeMs, hlc }
    const present = target.append(draft)
    target.reissued.add(first, target.clock.last)
    renamed.heights.raise(operation.replica, operation.sequence)
    this.#note(operation, present)
  }

  #note(operation: OperationReader, present: Dot): void {
    const former = dotOf(operation)
    const { ours, theirs } = this.#ofKey(keyOf(operation))
    const isOurs = present.replica === this.#writer
    ;(isOurs ? ours : theirs).push({ former, present })
    for (const name of [former, dotOf(operation.origin() ?? former)]) {
      this.#present.note(name, present)
      if (isOurs) this.#target.writer.noteRenamed(name, present)
    }
  }

  #ofKey(key: string): RenamedOfKey {
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const slot = this.#target.keys.find(key)
    const before = slot === undefined ? 0 : this.#target.keys.vector(slot).get(this.#writer)
    const renamed = { before, ours: [], heights: new VersionVector(), theirs: [] }
    this.#keys.set(key, renamed)
    return renamed
  }

  /** The name that an operation has here; its first one, if what holds it does not say. */
  #presentOf(first: Dot): Dot {
    if (this.#target.applied.includes(first.replica, first.sequence)) return first
    return this.#options.issued.nameOf(first) ?? this.#present.of(first) ?? first
  }

  #payload(keyspace: Keyspace, { bytes, payloadStart, end, strategy }: OperationReader): Encodable {
    const written = decode(bytes, payloadStart, end)
    // The key may be registered otherwise by now, or not at all: then it stays what it was, for those
    // who can read it.
    const rebase = keyspace.strategy.code === strategy ? keyspace.strategy.rebase : undefined
    const rename = (replica: ReplicaId, sequence: number): readonly [ReplicaId, number] => {
      const present = this.#present.of({ replica, sequence })
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
    const dots = operation.dots().filter(([replica, sequence]) => this.#target.applied.includes(replica, sequence))
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
    const { ended, applied } = this.#target
    return [...operation.context(), ...own]
      .map(([writer, upTo]) => {
        return [writer, ended.isPruned(writer) ? upTo : Math.min(upTo, applied.get(writer))] as const
      })
      .filter(([, upTo]) => upTo > 0)
  }

  /** Whether the writer had seen all that is here of the key, under whatever name. */
  #mayCancel(key: string, operation: OperationReader): boolean {
    if (this.#options.folded.has(key)) return false
    const target = this.#target
    const slot = target.keys.find(key)
    if (slot === undefined || this.#hasSeen(key, operation, target.keys.vector(slot))) return true
    const folded = target.foldedOf(slot)
    if (folded !== undefined && !this.#hasSeen(key, operation, folded)) return false
    const behind = target.behindFolded(slot, COMPARED_MAX)
    this.#options.meter.spend(behind?.length ?? COMPARED_MAX, 0)
    return behind?.every((named) => hasSeenAs(operation, named)) === true
  }

  #hasSeen(key: string, operation: OperationReader, vector: VersionVector): boolean {
    const { ended } = this.#target
    const hasSeen = (replica: ReplicaId, sequence: number): boolean => operation.observed(replica, sequence)
    return [...vector.entries()].every(([replica, sequence]) => {
      if (replica === this.#writer) return this.#hasSeenOurs(key, operation)
      return operation.observedThrough(replica, sequence) || ended.isSeen(replica, hasSeen)
    })
  }
}

function hasSeenAs(later: OperationReader, { replica, sequence, origin }: Named): boolean {
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
