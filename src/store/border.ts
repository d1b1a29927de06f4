/**
 * The border for operations of other replicas: what comes in, what waits, what is refused. Pure
 * decisions in the order in which they can be made; an operation that passes is copied into the log
 * as it came and enters its key through the same door as a local one.
 */
import { isOrderedId } from '../operation/names/ordered-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { DotIndex } from '../operation/dot-index.ts'
import type { Aside } from './aside/aside.ts'
import { KeyFinder } from '../keys/key-finder.ts'
import type { Arrival, KeyStore } from './key-store.ts'
import { KEY_BYTES_MAX, DOCUMENT_BYTES_MAX, TRANSACTION_KEYS_MAX } from '../limits.ts'
import { RECORD_KIND } from '../log/log.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { compilePattern } from '../keys/pattern.ts'
import { strategyName } from '../merge/strategy-names.ts'
import { departureIn } from '../operation/departures.ts'
import { invalidationIn } from '../operation/invalidation.ts'
import { leaseNoteIn } from '../operation/leases/lease-note.ts'
import { isOfKey, isUnderstood, OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { findOperation } from '../log/operation-search.ts'
import { textOf } from '../operation/text.ts'
import type { RetiredIds } from '../operation/retired-ids.ts'
import type { Position } from '../operation/position.ts'
import type { EngineEvent } from './event.ts'
import type { ReplicaIdentity } from './replica-identity.ts'

/**
 * - `applied`: appended and visible.
 * - `duplicate`: known already; nothing changed.
 * - `early`: an operation that it depends on is missing; offer it again when that has been applied.
 * - `drift`: stamped further ahead than the clock drift allowed; not kept, offer it again later
 *   (anti-entropy will).
 * - `resync`: void, its writer's id has come to an end before it: whoever holds it must resync from
 *   a snapshot (see src/operation/retired-ids.ts).
 * - `clone`: carries this replica's own id and a dot it never used, or a dot with other content.
 * - `full`: no space to keep it; offer it again later.
 * Malformed bytes throw `WARP_E_PROTOCOL`.
 */
export type Admission = 'applied' | 'duplicate' | 'early' | 'drift' | 'resync' | 'clone' | 'full'

export interface AdmissionOptions {
  readonly store: KeyStore
  readonly dots: DotIndex
  readonly floor: VersionVector
  readonly observe: (event: EngineEvent) => void
  readonly identity: ReplicaIdentity
  readonly aside: Aside
}

interface Arrived extends Arrival {
  readonly operation: OperationReader
}

/** So many are remembered. */
const OTHERS_TOLD_MAX = 1000

export class AdmissionDesk {
  readonly #store: KeyStore
  readonly #dots: DotIndex
  readonly #floor: VersionVector
  readonly #observe: (event: EngineEvent) => void
  readonly #retired: RetiredIds
  readonly #identity: ReplicaIdentity
  readonly #aside: Aside
  readonly #reader: OperationReader
  readonly #other: OperationReader
  readonly #keys: KeyFinder
  /** Of whom it has been told that they use another strategy. */
  readonly #othersTold = new Set<string>()
  admittedCount = 0
  duplicatesCount = 0
  driftingCount = 0

  constructor(options: AdmissionOptions) {
    this.#store = options.store
    this.#dots = options.dots
    this.#floor = options.floor
    this.#observe = options.observe
    this.#identity = options.identity
    this.#aside = options.aside
    this.#retired = options.identity.retired
    this.#reader = new OperationReader(options.store.table)
    this.#other = new OperationReader(options.store.table)
    this.#keys = new KeyFinder(options.store.keys)
  }

  /** See `ReplicationStore.admit`. */
  admit(bytes: Uint8Array, start: number, end: number): Admission {
    const operation = this.#reader.load(bytes, start, end)
    const verdict = this.#judge(operation)
    return verdict ?? this.#take(operation)
  }

  /** See `ReplicationStore.admitAll`. */
  admitAll(envelopes: readonly Uint8Array[]): Admission {
    const [only] = envelopes as readonly [Uint8Array, ...Uint8Array[]]
    if (envelopes.length === 1) return this.admit(only, 0, only.length)
    const { table } = this.#store
    const operations = envelopes.map((bytes) => new OperationReader(table).load(bytes, 0, bytes.length))
    const [first, ...others] = operations as [OperationReader, ...OperationReader[]]
    if (!operations.every(({ kind }) => isOfKey(kind)))
      throw new WarpError('WARP_E_PROTOCOL', 'an operation of a transaction is of no key')
    let verdict = this.#judge(first)
    for (const other of others) verdict ??= this.#judgeBehind(other, first)
    return verdict ?? this.#takeAll(operations)
  }

  /** `undefined` if nothing speaks against it. */
  #judge(operation: OperationReader): Admission | undefined {
    const { applied, writers, clock } = this.#store
    const { replica, sequence } = operation
    // Nobody may speak for an ordered log but the log: before it is asked whose id that is.
    if (isOrderedId(replica)) throw ofOrder()
    const isOwn = writers.isOwn(replica)
    if (applied.includes(replica, sequence)) return isOwn ? this.#judgeOwn(operation) : this.#duplicate()
    // A late frame of a replica that has left.
    if (this.#store.table.ended.isPruned(replica)) return this.#duplicate()
    if (isOwn) return this.#clone()
    if (sequence > this.#retired.endOf(replica)) return 'resync'
    const known = applied.get(replica)
    if (sequence !== known + 1) return 'early'
    if (!this.#hasCauses(operation)) return this.#withoutCauses(operation, operation)
    if (clock.isAhead(operation.hlc)) return this.#drift()
    if (known === 0 && !this.#knowsFloor(operation)) return this.#end(operation)
    this.#checkForm(operation)
    return this.#judgeNames(operation, operation)
  }

  /** One of a transaction behind its first operation. What speaks against it speaks against all of them. */
  #judgeBehind(operation: OperationReader, first: OperationReader): Admission | undefined {
    if (operation.sequence > this.#retired.endOf(operation.replica)) return 'resync'
    if (!this.#hasCauses(operation)) return this.#withoutCauses(operation, first)
    if (this.#store.clock.isAhead(operation.hlc)) return this.#drift()
    this.#checkForm(operation)
    return this.#judgeNames(operation, first)
  }

  /** By what it says of ids that have ended, and by the name that it had first. */
  #judgeNames(operation: OperationReader, first: OperationReader): Admission | undefined {
    if (this.#exceedsEnds(operation)) return 'resync'
    return this.#isEndedAsBefore(operation) ? this.#end(first) : undefined
  }

  /** Throws `WARP_E_PROTOCOL` for what is malformed behind its header. */
  #checkForm(operation: OperationReader): void {
    checkSizes(operation)
    if (!isOfKey(operation.kind)) {
      departureIn(operation, this.#store.table)
      checkInvalidation(operation)
      checkLease(operation)
    }
    if (operation.hasFields) operation.checkFields()
    const { count = 0 } = operation.part() ?? {}
    if (count > TRANSACTION_KEYS_MAX)
      throw new WarpError('WARP_E_PROTOCOL', `a transaction of ${count} operations is beyond the limits`)
  }

  #take(operation: OperationReader): Admission {
    const store = this.#store
    if (!isOfKey(operation.kind)) return this.#takeAside(operation)
    const slot = this.#keys.find(operation.bytes, operation.keyStart, operation.keyEnd)
    const known = slot === undefined ? undefined : store.keys.keys[slot]
    const key = known ?? textOf(operation.bytes, operation.keyStart, operation.keyEnd)
    const keyspace = store.keyspaceFor(key, slot)
    // A key that is local here is nobody else's business: what others write to it is kept for
    // others, and not part of it.
    const isKept = !keyspace.domain.isSent
    const position = this.#copy(operation, slot === undefined || isKept ? 0 : store.keys.head[slot]!)
    if (position === undefined) return 'full'
    this.#notice(key, keyspace, operation)
    if (isKept) this.#aside.keep(operation, position)
    else store.enter(key, slot, keyspace, position, operation)
    this.#noteFirstName(operation)
    return 'applied'
  }

  /** All of a transaction, as a group in the log and in one turn. All are of keys. */
  #takeAll(operations: readonly OperationReader[]): Admission {
    const store = this.#store
    let arrivals: Arrived[]
    try {
      arrivals = store.log.group(() => this.#writeAll(operations))
    } catch (error) {
      if (error instanceof WarpError && error.code === 'WARP_E_STORAGE_FULL') return 'full'
      throw error
    }
    for (const { key, operation, entered } of arrivals) {
      this.#copied(operation)
      this.#notice(key, entered.keyspace, operation)
      if (!entered.keyspace.domain.isSent) this.#aside.keep(operation, entered.position)
    }
    store.enterAll(arrivals.filter(({ entered }) => entered.keyspace.domain.isSent))
    for (const { operation } of arrivals) this.#noteFirstName(operation)
    return 'applied'
  }

  #writeAll(operations: readonly OperationReader[]): Arrived[] {
    const store = this.#store
    /** Where the group has got to in the chains of its keys. */
    const heads = new Map<string, Position>()
    return operations.map((operation) => {
      const { bytes, start, end, keyStart, keyEnd } = operation
      const key = textOf(bytes, keyStart, keyEnd)
      const slot = store.keys.find(key)
      const keyspace = store.keyspaceFor(key, slot)
      const head = heads.get(key) ?? (slot === undefined ? 0 : store.keys.head[slot]!)
      store.log.begin().raw(bytes, start, end)
      const position = store.log.commit(RECORD_KIND.operation, keyspace.domain.isSent ? head : 0)
      heads.set(key, position)
      const { kind, strategy, hlc, replica, sequence, lifeMs } = operation
      const entered = { slot: 0, keyspace, position, kind, strategy, hlc, replica, sequence, lifeMs, version: 0 }
      return { key, slot, entered, operation }
    })
  }

  #notice(key: string, keyspace: Keyspace, operation: OperationReader): void {
    this.#noticeUnknown(key, operation)
    if (operation.strategy !== keyspace.code) this.#noticeOther(key, keyspace, operation)
  }

  /** It belongs to no key: kept for those who know what to do with it. */
  #takeAside(operation: OperationReader): Admission {
    const target = textOf(operation.bytes, operation.keyStart, operation.keyEnd)
    const position = this.#aside.inHeldFormat(() => this.#copy(operation, 0))
    if (position === undefined) return 'full'
    this.#noticeUnknown(target, operation)
    this.#aside.keep(operation, position)
    return 'applied'
  }

  /** Copies it into the log as it came. `undefined` if there is no space for it. */
  #copy(operation: OperationReader, previous: Position): Position | undefined {
    const store = this.#store
    const writer = store.log.begin()
    writer.raw(operation.bytes, operation.start, operation.end)
    let position: Position
    try {
      position = store.log.commit(RECORD_KIND.operation, previous)
    } catch (error) {
      if (error instanceof WarpError && error.code === 'WARP_E_STORAGE_FULL') return undefined
      throw error
    }
    this.#copied(operation)
    return position
  }

  #copied({ hlc, replica }: OperationReader): void {
    const { clock, writers } = this.#store
    clock.observe(hlc)
    writers.shared.noteApplied(replica)
    this.admittedCount++
  }

  /** Nobody here issues it again any more. */
  #noteFirstName(operation: OperationReader): void {
    const origin = operation.origin()
    if (origin !== undefined) this.#identity.reissued.add(origin, operation.hlc)
  }

  #hasCauses(operation: OperationReader): boolean {
    const { applied, table } = this.#store
    return operation.everyDependency(
      (replica, sequence) => applied.includes(replica, sequence) || table.ended.includes(replica, sequence),
    )
  }

  /** `first`: with which its transaction begins, or itself. */
  #withoutCauses(operation: OperationReader, first: OperationReader): Admission {
    const { ended } = this.#store.table
    const isValid = operation.everyDependency(
      (replica, sequence) => !ended.isBeyond(replica, sequence) && sequence <= this.#retired.endOf(replica),
    )
    return isValid ? 'early' : this.#end(first)
  }

  /**
   * It says of an id that everybody has all of it, and here is more: that is void for the others.
   * Their digests say so, or their floor, and a state of theirs mends it. Of who has left, more is
   * nowhere.
   */
  #exceedsEnds(operation: OperationReader): boolean {
    if (operation.kind !== OPERATION_KIND.end) return false
    const note = departureIn(operation, this.#store.table)
    const { departures } = this.#identity
    return (
      note?.kind === 'ended' &&
      note.ends.some(([replica, end]) => this.#store.applied.get(replica) > end && departures.of(replica) !== 'left')
    )
  }

  /**
   * A replica that is met for the first time must have seen what has been compacted here, or its
   * operations could bring back what was deleted and forgotten. Its first operation depends on all
   * that it had seen.
   */
  #knowsFloor(operation: OperationReader): boolean {
    if (this.#floor.size === 0) return true
    const { ended } = this.#store.table
    return ended.normalised(VersionVector.from(operation.dependencies())).dominates(this.#floor)
  }

  /**
   * The same operation counts under a first name of an id that is pruned here: whoever issued it again
   * had not seen the end of that.
   */
  #isEndedAsBefore(operation: OperationReader): boolean {
    const origin = operation.origin()
    return origin !== undefined && this.#store.table.ended.includes(origin.replica, origin.sequence)
  }

  /**
   * Its writer has seen what is void, or has not seen what has been compacted: it has to begin
   * anew.
   */
  #end({ replica, sequence }: OperationReader): Admission {
    this.#identity.retire([[replica, sequence - 1]])
    return 'resync'
  }

  #drift(): Admission {
    this.driftingCount++
    return 'drift'
  }

  #duplicate(): Admission {
    this.duplicatesCount++
    return 'duplicate'
  }

  #clone(): Admission {
    this.#identity.takeNew()
    return 'clone'
  }

  /** One of our own dots comes back: an echo, unless it names another operation. */
  #judgeOwn(operation: OperationReader): Admission {
    return this.#isOurs(operation) ? this.#duplicate() : this.#clone()
  }

  /** What is not in the log any more cannot be compared, and has been known to all. */
  #isOurs(operation: OperationReader): boolean {
    const isFound = findOperation(this.#store.log, this.#dots, operation, this.#other)
    return !isFound || equalBytes(this.#other, operation)
  }

  /** A peer uses another strategy for the pattern. */
  #noticeOther(key: string, keyspace: Keyspace, { kind, strategy: code, replica: writer }: OperationReader): void {
    const { keyspaces } = this.#store
    if (kind !== OPERATION_KIND.update || keyspace === keyspaces.unregistered || !keyspace.domain.isSent) return
    const { pattern } = keyspace
    const name = `${writer} ${code} ${pattern}`
    if (this.#othersTold.has(name)) return
    if (this.#othersTold.size >= OTHERS_TOLD_MAX) this.#othersTold.clear()
    this.#othersTold.add(name)
    const [strategy, writerStrategy] = [keyspace.strategy.kind, strategyName(code, keyspaces)]
    const replica = this.#identity.replica
    this.#observe({ kind: 'strategy:differs', pattern, key, replica, strategy, writer, writerStrategy })
  }

  #noticeUnknown(key: string, operation: OperationReader): void {
    const { kind, replica, sequence } = operation
    if (isUnderstood(kind)) return
    this.#observe({ kind: 'operation:unknown', key, dot: { replica, sequence } })
  }
}

