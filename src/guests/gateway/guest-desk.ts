/**
 * Where guests meet the engine: a write of a guest becomes an operation of this replica, and a key
 * becomes a state that is sent. Guests have no place in vectors: what members see is a replica that
 * writes for others, with contexts that say exactly what the guest had seen, and with the guest's own
 * name for each write (provenance).
 *
 * What a guest had seen of the key is not what this replica has: between two writes of a guest others
 * may have written under the same id. So the context is *exact* where that is so, and names the guest's
 * own earlier writes as single dots. The oracle of the tests is that every guest is a replica of its own.
 */
import { encode } from '../../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { FRAME_BYTES_MAX, VECTOR_ENTRIES_MAX } from '../../limits.ts'
import { scanOperations } from '../../log/operation-search.ts'
import { RECORD_KIND, type Log } from '../../log/log.ts'
import type { Outlet } from '../../log/outlet.ts'
import { Budget } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
import { textOf } from '../../operation/text.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { foldUntilShort } from '../../store/read-steadily.ts'
import type { Entered } from '../../store/write-road/draft.ts'
import type { KeyState, PushedOperation } from '../frames.ts'
import { KnownGuests, type NamedWrite } from './known-guests.ts'

/** Under this name an engine gives its `GuestDesk`: no property that applications meet by chance. */
export const GUESTS: unique symbol = Symbol.for('warp-engine.guests')

export interface GuestDeskOptions {
  readonly store: KeyStore
  readonly log: Log
  readonly outlet: Outlet
  readonly isReplicated: boolean
  /** Whether every replica has an operation of a shared key. */
  readonly isStable: (dot: Dot) => boolean
  /** Whether nothing more can come of a replica that is not here by now. */
  readonly isOver: (replica: ReplicaId) => boolean
  /** Told when the state has been replaced otherwise than by operations. */
  readonly onReset: (listener: () => void) => () => void
}

/** A write of a guest, and who asks for it. */
export interface GuestWrite {
  readonly guest: ReplicaId
  readonly principal: string
  readonly operation: PushedOperation
  /** Up to where the guest had everything of its patterns when it wrote. */
  readonly seen: VersionVector
}

/** A key as it is sent: what it holds, and which operations that is. */
interface EncodedKey {
  readonly strategy: number
  readonly vector: VectorEntries
  readonly expiresAt: number
  /** `undefined`: no value. */
  readonly state: Uint8Array | undefined
}

const NO_KEY: EncodedKey = { strategy: 0, vector: [], expiresAt: 0, state: undefined }

/** Encodings that guests share, while the key does not change. */
const ENCODED_MAX = 1024

export class GuestDesk {
  readonly store: KeyStore
  readonly known: KnownGuests = new KnownGuests()
  readonly #options: GuestDeskOptions
  readonly #reader: OperationReader
  readonly #encoded = new Map<string, { readonly head: number; readonly key: EncodedKey }>()
  readonly #named = new Set<(guest: ReplicaId, sequence: number) => void>()
  readonly #stops: (() => void)[] = []

  constructor(options: GuestDeskOptions) {
    this.#options = options
    this.store = options.store
    this.#reader = new OperationReader(options.store.table)
  }

  /** Reads from the log what guests have written before. From now on it follows. */
  async open(): Promise<void> {
    const { log, onReset } = this.#options
    this.#stops.push(this.store.subscribe((entered) => this.#entered(entered)))
    this.#stops.push(
      onReset(() => {
        this.#encoded.clear()
      }),
    )
    const budget = new Budget(this.store.env)
    const reader = new OperationReader(this.store.table)
    let at = 0
    for (const to = log.end; at < to;) {
      const next = scanOperations(log, { from: at, to, meter: budget }, reader, (operation) => {
        this.#noteWritten(operation)
        return true
      })
      if (next === at) break
      at = next
      await budget.pause()
    }
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  get replica(): ReplicaId {
    return this.store.writers.shared.replica
  }

  get applied(): VersionVector {
    return this.store.applied
  }

