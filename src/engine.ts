/**
 * The engine: one log, one key store, and the parts that feed and trim them. It opens the log, puts
 * the parts together, and is what replication sees as its store.
 */
import { Budget, type Meter } from './operation/budget.ts'
import { ignoreOutcome } from '../crdt/synchronous.ts'
import { asError } from '../crdt/warp-error.ts'
import type { ReplicaId } from '../crdt/time/replica-id.ts'
import { VersionVector } from '../crdt/time/version-vector.ts'
import type { Dot } from '../crdt/time/dot.ts'
import { AdmissionDesk } from './store/border.ts'
import { Aside } from './store/aside/aside.ts'
import type { AsideRecords } from './store/aside/aside-records.ts'
import { HybridClock } from './operation/clock.ts'
import { Compactor } from './compaction/compactor.ts'
import { Frontier } from './compaction/frontier.ts'
import { Garbage } from './compaction/garbage.ts'
import { Tally } from './compaction/tally.ts'
import type { FeedCheckpoints } from './log/feed/feed-checkpoints.ts'
import { Holds } from './log/holds.ts'
import { ReplicaIdentity } from './store/replica-identity.ts'
import type { DotIndex } from './operation/dot-index.ts'
import type { EnteredLeaseNote, LeaseNote } from './operation/leases/lease-note.ts'
import type { LeaseBook } from './store/aside/lease-book.ts'
import { invalidationPayload, type EnteredInvalidation, type Invalidation } from './operation/invalidation.ts'
import type { Env } from './ports/env.ts'
import type { Entered } from './store/write-road/draft.ts'
import { KeyStore } from './store/key-store.ts'
import { DOMAINS, type Domain } from './keys/domain.ts'
import type { Keyspaces } from './keys/keyspace.ts'
import { Log } from './log/log.ts'
import type { LogFiles } from './ports/files.ts'
import { INSTRUMENTS } from './ports/instrument-catalogue.ts'
import type { LogMemory } from './ports/platform.ts'
import type { Recorder } from './ports/recorder.ts'
import { Pruning } from './compaction/pruning.ts'
import { Maintenance } from './compaction/maintenance.ts'
import { awayPayload, evictPayload, type Departures } from './operation/departures.ts'
import { endPayload, type EndedIds } from './operation/ended-ids.ts'
import { OPERATION_KIND } from './operation/envelope/kinds.ts'
import { OperationReader } from './operation/envelope/operation-reader.ts'
import { ReplicaTable } from './operation/replica-table.ts'
import type { VectorEntries } from './operation/envelope/vector-entries.ts'
import { FORMAT_LOWEST, Formats } from './operation/envelope/formats.ts'
import { findOperation, scanOperations } from './log/operation-search.ts'
import type { WarpEvent } from './api/public.ts'
import type { Compaction } from './store/event.ts'
import { UnreadableKeys } from './store/opening/unreadable-keys.ts'
import { Outlet } from './log/outlet.ts'
import { CheckpointBody } from './store/checkpoint-body.ts'
import { Recovered, type Forgotten } from './store/recovered.ts'
import type { ResidencyLimits } from './cache/residency.ts'
import type { ReplicationStore } from './replication/store.ts'
import type { Admission } from './store/border.ts'
import type { Departing } from './membership/departing.ts'
import type { SnapshotExport, SnapshotImport } from './membership/snapshot-ports.ts'
import type { Slot } from './keys/key-table.ts'
import type { Position } from './operation/position.ts'
import type { Away, RetiredIds } from './operation/retired-ids.ts'
import { Resync } from './membership/resync.ts'
import { StateExport } from './membership/state-export.ts'

export interface EngineOptions {
  readonly files: LogFiles
  readonly env: Env
  readonly keyspaces: Keyspaces
  readonly cache: ResidencyLimits
  /** What people call this replica; kept in the log until another name is given. */
  readonly name?: string | undefined
  readonly clockDriftMsMax: number
  /** Whether other replicas may exist: then only what they have acknowledged is stable. */
  readonly isReplicated: boolean
  /** See `LogOptions`. */
  readonly segmentBytes?: number
  readonly memory?: LogMemory | undefined
  /** The highest format that is read and written. Default: this build's. */
  readonly format?: number
  readonly observe: (event: WarpEvent) => void
  /** Told of what is measured; without it nothing is. */
  readonly recorder?: Recorder | undefined
}

