/**
 * The heart: keys, their chains in the log, and their values in memory. Everything that becomes part of a key, written here or
 * admitted from another replica, goes through `enter`: the one door. Synchronous throughout; whoever needs to wait for a
 * disk or a network does so outside.
 */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { encodeInto } from '../../crdt/encoding/encoding.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { HybridClock } from '../operation/clock.ts'
import type { Draft, Entered, Subscriber } from './draft.ts'
import type { Env } from '../ports/env.ts'
import type { Lane } from './lane.ts'
import { checkKey, nestedWrite, valueTooLarge } from '../keys/key-refusals.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import { endOfLife, type Keyspace, type Keyspaces } from '../keys/keyspace.ts'
import { VALUE_BYTES_MAX } from '../limits.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import type { Rejection } from '../merge/application.ts'
import { Folder } from '../merge/folder.ts'
import type { Resident } from '../merge/resident.ts'
import { writtenContext } from '../merge/written-context.ts'
import { OPERATION_KIND } from '../operation/kinds.ts'
import { writeEnvelopeHeader, type EnvelopeHeader } from '../operation/envelope-writer.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { Expiry } from '../cache/expiry.ts'
import { frozen } from '../cache/frozen.ts'
import { COLD, HOT, HOT_SLIDING, HOT_VISITED, Residency, type ResidencyLimits } from '../cache/residency.ts'
import type { EngineEvent } from './event.ts'
import { weightOf } from '../cache/weight.ts'
import type { Position } from '../operation/position.ts'
import { Subscribers } from './subscribers.ts'

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
  readonly lanes: { shared: Lane; local: Lane }
}

const NO_BYTES = new Uint8Array(0)

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

export class KeyStore {
  readonly keys: KeyTable
  readonly log: Log
  readonly env: Env
  readonly clock: HybridClock
  readonly table: ReplicaTable
  readonly keyspaces: Keyspaces
  readonly folder: Folder
  readonly residency: Residency
  /** Who writes; replaced when the replica takes a new identity. */
  lanes: { shared: Lane; local: Lane }
  /** All shared operations up to these are in the log or in snapshots. */
  readonly applied: VersionVector
  readonly #floor: VersionVector
  readonly #residents: (Resident | undefined)[] = []
  readonly #expiry: Expiry
  readonly #subscribers = new Subscribers()
  readonly #chain: Mutable<Required<Chain>> = { head: 0, snapshot: 0, cut: 0, lifeMs: 0 }
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
  readonly #entered: Mutable<Entered> = { slot: 0, position: 0, kind: 0, hlc: 0, replica: '' as ReplicaId, sequence: 0 }
  misses = 0
  #isClosed = false
  #isAppending = false