  /** Whether all that has been forgotten here lies in what a guest has seen. */
  knowsFloor(seen: VersionVector): boolean {
    return this.store.table.ended.normalised(seen).dominates(this.store.floor)
  }

  /** Whether what may be missing of a replica's operations will never come. */
  isOver(replica: ReplicaId): boolean {
    return replica === this.replica || this.#options.isOver(replica)
  }

  /** Settles when all that is in the log now may be told to others. Rejects with what has poisoned it. */
  async sendable(): Promise<void> {
    const { log, outlet } = this.#options
    const { end } = log
    while (log.persistent && outlet.through < end) {
      await outlet.settled()
      // Others may write meanwhile, and nothing is stored while they do not let it.
      if (outlet.through < end) await this.store.env.yield()
    }
  }

  /** Settles when what has been written here survives this process, where the log does at all. */
  logged(): Promise<void> {
    const { log } = this.#options
    return log.persistent ? log.settled('logged') : Promise.resolve()
  }

  /** Told when the state has been replaced otherwise than by operations. */
  onReset(listener: () => void): () => void {
    return this.#options.onReset(listener)
  }

  /** Told of a write of a guest that somebody has taken in. */
  onNamed(listener: (guest: ReplicaId, sequence: number) => void): () => void {
    this.#named.add(listener)
    return () => this.#named.delete(listener)
  }

  /** Whether guests may hold the key at all. */
  isOffered(key: string, slot: Slot | undefined): boolean {
    const keyspace = this.store.keyspaceFor(key, slot)
    return keyspace !== this.store.keyspaces.unregistered && !keyspace.isHidden && isGuests(keyspace)
  }

  /**
   * The key as a guest is sent it, with how many of its own writes that holds: both of one moment. Folds it
   * in steps where that takes long. Throws `WARP_E_LIMIT`.
   */
  async encoded(key: string, guest: ReplicaId): Promise<KeyState> {
    const { keys, values } = this.store
    for (;;) {
      const slot = keys.find(key)
      if (slot === undefined || values.residentShort(slot) !== undefined)
        return { key, ...this.#encodedAt(key, slot), included: this.known.lastOf(guest) }
      await foldUntilShort(this.store, slot, () => this.store.assertOpen())
    }
  }

  #encodedAt(key: string, slot: Slot | undefined): EncodedKey {
    if (slot === undefined) return NO_KEY
    const known = this.#encoded.get(key)
    return known !== undefined && known.head === this.store.keys.head[slot] ? known.key : this.#encode(key, slot)
  }

  #encode(key: string, slot: Slot): EncodedKey {
    const { keys, values, env } = this.store
    const keyspace = this.store.keyspaceFor(key, slot)
    const { strategy } = keyspace
    const ends = values.expiresAt(slot, keyspace)
    const isThere = values.resident(slot).present && ends > env.now()
    const state = isThere ? encode(strategy.encodeState(values.state(slot))) : undefined
    if (state !== undefined && state.length > FRAME_BYTES_MAX) throw tooLarge(key, state.length)
    const expiresAt = ends === Infinity ? 0 : Math.ceil(ends)
    const encoded = { strategy: keyspace.code, vector: keys.vector(slot).sorted(), expiresAt, state }
    this.#encoded.delete(key)
    this.#encoded.set(key, { head: keys.head[slot]!, key: encoded })
    if (this.#encoded.size > ENCODED_MAX) this.#encoded.delete(this.#encoded.keys().next().value as string)
    return encoded
  }