export class Engine implements ReplicationStore, Departing {
  readonly store: KeyStore
  readonly table: ReplicaTable
  readonly log: Log
  readonly outlet: Outlet
  readonly floor: VersionVector
  /** Who this replica is. */
  readonly identity: ReplicaIdentity
  readonly compactor: Compactor
  /** Who keeps compaction from dropping records. */
  readonly holds: Holds
  /** How far those who follow the log have come. */
  readonly feeds: FeedCheckpoints
  readonly admission: AdmissionDesk
  /** What the operations of leases amount to. */
  readonly leases: LeaseBook
  readonly #aside: Aside
  readonly #dots: DotIndex
  readonly #maintenance: Maintenance
  readonly #resync: Resync
  readonly #options: EngineOptions
  readonly #reader: OperationReader
  readonly #resetListeners = new Set<() => void>()
  readonly #orderedListeners = new Set<() => void>()
  readonly #invalidationListeners = new Set<(invalidation: EnteredInvalidation) => void>()
  readonly #leaseListeners = new Set<(note: EnteredLeaseNote) => void>()
  readonly #asides: AsideRecords
  readonly #tally: Tally
  readonly #garbage: Garbage
  readonly #frontier: Frontier
  readonly #pruning: Pruning
  #isClosed = false
  /** The checkpoint that is being written. */
  #checkpointing: Promise<void> = Promise.resolve()

  /** Opens the log, reads it and finds out who this replica is. Throws what `Log.open` throws. */
  static async open(options: EngineOptions): Promise<Engine> {
    const formats = new Formats(options.format)
    // Until others have been heard, nobody knows what they read.
    if (options.isReplicated) formats.write(FORMAT_LOWEST)
    const table = new ReplicaTable(formats)
    const recovered = new Recovered(options.keyspaces, table)
    const { files, env, observe, recorder, segmentBytes, memory } = options
    const log = await Log.open(
      {
        ...{ files, env, observe, recorder, memory, format: formats.highest, formatWritten: formats.written },
        ...(segmentBytes === undefined ? {} : { segmentBytes }),
      },
      {
        restore: (body, budget) => budget.finish(recovered.restoreSteps(body, budget)),
        record: (record) => recovered.record(record),
      },
    )
    // The segment comes before the first record of a later format.
    formats.onStore = (format) => log.writeFormat(format)
    formats.take(log.formatHeld, 'a log')
    log.writeFormat(formats.stored)
    try {
      return new Engine(options, log, recovered, table)
    } catch (error) {
      await log.close()
      throw error
    }
  }