function ofOrder(): WarpError {
  return new WarpError('WARP_E_PROTOCOL', 'an operation came from a peer that only an ordered log can give')
}

function equalBytes(a: OperationReader, b: OperationReader): boolean {
  if (a.end - a.start !== b.end - b.start) return false
  for (let i = 0; i < a.end - a.start; i++) if (a.bytes[a.start + i] !== b.bytes[b.start + i]) return false
  return true
}

/** Writers keep to less where the strategy is no document; who forwards need not know which it is. */
function checkSizes(operation: OperationReader): void {
  const keyBytes = operation.keyEnd - operation.keyStart
  const payloadBytes = operation.end - operation.payloadStart
  const hasTarget = keyBytes > 0 || !isOfKey(operation.kind)
  if (hasTarget && keyBytes <= KEY_BYTES_MAX && payloadBytes <= DOCUMENT_BYTES_MAX) return
  throw new WarpError(
    'WARP_E_PROTOCOL',
    `an operation with a key of ${keyBytes} and a payload of ${payloadBytes} bytes is beyond the limits`,
  )
}

/** A pattern that cannot be read would be an error of whoever looks through all patterns. */
function checkInvalidation(operation: OperationReader): void {
  const invalidation = invalidationIn(operation)
  if (invalidation?.of === 'pattern') checkPattern('an invalidation of', invalidation.target)
}

function checkLease(operation: OperationReader): void {
  const note = leaseNoteIn(operation)
  if (note?.kind === 'attach' && note.of === 'pattern') checkPattern('a lease on', note.target)
}

function checkPattern(what: string, pattern: string): void {
  try {
    compilePattern(pattern)
  } catch (error) {
    throw new WarpError('WARP_E_PROTOCOL', `${what} a pattern that cannot be read`, { cause: error })
  }
}