  /**
   * Makes the guest's write an operation of this replica, in memory. Throws what refuses it:
   * `WARP_E_UNREGISTERED_KEY`, `WARP_E_MODE`, `WARP_E_STRATEGY`, `WARP_E_LIMIT`, `WARP_E_PROTOCOL`,
   * `WARP_E_REJECTED`; and `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`, `WARP_E_CLOSED`, which say
   * nothing of the write.
   */
  accept({ guest, principal, operation, seen }: GuestWrite): Dot {
    const { store } = this
    store.assertOpen()
    const { key, kind, sequence, lifeMs } = operation
    const slot = store.keys.find(key)
    const keyspace = store.keyspaceOfFound(key, slot)
    checkWrite(operation, keyspace)
    const own = this.#ownBefore(guest, operation)
    const payload = kind === OPERATION_KIND.update ? this.#payload(guest, operation, keyspace) : undefined
    const context = this.#context({ operation, keyspace, slot, own, seen, payload })
    const { hasSeenAll, ...written } = context
    const fields = { provenance: { guest, sequence, principal } }
    store.append({ key, keyspace, slot, kind, payload, ...written, lifeMs, fields })
    const writer = store.writerOf(keyspace)
    const dot = { replica: writer.replica, sequence: writer.sequence }
    this.known.note(guest, sequence, { key, dot, hasSeenAll })
    return dot
  }

  /** The guest's own earlier writes of the key that it had seen. */
  #ownBefore(guest: ReplicaId, { key, sequence, ownFrom, dots }: PushedOperation): NamedWrite[] {
    const own: NamedWrite[] = []
    for (const [earlier, name] of this.known.namesOf(guest)) {
      if (name.key !== key || earlier >= sequence) continue
      const isNamed = dots.some(([replica, at]) => replica === name.dot.replica && at === name.dot.sequence)
      if (isNamed || (ownFrom > 0 && earlier >= ownFrom)) own.push(name)
    }
    return own
  }

  #payload(guest: ReplicaId, { payload }: PushedOperation, { strategy }: Keyspace): Encodable {
    const rename = (replica: ReplicaId, sequence: number): readonly [ReplicaId, number] => {
      const name = replica === guest ? this.known.nameOf(guest, sequence) : undefined
      return name === undefined ? [replica, sequence] : [name.dot.replica, name.dot.sequence]
    }
    return (strategy.rebase?.(payload, rename) ?? payload) as Encodable
  }

  #context(write: Writing): Written {
    const { operation, keyspace, slot, own } = write
    const { applied, floor, table, keys } = this.store
    const self = this.replica
    const context = new VersionVector()
    for (const [replica, upTo] of operation.context)
      context.raise(replica, table.ended.isPruned(replica) ? upTo : Math.min(upTo, applied.get(replica)))
    const newest = slot === undefined ? 0 : keys.vector(slot).get(self)
    const hasSeenAll =
      context.get(self) >= newest ||
      own.some(({ dot, hasSeenAll }) => hasSeenAll && dot.replica === self && dot.sequence === newest)
    const dots = operation.dots.filter(([replica, sequence]) => applied.includes(replica, sequence))
    for (const { dot } of own) dots.push([dot.replica, dot.sequence])
    if (cancels(write)) {
      this.#assertKnowsBase(write, context, dots)
      // All that lies below it of this key has been seen, or is gone: see `merge/written-context.ts`.
      if (floor.size > 0 && keyspace.domain.isSent) context.join(floor)
    }
    const beyond = dots.filter(([replica, sequence]) => !context.includes(replica, sequence))
    if (hasSeenAll) {
      const others = beyond.filter(([replica]) => replica !== self)
      return { context: context.entriesWithout(self), dots: others, isExact: false, hasSeenAll }
    }
    // Of so many dots the rest counts as not seen, which takes nothing away.
    return { context: context.sorted(), dots: beyond.slice(0, VECTOR_ENTRIES_MAX), isExact: true, hasSeenAll }
  }

  /**
   * What takes away must have seen all that may have been folded into one state: a part of that cannot
   * be taken away. Throws `WARP_E_REJECTED`.
   */
  #assertKnowsBase({ operation, slot, seen }: Writing, context: VersionVector, dots: VectorEntries): void {
    if (slot === undefined) return
    const { isReplicated, isStable } = this.#options
    const base = isReplicated ? this.store.keys.vector(slot) : this.#folded(slot)
    for (const [replica, through] of base.entries()) {
      const has = Math.max(context.get(replica), seen.get(replica))
      if (has >= through || dots.some(([by, at]) => by === replica && at === through)) continue
      if (isReplicated && !isStable({ replica, sequence: has + 1 })) continue
      throw new WarpError(
        'WARP_E_REJECTED',
        `a delete or removal of '${operation.key}' had not seen what has been compacted since; look at the key, and delete again`,
        { details: { key: operation.key, reason: 'compacted' } },
      )
    }
  }

  #folded(slot: Slot): VersionVector {
    const { snapshot } = this.store.chain(slot)
    const { chains } = this.store.folder
    return snapshot === 0 ? new VersionVector() : chains.head(chains.record(snapshot)).vector
  }

  #entered({ position, replica }: Entered): void {
    // What this replica takes from guests it notes itself.
    if (this.store.writers.isOwn(replica)) return
    const record = this.#options.log.record(position)
    if (record.kind === RECORD_KIND.operation)
      this.#noteWritten(this.#reader.load(record.bytes, record.start, record.end))
  }

  #noteWritten(operation: OperationReader): void {
    if (!operation.hasFields) return
    const provenance = operation.provenance()
    if (provenance === undefined) return
    const { bytes, keyStart, keyEnd, replica, sequence } = operation
    const key = textOf(bytes, keyStart, keyEnd)
    this.known.note(provenance.guest, provenance.sequence, { key, dot: { replica, sequence }, hasSeenAll: false })
    for (const listener of this.#named) listener(provenance.guest, provenance.sequence)
  }
}