  constructor(options: KeyStoreOptions) {
    this.log = options.log
    this.keys = options.keys
    this.applied = options.applied
    this.#floor = options.floor
    this.env = options.env
    this.clock = options.clock
    this.table = options.table
    this.keyspaces = options.keyspaces
    this.lanes = options.lanes
    // Told later: an observer that reads would otherwise do so in the middle of a fold.
    const reject = (rejection: Rejection): void =>
      options.env.defer(() => options.observe({ kind: 'operation:rejected', ...rejection }))
    this.folder = new Folder(options.log, options.table, reject)
    this.residency = new Residency(options.cache, (slot) => (this.#residents[slot] = undefined))
    this.residency.reserve(options.keys.capacity)
    this.#expiry = new Expiry(options.env, (slot, nowMs) => this.#expire(slot, nowMs))
  }

  /** The keyspace of a key. Throws `WARP_E_UNREGISTERED_KEY`, `WARP_E_LIMIT`. */
  keyspaceOf(key: string): Keyspace {
    const slot = this.keys.find(key)
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

  laneOf(keyspace: Keyspace): Lane {
    return keyspace.mode === 'local' ? this.lanes.local : this.lanes.shared
  }

  /**
   * Encodes an operation into the log and lets it enter. Throws, and then nothing has happened. Returns its key's slot. Not to be called
   * from inside itself, by a getter of a value that is being encoded or by a projection: there is one place to write at.
   */
  append(draft: Draft): Slot {
    if (this.#isAppending) throw nestedWrite(draft.key)
    this.#isAppending = true
    try {
      return this.#append(draft)
    } finally {
      this.#isAppending = false
    }
  }

  #append(draft: Draft): Slot {
    const { key, keyspace, slot, kind } = draft
    const lane = this.laneOf(keyspace)
    const isUpdate = kind === OPERATION_KIND.update
    const header = this.#header
    header.kind = kind
    header.strategy = isUpdate ? (draft.strategy ?? keyspace.strategy.code) : 0
    header.replicaBytes = lane.bytes
    header.sequence = lane.sequence + 1
    header.hlc = draft.hlc ?? this.clock.tick()
    header.key = key
    header.context = draft.context ?? writtenContext(this.keys, this.#floor, lane.replica, draft)
    header.dependencies = lane === this.lanes.local ? undefined : lane.dependencies(this.applied)
    header.former = draft.former
    const writer = this.log.begin()
    writeEnvelopeHeader(writer, header, this.table)
    if (isUpdate) {
      const before = writer.at - writer.start
      encodeInto(writer, draft.payload)
      const bytes = writer.at - writer.start - before
      if (bytes > VALUE_BYTES_MAX) throw valueTooLarge(key, bytes)
    }
    const position = this.log.commit(RECORD_KIND.operation, slot === undefined ? 0 : this.keys.head[slot]!)
    lane.advance()
    const entered = this.#entered
    entered.kind = kind
    entered.hlc = header.hlc
    entered.replica = lane.replica
    entered.sequence = lane.sequence
    return this.enter(key, slot, keyspace, position, entered)
  }

  /** The one door: an operation that is in the log becomes part of its key, and everybody is told. */
  // eslint-disable-next-line max-params -- once per operation: an object for these five costs as much as the key table's work
  enter(
    key: string,
    known: Slot | undefined,
    keyspace: Keyspace,
    position: Position,
    operation: { hlc: Hlc; replica: ReplicaId; sequence: number; kind: number },
  ): Slot {
    const slot = this.take(key, known, keyspace, position, operation)
    if (operation.replica !== this.lanes.local.replica) this.applied.raise(operation.replica, operation.sequence)
    if (!this.#subscribers.isEmpty) {
      const entered = this.#entered
      entered.slot = slot
      entered.position = position
      entered.kind = operation.kind
      entered.hlc = operation.hlc
      entered.replica = operation.replica
      entered.sequence = operation.sequence
      this.#subscribers.tell(entered)
    }
    return slot
  }

  /** Makes an operation part of its key. Returns the key's slot. */
  // eslint-disable-next-line max-params -- as above
  take(
    key: string,
    known: Slot | undefined,
    keyspace: Keyspace,
    position: Position,
    operation: { hlc: Hlc; replica: ReplicaId; sequence: number },
  ): Slot {
    const slot = known ?? this.addKey(key, keyspace, position)
    this.keys.advance(slot, operation, position)
    this.residency.outdate(slot)
    if (keyspace.ttlMs > 0) this.#prolong(slot, keyspace)
    return slot
  }

  /** Gives a key that is new, or had been forgotten, a chain that begins at `position`. */
  addKey(key: string, keyspace: Keyspace, position: Position): Slot {
    const slot = this.keys.add(key, keyspace.index)
    // Records of a former life of this key may still be in the log: they are not part of the chain.
    this.keys.cut[slot] = position - 1
    this.residency.reserve(this.keys.capacity)
    return slot
  }

  /** Forgets a key altogether. */
  removeKey(slot: Slot): void {
    this.dropState(slot)
    this.#expiry.forget(slot)
    this.keys.remove(slot)
  }

  subscribe(subscriber: Subscriber): () => void {
    return this.#subscribers.add(subscriber)
  }

  /** The value, from memory or folded from the log. */
  read(slot: Slot): unknown {
    const state = this.residency.states[slot]!
    if (state === HOT_VISITED) return this.residency.values[slot]
    if (state !== COLD) return this.#touch(slot, state)
    return this.#materialise(slot)
  }

  /** The value, if it can be had without touching the disk. */
  peek(slot: Slot): unknown {
    if (this.residency.states[slot] === COLD && this.log.persistent && !this.#isChainResident(slot)) return undefined
    return this.read(slot)
  }

  /** The state that there is to see. */
  state(slot: Slot): unknown {
    return this.isOver(slot, this.env.now()) ? this.strategyAt(slot).initial() : this.resident(slot).state
  }

  /** Whether the key's present life, which counts from its last write, is over at `ms`. */
  isOver(slot: Slot, ms: number): boolean {
    const keyspace = this.#keyspaceAt(slot)
    return keyspace.lifeMs > 0 && this.expiresAt(slot, keyspace) <= ms
  }

  resident(slot: Slot): Resident {
    const resident = this.#fold(slot)
    if (!this.residency.isListed(slot)) this.adopt(slot, resident)
    return resident
  }

  /** The state already contains the operation at the key's head (see `appliesOnPrepare`). */
  markFolded(slot: Slot): void {
    const resident = this.#residents[slot]
    if (resident === undefined) return
    if (!resident.hasTip) resident.bornAt = this.keys.tipHlc[slot]!
    resident.folded = this.keys.head[slot]!
    resident.present = true
    resident.take({
      hlc: this.keys.tipHlc[slot]!,
      replica: this.keys.tipReplica[slot]!,
      sequence: this.keys.tipSequence[slot]!,
    })
  }

  /** Keeps a state in memory, within the bounds of the cache. */
  adopt(slot: Slot, resident: Resident): void {
    this.#residents[slot] = resident
    const value: unknown = this.residency.isWeighed ? this.#keyspaceAt(slot).strategy.read(resident.state) : undefined
    this.residency.install(slot, undefined, { bytes: this.#weight(slot, value, resident.bytes), state: COLD })
  }

  /** Lets go of what is in memory of a key; the next read folds it again. */
  dropState(slot: Slot): void {
    this.residency.evict(slot)
    this.#residents[slot] = undefined
  }

  /** Where the key's operations are. A flyweight: valid until the next call. */
  chain(slot: Slot): Chain {
    const chain = this.#chain
    chain.head = this.keys.head[slot]!
    chain.snapshot = this.keys.snapshot[slot]!
    chain.cut = this.keys.cut[slot]!
    chain.lifeMs = this.#keyspaceAt(slot).lifeMs
    return chain
  }

  /** When the value stops being visible, ms. Worked out again after a restart. */
  expiresAt(slot: Slot, keyspace: Keyspace): number {
    const known = this.keys.expiresAt[slot]!
    if (known > 0) return known
    return (this.keys.expiresAt[slot] = endOfLife(keyspace, this.keys.tipHlc[slot]!))
  }

  strategyAt(slot: Slot): AnyStrategy {
    return this.#keyspaceAt(slot).strategy
  }

  /** Throws `WARP_E_CLOSED`. */
  assertOpen(): void {
    if (this.#isClosed) throw new WarpError('WARP_E_CLOSED', 'this Warp has been closed; open it again')
  }

  close(): void {
    this.#isClosed = true
    this.#expiry.close()
    this.residency.clear()
  }

  /** A late write does not shorten a life that reads have prolonged. */
  #prolong(slot: Slot, keyspace: Keyspace): void {
    const expiresAt = endOfLife(keyspace, this.keys.tipHlc[slot]!)
    if (!keyspace.isSliding || this.keys.expiresAt[slot]! < expiresAt) this.keys.expiresAt[slot] = expiresAt
  }

  #keyspaceAt(slot: Slot): Keyspace {
    return this.keyspaces.list[this.keys.keyspace[slot]!] as Keyspace
  }

  #touch(slot: Slot, state: number): unknown {
    if (state === HOT) this.residency.states[slot] = HOT_VISITED
    else if (state === HOT_SLIDING) {
      this.residency.markSliding(slot)
      this.keys.expiresAt[slot] = endOfLife(this.#keyspaceAt(slot), this.keys.tipHlc[slot]!, this.env.now())
    }
    return this.residency.values[slot]
  }

  #materialise(slot: Slot): unknown {
    this.assertOpen()
    this.misses++
    const keyspace = this.#keyspaceAt(slot)
    const nowMs = keyspace.ttlMs > 0 ? this.env.now() : 0
    if (nowMs > 0 && this.expiresAt(slot, keyspace) <= nowMs) return undefined
    const { value, bytes } = keyspace.isLast ? this.#foldTip(slot) : this.#foldValue(slot)
    if (nowMs > 0) {
      if (keyspace.isSliding) this.keys.expiresAt[slot] = endOfLife(keyspace, this.keys.tipHlc[slot]!, nowMs)
      this.#expiry.watch(slot, this.keys.expiresAt[slot]!)
    }
    const hot = this.residency.isListed(slot) ? HOT_VISITED : HOT
    const weight = keyspace.isLast ? bytes + (this.keys.keys[slot] as string).length : this.#weight(slot, value, bytes)
    this.residency.install(slot, frozen(value), { bytes: weight, state: keyspace.isSliding ? HOT_SLIDING : hot })
    return value
  }

  #foldTip(slot: Slot): { value: unknown; bytes: number } {
    return this.folder.foldTip(this.#keyspaceAt(slot).strategy, this.chain(slot), this.keys.tip[slot]!)
  }

  #foldValue(slot: Slot): { value: unknown; bytes: number } {
    const strategy = this.#keyspaceAt(slot).strategy
    const resident = this.#fold(slot)
    return { value: resident.present ? strategy.read(resident.state) : undefined, bytes: resident.bytes }
  }

  /** A fold that fails leaves nothing behind: what it had done by then is worth nothing. */
  #fold(slot: Slot): Resident {
    const before = this.#residents[slot]
    this.#residents[slot] = undefined
    return (this.#residents[slot] = this.folder.fold(this.#keyspaceAt(slot).strategy, this.chain(slot), before))
  }

  /** What a key costs in the cache. What has been folded into its value, `bytes`, says little: a counter weighs a number. */
  #weight(slot: Slot, value: unknown, bytes: number): number {
    return this.residency.isWeighed ? weightOf(value, bytes) + (this.keys.keys[slot] as string).length : 0
  }

  /** Asked by the wheel: lets an expired value go cold. Returns when to ask again, 0 for never. */
  #expire(slot: Slot, nowMs: number): number {
    if (this.residency.states[slot] === COLD) return 0
    const expiresAt = this.keys.expiresAt[slot]!
    if (expiresAt > nowMs) return expiresAt
    this.residency.outdate(slot)
    return 0
  }

  #isChainResident(slot: Slot): boolean {
    const after = Math.max(this.#residents[slot]?.folded ?? 0, this.keys.cut[slot]!)
    if (this.#keyspaceAt(slot).isLast) return this.log.isResident(this.keys.tip[slot]!)
    const base = this.#residents[slot] === undefined ? this.keys.snapshot[slot]! : 0
    if (base > 0 && !this.log.isResident(base)) return false
    for (let position = this.keys.head[slot]!; position > after; position = this.log.record(position).previous) {
      if (!this.log.isResident(position)) return false
    }
    return true
  }
}
