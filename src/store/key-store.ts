/**
 * The door: keys and their chains in the log. Everything that becomes part of a key, written here
 * or admitted from another replica, goes through `enter`, and the key's value in memory
 * (`cache/values.ts`) is outdated there. Synchronous throughout; whoever needs to wait for a disk
 * or a network does so outside.
 */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { encodeInto } from '../../crdt/encoding/encoding.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { HybridClock } from '../operation/clock.ts'
import { WaitingWrites } from './write-road/waiting-writes.ts'
import { Subscribers, type Draft, type Entered, type Subscriber } from './write-road/draft.ts'
import type { Env } from '../ports/env.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { DomainWriter, DomainWriters } from '../keys/domain-writer.ts'
import { checkKey, closed, hiddenKey, nestedWrite, payloadBytesMax, payloadTooLarge } from '../keys/key-refusals.ts'
import type { KeyTable, Slot, TipOperation } from '../keys/key-table.ts'
import type { Keyspace, Keyspaces } from '../keys/keyspace.ts'
import { SET_MANY_BYTES_MAX, TRANSACTION_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.ts'
import type { Holds } from '../log/holds.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import type { Rejection } from '../merge/folding/application.ts'
import type { Folder } from '../merge/folding/folder.ts'
import { Folders } from '../merge/folding/folders.ts'
import { usersCodeDepth } from '../merge/users-code.ts'
import { writtenContext } from '../merge/written-context.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { writeEnvelopeHeader, type EnvelopeHeader } from '../operation/envelope/envelope-writer.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import { Turns } from '../operation/turns.ts'
import type { Residency, ResidencyLimits } from '../cache/residency.ts'
import { Values } from '../cache/values.ts'
import type { EngineEvent } from './event.ts'
import { Expirations } from './expirations/expirations.ts'
import type { Position } from '../operation/position.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { Placed } from '../merge/placed.ts'
import type { OperationFields } from '../operation/envelope/operation-fields.ts'

export interface KeyStoreOptions {
  readonly log: Log
  readonly keys: KeyTable
  readonly applied: VersionVector
  readonly floor: VersionVector
  readonly env: Env
  readonly clock: HybridClock
  readonly table: ReplicaTable
  readonly keyspaces: Keyspaces
  readonly cache: ResidencyLimits
  readonly observe: (event: EngineEvent) => void
  readonly writers: DomainWriters
  readonly holds: Holds
  readonly recorder?: Recorder | undefined
}

const NO_BYTES = new Uint8Array(0)

/** What the data layer knows of operations whose keys have their truth in a store. */
export interface StoredOperations {
  /** Whether the store is known to hold it. Until then nothing of its key may be folded away. */
  isStored(key: string, operation: Placed): boolean
  /** Compaction has taken these, the oldest of the key, out of the log. */
  compacted(key: string, operations: readonly Placed[]): void
}

/** A write that is an operation only once the store has it. */
export interface ThroughWrite<Result = unknown> {
  readonly key: string
  readonly kind: number
  readonly signal?: AbortSignal | undefined
  /** What it carries; `undefined` if there is nothing to write. Throws what is refused. */
  prepare(): { readonly payload: unknown } | undefined
  /** There was nothing to write. */
  unchanged(): Promise<Result>
  /** It is in the store, under the name and with the stamp that are given: it is an operation now. */
  enter(as: { readonly hlc: Hlc; readonly fields: OperationFields }): Promise<Result>
}

/** What the door looks at of an operation. */
export interface TakenOperation extends TipOperation {
  readonly kind: number
  /** The code of the strategy that made its payload. */
  readonly strategy: number
}

/** An operation of a group that is in the log and enters next. */
export interface Arrival {
  readonly key: string
  /** The key's slot, if it has one. */
  readonly slot: Slot | undefined
  /** Its slot and version are filled in when it enters. */
  readonly entered: Mutable<Entered>
}

/** How much a group may be, and what is said of more. */
interface GroupBounds {
  readonly call: string
  readonly bytesMax: number
}

const SET_MANY: GroupBounds = { call: 'setMany', bytesMax: SET_MANY_BYTES_MAX }
const TRANSACTION: GroupBounds = { call: 'transaction', bytesMax: TRANSACTION_BYTES_MAX }

export type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

export class KeyStore {
  readonly keys: KeyTable
  readonly log: Log
  readonly env: Env
  /** What public calls settle through. */
  readonly turns: Turns
  readonly clock: HybridClock
  readonly table: ReplicaTable
  readonly keyspaces: Keyspaces
  readonly values: Values
  /** Tells when lives end. */
  readonly expirations: Expirations
  /** Writes that wait until their keys have been folded. */
  readonly waiting: WaitingWrites
  /** Who keeps compaction from dropping records. */
  readonly holds: Holds
  /** Who writes, by domain. */
  readonly writers: DomainWriters
  /** All shared operations up to these are in the log or in snapshots. */
  readonly applied: VersionVector
  readonly floor: VersionVector
  /** Told of what is measured; `undefined`: nobody measures. */
  readonly recorder: Recorder | undefined
  /** Set where a keyspace has a store. */
  stored: StoredOperations | undefined
  readonly #folders: Folders
  /** The values' own: one load on the way of each write. */
  readonly #residency: Residency
  readonly #subscribers = new Subscribers()
  readonly #header: Mutable<EnvelopeHeader> = {
    kind: 0,
    strategy: 0,
    replicaBytes: NO_BYTES,
    sequence: 0,
    hlc: 0,
    key: '',
    context: undefined,
    dependencies: undefined,
  }
  readonly #entered: Mutable<Entered>
  #isRefusing = false
  #isAppending = false
  /** Calls under way of users' code that may only read. */
  #readersCount = 0
  /** Writes that such code has tried. */
  #refusedCount = 0
  /** Of the record that was encoded last. */
  #encodedBytes = 0

  constructor(options: KeyStoreOptions) {
    this.log = options.log
    this.keys = options.keys
    this.applied = options.applied
    this.floor = options.floor
    this.env = options.env
    this.turns = new Turns(options.env)
    this.waiting = new WaitingWrites(options.env)
    this.clock = options.clock
    this.table = options.table
    this.keyspaces = options.keyspaces
    this.writers = options.writers
    this.holds = options.holds
    this.recorder = options.recorder
    const keyspace = options.keyspaces.unregistered
    const none = { slot: 0, position: 0, kind: 0, strategy: 0, hlc: 0, sequence: 0, lifeMs: 0, version: 0 }
    this.#entered = { ...none, replica: '' as ReplicaId, keyspace }
    // Told later: an observer that reads would otherwise do so in the middle of a fold.
    const reject = (rejection: Rejection): void =>
      options.env.defer(() => options.observe({ kind: 'operation:rejected', ...rejection }))
    this.#folders = new Folders(options.log, options.table, reject)
    const onTouched = (key: string): void => options.env.defer(() => options.observe({ kind: 'value:touched', key }))
    const { turns } = this
    this.values = new Values({ ...options, turns, folders: this.#folders, onTouched, limits: options.cache })
    this.#residency = this.values.residency
    this.expirations = new Expirations({ ...options, values: this.values })
  }

  /** Of the record that was encoded last. */
  get encodedBytes(): number {
    return this.#encodedBytes
  }

  /** The folder that is not in the middle of a fold. */
  get folder(): Folder {
    return this.#folders.idle
  }

  /** Whether code runs that must not write: a merge function, a getter of a value, a projection. */
  get refusesWrites(): boolean {
    return this.#isAppending || this.#readersCount > 0 || usersCodeDepth() > 0
  }

  /** Begins a call of users' code that may only read. Returns what `endReading` has to be given. */
  beginReading(): number {
    this.#readersCount++
    return this.#refusedCount
  }

  /** Returns whether the code tried to write, and was refused. */
  endReading(begun: number): boolean {
    this.#readersCount--
    return this.#refusedCount !== begun
  }

  #assertWritable(key: string): void {
    if (!this.refusesWrites) return
    this.#refusedCount++
    throw nestedWrite(key)
  }

  /** The keyspace of a key of users. Throws `WARP_E_UNREGISTERED_KEY`, `WARP_E_LIMIT`. */
  keyspaceOf(key: string): Keyspace {
    return this.keyspaceOfFound(key, this.keys.find(key))
  }

  /** The same of a key that has been looked up. */
  keyspaceOfFound(key: string, slot: Slot | undefined): Keyspace {
    const keyspace = this.registeredAt(key, slot)
    if (keyspace.isHidden) throw hiddenKey(key)
    return keyspace
  }

  /** The same, of the engine's own keys as well. */
  registeredAt(key: string, slot: Slot | undefined): Keyspace {
    if (slot === undefined) checkKey(key)
    const keyspace = slot === undefined ? this.keyspaces.find(key) : this.#keyspaceAt(slot)
    if (keyspace !== undefined && keyspace !== this.keyspaces.unregistered) return keyspace
    throw new WarpError(
      'WARP_E_UNREGISTERED_KEY',
      `no key pattern matches '${key}'; register one in openWarp({ keys })`,
      { details: { key } },
    )
  }

  /** The keyspace that any key falls into, registered or not. */
  keyspaceFor(key: string, slot: Slot | undefined): Keyspace {
    if (slot !== undefined) return this.#keyspaceAt(slot)
    return this.keyspaces.find(key) ?? this.keyspaces.unregistered
  }

  writerOf(keyspace: Keyspace): DomainWriter {
    return this.writers.of(keyspace.domain)
  }

  /**
   * Encodes an operation into the log and lets it enter. Throws, and then nothing has happened.
   * Returns its key's slot. Not to be called from inside itself, by a getter of a value that is
   * being encoded or by a projection: there is one place to write at.
   */
  append(draft: Draft): Slot {
    this.#assertWritable(draft.key)
    this.#isAppending = true
    try {
      return this.#append(draft)
    } finally {
      this.#isAppending = false
    }
  }

  #append(draft: Draft): Slot {
    const { key, keyspace, slot } = draft
    const writer = this.writerOf(keyspace)
    const header = this.#header
    header.sequence = writer.sequence + 1
    header.dependencies = writer.dependencies(this.applied)
    header.hlc = draft.hlc ?? this.clock.tick()
    const position = this.#encode(draft, writer, slot === undefined ? 0 : this.keys.head[slot]!)
    return this.enter(key, slot, keyspace, position, this.#numbered(writer, draft.lifeMs ?? 0))
  }

  /**
   * As `append`, for what most writes are: the value of a register (`Keyspace.isRegister`), which
   * needs no draft.
   */
  // eslint-disable-next-line max-params -- once per write: an object for these five costs a tenth of it
  appendValue(key: string, keyspace: Keyspace, known: Slot | undefined, value: unknown, lifeMs: number): Slot {
    this.#assertWritable(key)
    this.#isAppending = true
    try {
      const writer = this.writers.of(keyspace.domain)
      const header = this.#header
      header.kind = OPERATION_KIND.update
      header.strategy = keyspace.code
      header.replicaBytes = writer.bytes
      header.sequence = writer.sequence + 1
      header.hlc = this.clock.tick()
      header.key = key
      header.context = known === undefined ? undefined : this.keys.context(known, writer.replica)
      header.dependencies = writer.dependencies(this.applied)
      header.isExact = undefined
      header.dots = undefined
      header.fields = lifeMs > 0 ? { lifeMs } : undefined
      const position = this.#write(writer, value, known === undefined ? 0 : this.keys.head[known]!)
      return this.#enterValue(key, keyspace, known, position, value, this.#numbered(writer, lifeMs))
    } finally {
      this.#isAppending = false
    }
  }

  // eslint-disable-next-line max-params -- as above
  #enterValue(
    key: string,
    keyspace: Keyspace,
    known: Slot | undefined,
    position: Position,
    value: unknown,
    operation: Entered,
  ): Slot {
    const slot = this.take(key, known, keyspace, position, operation)
    const isTip = this.keys.tip[slot] === position
    if (isTip && keyspace.ttlMs === 0 && !this.keys.hasHadLives) this.#residency.refresh(slot, value)
    this.#announce(slot, keyspace, position, operation)
    return slot
  }

  /** The operation in the header has been written: it is the writer's next one. */
  #numbered(writer: DomainWriter, lifeMs: number): Entered {
    writer.advance()
    const [header, entered] = [this.#header, this.#entered]
    entered.kind = header.kind
    entered.strategy = header.strategy
    entered.hlc = header.hlc
    entered.replica = writer.replica
    entered.sequence = writer.sequence
    entered.lifeMs = lifeMs
    return entered
  }

  /**
   * Appends operations of one domain as a group: all of them or, if one is refused, none, also
   * after a crash. Their numbers follow each other. Readers and subscribers see all at once.
   * `beside` writes further records of the same group. Returns the slots of their keys.
   */
  appendAll(drafts: readonly Draft[], beside: () => void = nothing): readonly Slot[] {
    return this.#appendGroup(drafts, beside, SET_MANY)
  }

  /** The same of a transaction: where its operations are sent, they say so, and all replicas see them at once. */
  appendTransaction(drafts: readonly Draft[]): readonly Slot[] {
    const [first] = drafts
    if (first === undefined || drafts.length === 1 || !first.keyspace.domain.isSent)
      return this.#appendGroup(drafts, nothing, TRANSACTION)
    const { replica, sequence } = this.writerOf(first.keyspace)
    const [id, count] = [{ replica, sequence: sequence + 1 }, drafts.length]
    const parts = drafts.map((draft, index) => {
      return { ...draft, fields: { ...draft.fields, condition: { transaction: { id, index, count } } } }
    })
    return this.#appendGroup(parts, nothing, TRANSACTION)
  }

  #appendGroup(drafts: readonly Draft[], beside: () => void, bounds: GroupBounds): readonly Slot[] {
    const [first] = drafts
    if (first === undefined) {
      this.log.group(beside)
      return []
    }
    this.#assertWritable(first.key)
    this.#isAppending = true
    try {
      return this.#appendAll(drafts, { writer: this.writerOf(first.keyspace), beside, bounds })
    } finally {
      this.#isAppending = false
    }
  }

  #appendAll(
    drafts: readonly Draft[],
    {
      writer,
      beside,
      bounds,
    }: { readonly writer: DomainWriter; readonly beside: () => void; readonly bounds: GroupBounds },
  ): readonly Slot[] {
    const arrivals = this.log.group(() => {
      const encoded = this.#encodeAll(drafts, writer, bounds)
      beside()
      return encoded
    })
    for (let i = 0; i < drafts.length; i++) writer.advance()
    this.enterAll(arrivals)
    return arrivals.map(({ entered }) => entered.slot)
  }

  /**
   * The door for several operations of one writer that are in the log, in the order of their numbers:
   * all are part of their keys before anybody is told of one.
   */
  enterAll(arrivals: readonly Arrival[]): void {
    for (const { key, slot, entered } of arrivals) {
      entered.slot = this.take(key, slot ?? this.keys.find(key), entered.keyspace, entered.position, entered)
      entered.version = this.keys.version[entered.slot]!
    }
    const last = arrivals.at(-1)?.entered
    if (last !== undefined && this.writers.isSent(last.replica)) this.applied.raise(last.replica, last.sequence)
    this.expirations.beforeTelling()
    for (const { entered } of arrivals) this.#tell(entered)
  }

  #encodeAll(drafts: readonly Draft[], writer: DomainWriter, bounds: GroupBounds): Arrival[] {
    const header = this.#header
    const { sequence, replica } = writer
    /** Where the group has got to in the chains of its keys. */
    const heads = new Map<string, Position>()
    let bytes = 0
    return drafts.map((draft, i) => {
      const { key, keyspace, slot, kind } = draft
      if (keyspace.domain !== writer.domain) throw mixedDomains(key)
      header.sequence = sequence + 1 + i
      header.dependencies = i === 0 ? writer.dependencies(this.applied) : undefined
      const hlc = draft.hlc ?? this.clock.tick()
      header.hlc = hlc
      const previous = heads.get(key) ?? (slot === undefined ? 0 : this.keys.head[slot]!)
      const position = this.#encode(draft, writer, previous)
      heads.set(key, position)
      bytes += this.#encodedBytes
      if (bytes > bounds.bytesMax) throw tooManyBytes(bounds, i + 1, drafts.length)
      const { lifeMs = 0 } = draft
      const entered = {
        slot: 0,
        keyspace,
        position,
        kind,
        strategy: header.strategy,
        hlc,
        replica,
        sequence: sequence + 1 + i,
        lifeMs,
        version: 0,
      }
      return { key, slot, entered }
    })
  }

  /** Makes a draft a record. Its number, stamp and dependencies stand in the header already. */
  #encode(draft: Draft, from: DomainWriter, previous: Position): Position {
    const { key, keyspace, kind } = draft
    const isUpdate = kind === OPERATION_KIND.update
    const header = this.#header
    header.kind = kind
    header.strategy = draft.strategy ?? (isUpdate ? keyspace.code : 0)
    header.replicaBytes = from.bytes
    header.key = key
    header.context = draft.context ?? this.#contextOf(draft, from.replica)
    header.isExact = draft.isExact
    header.dots = draft.dots
    const { lifeMs = 0 } = draft
    header.fields = lifeMs > 0 ? { ...draft.fields, lifeMs } : draft.fields
    return this.#write(from, isUpdate ? draft.payload : draft.opaque, previous)
  }

  /**
   * Where the truth is elsewhere, what is written says all that its writer had seen: whoever takes it
   * in knows by that which invalidations came before it.
   */
  #contextOf(draft: Draft, writer: ReplicaId): VectorEntries | undefined {
    if (draft.keyspace.source !== undefined) return this.applied.entriesWithout(writer)
    return writtenContext(this.keys, this.floor, writer, draft)
  }

  /** A payload may be that large only if it is a document's. */
  #assertSize(key: string, bytes: number): void {
    const { strategy } = this.keyspaceFor(key, this.keys.find(key))
    if (bytes > payloadBytesMax(strategy)) throw payloadTooLarge(key, strategy, bytes)
  }

  /** Makes a record of the header and of what goes behind it: a payload, or bytes as they are. */
  #write(from: DomainWriter, payload: unknown, previous: Position): Position {
    const header = this.#header
    const { key, replicaBytes } = header
    const number = from.sequence
    const writer = this.log.begin()
    writeEnvelopeHeader(writer, header, this.table)
    if (header.kind === OPERATION_KIND.update) {
      const before = writer.at - writer.start
      encodeInto(writer, payload)
      const bytes = writer.at - writer.start - before
      if (bytes > VALUE_BYTES_MAX) this.#assertSize(key, bytes)
      // A getter of the value may have run code of others: what was encoded would carry a number
      // that is taken.
      if (from.sequence !== number || from.bytes !== replicaBytes) throw nestedWrite(key)
    } else if (payload instanceof Uint8Array) writer.raw(payload)
    this.#encodedBytes = writer.at - writer.start
    this.turns.spend(0, this.#encodedBytes)
    return this.log.commit(RECORD_KIND.operation, previous, writer)
  }

  /**
   * The one door: an operation that is in the log becomes part of its key, and everybody is told.
   */
  // eslint-disable-next-line max-params -- once per operation: an object for these five costs as much as the key table's work
  enter(key: string, known: Slot | undefined, keyspace: Keyspace, position: Position, operation: TakenOperation): Slot {
    const slot = this.take(key, known, keyspace, position, operation)
    this.#announce(slot, keyspace, position, operation)
    return slot
  }

  /** Everybody is told of an operation that is part of its key now. */
  #announce(slot: Slot, keyspace: Keyspace, position: Position, operation: TakenOperation): void {
    if (this.writers.isSent(operation.replica)) this.applied.raise(operation.replica, operation.sequence)
    if (this.#subscribers.isEmpty) return
    const entered = this.#entered
    entered.slot = slot
    entered.keyspace = keyspace
    entered.position = position
    entered.kind = operation.kind
    entered.strategy = operation.strategy
    entered.hlc = operation.hlc
    entered.replica = operation.replica
    entered.sequence = operation.sequence
    entered.lifeMs = operation.lifeMs
    entered.version = this.keys.version[slot]!
    this.expirations.beforeTelling()
    this.#tell(entered)
  }

  #tell(entered: Entered): void {
    this.#subscribers.tell(entered)
    if (this.expirations.isFollowed) this.expirations.note(entered.slot)
  }

  /** Makes an operation part of its key. Returns the key's slot. */
  // eslint-disable-next-line max-params -- as above
  take(key: string, known: Slot | undefined, keyspace: Keyspace, position: Position, operation: TakenOperation): Slot {
    const slot = known ?? this.addKey(key, keyspace, position)
    if (this.keys.strategy[slot] !== operation.strategy) this.#noteStrategy(slot, operation)
    if (this.expirations.isFollowed && known !== undefined) this.expirations.beforeWrite(slot)
    this.keys.advance(slot, operation, position)
    this.#residency.outdate(slot)
    if (keyspace.ttlMs > 0 || this.keys.hasHadLives) this.values.prolong(slot, keyspace)
    return slot
  }

  #noteStrategy(slot: Slot, { kind, strategy }: TakenOperation): void {
    if (kind !== OPERATION_KIND.update) return
    if (this.keys.isStrategyUnknown(slot)) this.#settleStrategy(slot)
    this.keys.noteStrategy(slot, strategy)
  }

  /** The operation is in the log by now: what cannot be read there is left to the key's fold. */
  #settleStrategy(slot: Slot): void {
    const { keys, values } = this
    try {
      keys.settleStrategy(slot, values.writtenBy(slot))
    } catch (error) {
      if (!isWarpError(error)) throw error
      keys.mixed.add(slot)
    }
  }

  /** Gives a key that is new, or had been forgotten, a chain that begins at `position`. */
  addKey(key: string, keyspace: Keyspace, position: Position): Slot {
    const slot = this.keys.add(key, keyspace.index)
    // Records of a former life of this key may still be in the log: they are not part of the chain.
    this.keys.cut[slot] = position - 1
    this.#residency.reserve(this.keys.capacity)
    return slot
  }

  /** Forgets a key altogether. */
  removeKey(slot: Slot): void {
    this.expirations.forget(slot)
    this.values.forget(slot)
    this.keys.remove(slot)
  }

  subscribe(subscriber: Subscriber): () => void {
    return this.#subscribers.add(subscriber)
  }

  /** Where the key's operations are. A flyweight: valid until the next call. */
  chain(slot: Slot): Chain {
    return this.values.chain(slot)
  }

  strategyAt(slot: Slot): AnyStrategy {
    return this.#keyspaceAt(slot).strategy
  }

  /** Throws `WARP_E_CLOSED`: for calls of users. */
  assertOpen(): void {
    if (this.#isRefusing) throw closed()
  }

  /** From now on users write and read nothing any more; what is under way comes to its end. */
  refuseCalls(): void {
    this.#isRefusing = true
  }

  close(): void {
    this.#isRefusing = true
    this.expirations.close()
    this.values.close()
  }

  #keyspaceAt(slot: Slot): Keyspace {
    return this.keyspaces.list[this.keys.keyspace[slot]!] as Keyspace
  }
}

function nothing(): void {
  // Most groups have no records beside their operations.
}

function mixedDomains(key: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' is of another mode than the keys that it is to be written with; write them one after the other`,
  )
}

function tooManyBytes({ call, bytesMax }: GroupBounds, count: number, of: number): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `${call}: the first ${count} of ${of} keys have more than ${bytesMax} bytes with their values, ` +
      'the most that is written at once; nothing was written; write them in several calls',
    { details: { limit: bytesMax } },
  )
}