interface Writing {
  readonly operation: PushedOperation
  readonly keyspace: Keyspace
  readonly slot: Slot | undefined
  readonly own: readonly NamedWrite[]
  readonly seen: VersionVector
  readonly payload: Encodable | undefined
}

interface Written {
  readonly context: VectorEntries
  readonly dots: VectorEntries
  readonly isExact: boolean
  readonly hasSeenAll: boolean
}

/** Whether reads and writes of such keys are guests' business. */
function isGuests({ domain, source, strategy }: Keyspace): boolean {
  return domain.kind === 'shared' && source === undefined && strategy.kind !== 'bounded-counter'
}

function checkWrite({ key, kind, strategy }: PushedOperation, keyspace: Keyspace): void {
  if (!isGuests(keyspace))
    throw new WarpError(
      'WARP_E_MODE',
      `'${key}' is not written by guests: its writes have to be decided by a replica (pattern '${keyspace.pattern}'); ` +
        'let a service write it',
      { details: { key } },
    )
  if (kind === OPERATION_KIND.delete) {
    if (keyspace.strategy.deletes !== 'refused') return
    throw new WarpError(
      'WARP_E_MODE',
      `'${key}' cannot be deleted: its strategy '${keyspace.strategy.kind}' refuses it`,
    )
  }
  if (kind !== OPERATION_KIND.update)
    throw new WarpError('WARP_E_PROTOCOL', `guests write updates and deletes, and not operations of kind ${kind}`)
  if (strategy === keyspace.code) return
  throw new WarpError(
    'WARP_E_STRATEGY',
    `'${key}' is written with strategy code ${strategy}, and the gateway has '${keyspace.strategy.kind}' (${keyspace.code}) for '${keyspace.pattern}'; use the same keys on both sides`,
    { details: { key } },
  )
}

function cancels({ operation, keyspace: { strategy }, payload }: Writing): boolean {
  if (operation.kind === OPERATION_KIND.delete) return strategy.deletes === 'observed'
  try {
    return strategy.cancels?.(payload) !== undefined
  } catch (cause) {
    throw new WarpError('WARP_E_PROTOCOL', `a payload for '${operation.key}' that no verb makes`, { cause })
  }
}

function tooLarge(key: string, bytes: number): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `the state of '${key}' takes ${bytes} bytes, more than the ${FRAME_BYTES_MAX} that guests are sent; split it over several keys`,
    { details: { key, bytes, limit: FRAME_BYTES_MAX } },
  )
}