  private constructor(options: EngineOptions, log: Log, recovered: Recovered, table: ReplicaTable) {
    this.#options = options
    this.log = log
    this.outlet = new Outlet(log)
    this.table = table
    this.floor = recovered.floor
    this.#tally = new Tally(recovered.operationsCount)
    this.holds = new Holds(options.env)
    this.feeds = recovered.feeds
    this.#dots = recovered.dots
    const upkeep = { compact: () => this.compactor.runInPassing(), checkpoint: () => this.checkpoint() }
    this.#maintenance = new Maintenance({ env: options.env, observe: options.observe, log, ...upkeep })
    this.#reader = new OperationReader(table)
    const {
      env,
      clockDriftMsMax,
      files: { home = '' },
    } = options
    const clock = new HybridClock(env, clockDriftMsMax, options.observe)
    clock.observe(recovered.hlc)
    const { name, observe: tell } = options
    this.identity = new ReplicaIdentity({ log, env, table, clock, home, name, observe: tell, recovered })
    this.store = this.#openStore(recovered, clock)
    const { store, identity } = this
    this.#asides = recovered.asides
    this.leases = this.#asides.leases
    this.#aside = this.#openAside()
    this.admission = new AdmissionDesk({
      aside: this.#aside,
      store,
      dots: this.#dots,
      floor: this.floor,
      identity,
      observe: options.observe,
    })
    const { holds, floor, feeds } = this
    const [tally, { observe, isReplicated }] = [this.#tally, options]
    const { checkpoints } = this.#maintenance
    const { asides, forgotten, orphans } = recovered
    this.#garbage = new Garbage({ store, holds, identity, feeds, checkpoints, asides, forgotten, orphans })
    this.#frontier = new Frontier({ floor, applied: store.applied, isReplicated, identity, ended: table.ended })
    this.#pruning = new Pruning({ store, identity, frontier: this.#frontier, observe })
    this.#pruning.onPruned(() => this.#aside.letGo())
    const later = (delayMs: number): void => this.#maintenance.compactIn(delayMs)
    const parts = { store, holds, tally, identity, observe, later, recorder: options.recorder, aside: this.#aside }
    this.compactor = new Compactor({ ...parts, frontier: this.#frontier, garbage: this.#garbage })
    this.#resync = this.#openResync()
    const unreadable = new UnreadableKeys({ log: this.log, keys: store.keys, keyspaces: store.keyspaces, table })
    for (const slot of store.keys.occupied()) {
      this.compactor.look(slot)
      unreadable.look(slot)
    }
    // Told when whoever opens has the engine.
    env.defer(() => {
      for (const event of unreadable.events()) observe(event)
    })
    this.store.subscribe((entered) => this.#entered(entered))
    identity.settle()
    this.#resync.resume()
    this.#pruning.sweep()
  }

  get operationsCount(): number {
    return this.#tally.operationsCount
  }

  get replica(): ReplicaId {
    return this.identity.replica
  }

  get retired(): RetiredIds {
    return this.identity.retired
  }

  get ended(): EndedIds {
    return this.table.ended
  }

  get departures(): Departures {
    return this.identity.departures
  }

  leave(): Dot {
    return this.#aside.write(OPERATION_KIND.leave, new Uint8Array(0))
  }

  endIds(ends: VectorEntries): void {
    this.#aside.write(OPERATION_KIND.end, endPayload(ends, this.table))
  }

  away(ms: number): Dot {
    return this.#aside.write(OPERATION_KIND.away, awayPayload(ms))
  }

  evict(replicas: readonly ReplicaId[]): Dot {
    return this.#aside.write(OPERATION_KIND.evict, evictPayload(replicas, this.table))
  }

  get hasMetOthers(): boolean {
    return this.identity.hasMetOthers
  }

  get applied(): VersionVector {
    return this.store.applied
  }

  orderedThrough(replica: ReplicaId): number {
    return this.identity.writers.orderedThrough(replica)
  }

  onOrdered(listener: () => void): void {
    this.#orderedListeners.add(listener)
  }

  get end(): Position {
    return this.log.end
  }

  get sendable(): Position {
    return this.outlet.through
  }

  get persistent(): boolean {
    return this.log.persistent
  }

  settled(level: 'logged' | 'durable'): Promise<void> {
    return this.log.settled(level)
  }

  get needsSnapshot(): boolean {
    return this.#resync.isHalfDone
  }

  get compacts(): boolean {
    if (this.ended.size > 0 || this.departures.left().next().done !== true) return true
    return this.store.keyspaces.list.some(({ retain, domain }) => retain !== 'all' && domain.isSent)
  }

  get firstSaw(): VersionVector | undefined {
    const { replica } = this
    if (this.applied.get(replica) === 0) return this.applied
    const isFound = findOperation(this.log, this.#dots, { replica, sequence: 1 }, this.#reader)
    return isFound ? this.ended.normalised(VersionVector.from(this.#reader.dependencies())) : undefined
  }

  admit(bytes: Uint8Array, start: number, end: number): Admission {
    // What a half installed snapshot already contains must not be applied on top of it.
    if (this.#resync.isHalfDone) return 'early'
    return this.admission.admit(bytes, start, end)
  }

  admitAll(envelopes: readonly Uint8Array[]): Admission {
    return this.#resync.isHalfDone ? 'early' : this.admission.admitAll(envelopes)
  }

  scanOperations(from: Position, visit: (operation: OperationReader) => boolean, meter?: Meter): Position {
    const { writers } = this.identity
    const visitShared = (operation: OperationReader): boolean => {
      // What was issued again under another name is in the log, and void.
      const isShared = writers.isSent(operation.replica) && this.applied.includes(operation.replica, operation.sequence)
      return !isShared || visit(operation)
    }
    return scanOperations(this.log, { from, to: this.sendable, meter }, this.#reader, visitShared)
  }

  positionAfter(replica: ReplicaId, sequence: number): Position {
    return this.#dots.before(replica, sequence)
  }

  ownDotSeenElsewhere(): void {
    this.identity.takeNew()
  }

  retire(ends: VectorEntries): void {
    this.identity.retire(ends)
  }

  metOthers(): void {
    this.identity.metOthers()
  }

  /** No shared operation stamped before this moment, ms, is still to come; `Infinity` where no other replica writes. */
  get settledMs(): number {
    return this.#frontier.stableMs(DOMAINS.shared)
  }

  stabilise(stable: VersionVector, away: readonly Away[] = []): void {
    this.#frontier.stabilise(stable, away)
    this.#pruning.stabilise(stable)
    this.#maintenance.noteFoldable(this.compactor.waitingCount)
  }

  exportSnapshot(chunkBytes: number, holder = 'a snapshot for a peer'): SnapshotExport {
    const { floor, retired, ended, identity } = this
    const { reissued } = identity
    const isAsideNeeded = (operation: OperationReader): boolean => this.#asides.isNeeded(operation, this.store)
    this.#maintenance.noteSent(this.compactor.waitingCount)
    const parts = { floor, retired, ended, reissued, chunkBytes, isAsideNeeded }
    return new StateExport(this.store, { ...parts, hold: this.holds.take(holder) })
  }

  beginSnapshot(vector: VersionVector, mustHold?: VersionVector): SnapshotImport {
    return this.#resync.begin(vector, mustHold)
  }

  onPruned(listener: () => void): void {
    this.#pruning.onPruned(listener)
  }

  /** Told when the state has been replaced otherwise than by operations. */
  onReset(listener: () => void): () => void {
    this.#resetListeners.add(listener)
    return () => this.#resetListeners.delete(listener)
  }

  /** What is done to keys otherwise than by operations. */
  readonly whole: {
    readonly forget: (slot: Slot, written: Forgotten) => void
    readonly replaced: (slot: Slot) => void
    readonly reset: () => void
  } = {
    forget: (slot, written) => {
      this.store.removeKey(slot)
      this.#garbage.note(written)
    },
    replaced: (slot) => this.compactor.look(slot),
    reset: () => this.#replaced(),
  }

  compact(signal?: AbortSignal): Promise<Compaction> {
    return this.compactor.run(signal)
  }

  /** One behind the other: each is of one moment. */
  checkpoint(): Promise<void> {
    const written = this.#checkpointing.then(() => this.#writeCheckpoint())
    this.#checkpointing = written.catch(() => undefined)
    return written
  }

  async #writeCheckpoint(): Promise<void> {
    if (!this.log.persistent) return
    const { recorder } = this.#options
    const write = (): Promise<void> => this.#saveIndex()
    await (recorder === undefined ? write() : recorder.span(INSTRUMENTS.checkpoint, write))
  }

  async #saveIndex(): Promise<void> {
    const written = this.#maintenance.beginCheckpoint()
    const body = this.#encodeCheckpoint()
    // Where the log refuses to write it, nobody waits for it.
    ignoreOutcome(body)
    await this.log.writeCheckpoint(body)
    written()
  }

  /**
   * Writes a checkpoint, flushes and lets go of the log. Rejects if something that was written is
   * not stored.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.store.refuseCalls()
    await this.store.waiting.all()
    this.#maintenance.close()
    this.holds.take('closing')
    this.store.close()
    try {
      if (this.#maintenance.isCheckpointDue) await this.checkpoint()
    } catch (error) {
      // Whether everything is stored is for the log to say. Without a checkpoint opening takes
      // longer.
      this.#options.observe({ kind: 'maintenance:failed', error: asError(error) })
    } finally {
      await this.log.close()
    }
  }

  #openStore({ keys, applied }: Recovered, clock: HybridClock): KeyStore {
    const { env, keyspaces, cache, observe, recorder } = this.#options
    const { log, floor, table, identity, holds } = this
    const { writers } = identity
    const parts = { log, keys, applied, floor, env, clock, table, keyspaces, cache, observe, writers, holds, recorder }
    return new KeyStore(parts)
  }

  #replaced(): void {
    this.store.expirations.restart()
    for (const listener of this.#resetListeners) listener()
  }

  #openResync(): Resync {
    const { store, floor, holds, compactor, admission, outlet, identity } = this
    const { observe } = this.#options
    const onReplaced = (): void => this.#replaced()
    const [tally, garbage] = [this.#tally, this.#garbage]
    const pruning = this.#pruning
    const parts = {
      store,
      floor,
      dots: this.#dots,
      holds,
      tally,
      garbage,
      compactor,
      admission,
      outlet,
      identity,
      observe,
      pruning,
      leases: this.leases,
    }
    return new Resync({ ...parts, onReplaced })
  }

  /**
   * Says that copies of what a source holds are out of date: here at once, and wherever the operation
   * arrives. Throws what appending throws.
   */
  invalidate(invalidation: Invalidation): Dot {
    return this.#aside.write(OPERATION_KIND.invalidate, invalidationPayload(invalidation), invalidation.target)
  }

  /** Whether every replica has an operation of that domain. */
  isStable(domain: Domain, dot: Dot): boolean {
    return this.#frontier.stableIn(domain)?.(dot) ?? true
  }

  /** All of a key is in its primary store: it may leave the log once everybody has it. */
  noteStored(slot: Slot): void {
    this.#maintenance.noteFoldable(this.compactor.noteStored(slot))
  }

  /** Told of every invalidation that enters, from here or elsewhere. Must not throw. */
  onInvalidated(listener: (invalidation: EnteredInvalidation) => void): void {
    this.#invalidationListeners.add(listener)
  }

  /** Says something of a lease, as `invalidate` does of copies. Throws what appending throws. */
  writeLease(note: LeaseNote): Dot {
    return this.#aside.writeLease(note)
  }

  /** Told of everything that enters and says something new of a lease. Must not throw. */
  onLease(listener: (note: EnteredLeaseNote) => void): void {
    this.#leaseListeners.add(listener)
  }

  #openAside(): Aside {
    const { store, identity } = this
    const { applied, table } = store
    this.leases.settle(({ replica, sequence }) => {
      return applied.includes(replica, sequence) || table.ended.includes(replica, sequence)
    })
    return new Aside({
      ...{ store, identity, dots: this.#dots, records: this.#asides },
      onInvalidated: (invalidation) => {
        for (const listener of this.#invalidationListeners) listener(invalidation)
        this.#enteredAside()
      },
      onLease: (note) => {
        for (const listener of this.#leaseListeners) listener(note)
        this.#enteredAside()
      },
      isBehindCheckpoints: (position) => position >= this.#maintenance.checkpoints.oldest,
    })
  }

  /** It belongs to no key, and goes when everybody has it. */
  #enteredAside(): void {
    this.compactor.noteInvalidation()
    this.#maintenance.noteFoldable(this.compactor.notedCount, this.store.keys.size)
    this.#maintenance.noteRecord()
  }

  #entered(entered: Entered): void {
    const { store } = this
    this.#tally.add()
    if (this.identity.writers.isSent(entered.replica)) {
      this.#dots.note(entered.replica, entered.sequence, entered.position)
      this.#frontier.note(entered)
    } else if (entered.keyspace.domain.kind === 'ordered') for (const listener of this.#orderedListeners) listener()
    if (this.compactor.note(entered.slot, entered.keyspace))
      this.#maintenance.noteFoldable(this.compactor.notedCount, store.keys.size)
    this.#maintenance.noteRecord()
  }

  /** Of this moment, in steps. */
  #encodeCheckpoint(): Promise<Uint8Array> {
    const { keys } = this.store
    const source = {
      format: this.log.formatHeld,
      keys,
      dots: this.#dots,
      operationsCount: this.operationsCount,
      metaPosition: this.identity.metaPosition,
      forgotten: this.#garbage.forgotten,
      feeds: this.feeds,
      leases: this.leases,
    }
    const budget = new Budget(this.#options.env)
    return budget.finish(new CheckpointBody(source, this.identity.meta(), this.table).steps(budget))
  }
}
