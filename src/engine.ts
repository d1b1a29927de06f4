/**
 * The engine: one log, one key store, and the parts that feed and trim them. It opens the log, knows who this replica is, and is what
 * replication sees as its store. No part knows another one except through here.
 */
import type { ReplicaId } from '../crdt/time/replica-id.ts'
import { VersionVector } from '../crdt/time/version-vector.ts'
import { AdmissionDesk } from './store/border.ts'
import { HybridClock } from './operation/clock.ts'
import { Compactor } from './compaction/compactor.ts'
import { Frontier } from './compaction/frontier.ts'
import { Garbage } from './compaction/garbage.ts'
import { Tally } from './compaction/tally.ts'
import { Holds } from './log/holds.ts'
import type { ReplicaIdentity } from './store/replica-identity.ts'
import type { DotIndex } from './operation/dot-index.ts'
import type { Env } from './ports/env.ts'
import { Lane, newReplicaId } from './store/lane.ts'
import type { Entered } from './store/draft.ts'
import { KeyStore } from './store/key-store.ts'
import type { Keyspaces } from './keys/keyspace.ts'
import { RECORD_KIND, Log } from './log/log.ts'
import type { LogFiles } from './ports/files.ts'
import { Maintenance } from './compaction/maintenance.ts'
import { writeMeta, type Meta } from './store/meta-record.ts'
import { OperationReader } from './operation/operation-reader.ts'
import { ReplicaTable } from './operation/replica-table.ts'
import type { VectorEntries } from './operation/vector-entries.ts'
import { findOperation, scanOperations } from './store/operation-search.ts'
import type { WarpEvent } from './api/public.ts'
import type { Compaction } from './store/event.ts'
import { Outlet } from './store/outlet.ts'
import { encodeCheckpoint, Recovered } from './store/recovered.ts'
import type { ResidencyLimits } from './cache/residency.ts'
import type { ReplicationStore } from './replication/store.ts'
import type { Admission } from './store/admission.ts'
import type { SnapshotExport, SnapshotImport } from './membership/snapshot-ports.ts'
import type { Position } from './operation/position.ts'
import { RetiredIds, type Away } from './operation/retired-ids.ts'
import { Resync } from './membership/resync.ts'
import { StateExport } from './membership/state-export.ts'

export interface EngineOptions {
  readonly files: LogFiles
  readonly env: Env
  readonly keyspaces: Keyspaces
  readonly cache: ResidencyLimits
  readonly clockDriftMsMax: number
  /** Whether other replicas may exist: then only what they have acknowledged is stable. */
  readonly isReplicated: boolean
  /** See `LogOptions`. */
  readonly segmentBytes?: number
  readonly observe: (event: WarpEvent) => void
}

export class Engine implements ReplicationStore, ReplicaIdentity {
  readonly store: KeyStore
  readonly table: ReplicaTable
  readonly log: Log
  readonly outlet: Outlet
  readonly floor: VersionVector
  readonly retired: RetiredIds
  readonly compactor: Compactor
  /** Who keeps compaction from dropping records. */
  readonly holds: Holds
  readonly admission: AdmissionDesk
  hasMetOthers: boolean
  readonly #dots: DotIndex
  readonly #maintenance: Maintenance
  readonly #resync: Resync
  readonly #options: EngineOptions
  readonly #reader: OperationReader
  readonly #resetListeners = new Set<() => void>()
  readonly #tally: Tally
  readonly #garbage: Garbage
  readonly #frontier: Frontier
  #metaPosition: Position
  #isClosed = false

  /** Opens the log, reads it and finds out who this replica is. Throws what `Log.open` throws. */
  static async open(options: EngineOptions): Promise<Engine> {
    const table = new ReplicaTable()
    const recovered = new Recovered(options.keyspaces, table)
    const { files, env, observe, segmentBytes } = options
    const log = await Log.open(
      { files, env, observe, ...(segmentBytes === undefined ? {} : { segmentBytes }) },
      { restore: (body) => recovered.restore(body), record: (record) => recovered.record(record) },
    )
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
    this.retired = recovered.meta?.retired ?? new RetiredIds()
    this.hasMetOthers = recovered.meta?.hasMetOthers === true
    this.#tally = new Tally(recovered.operationsCount)
    this.holds = new Holds(options.env)
    this.#dots = recovered.dots
    const upkeep = { compact: () => this.compact(), checkpoint: () => this.checkpoint() }
    this.#maintenance = new Maintenance({ env: options.env, observe: options.observe, log, ...upkeep })
    this.#metaPosition = recovered.metaPosition
    this.#reader = new OperationReader(table)
    this.store = this.#openStore(recovered)
    this.admission = new AdmissionDesk({
      store: this.store,
      dots: this.#dots,
      floor: this.floor,
      retired: this.retired,
      observe: options.observe,
      onClone: () => this.takeNewIdentity(),
      onVoid: (replica, end) => this.retire([[replica, end]]),
    })
    const { store, holds, floor } = this
    const [tally, { observe, isReplicated }, identity] = [this.#tally, options, this]
    const { checkpoints } = this.#maintenance
    this.#garbage = new Garbage({ store, holds, identity, checkpoints, forgotten: recovered.forgotten })
    this.#frontier = new Frontier({ floor, applied: store.applied, isReplicated, identity })
    const parts = { store, holds, tally, identity, observe }
    this.compactor = new Compactor({ ...parts, frontier: this.#frontier, garbage: this.#garbage })
    this.#resync = this.#openResync(recovered.meta)
    for (const slot of store.keys.occupied()) this.compactor.look(slot)
    this.store.subscribe((entered) => this.#entered(entered))
    this.#settleIdentity(recovered.meta)
  }

  get operationsCount(): number {
    return this.#tally.operationsCount
  }

  get metaPosition(): Position {
    return this.#metaPosition
  }

  get replica(): ReplicaId {
    return this.store.lanes.shared.replica
  }

  get applied(): VersionVector {
    return this.store.applied
  }

  get end(): Position {
    return this.log.end
  }

  get sendable(): Position {
    return this.outlet.through
  }

  get needsSnapshot(): boolean {
    return this.#resync.isHalfDone
  }

  get compacts(): boolean {
    return this.store.keyspaces.list.some(({ retain, mode }) => retain !== 'all' && mode !== 'local')
  }

  get firstSaw(): VersionVector | undefined {
    const { replica } = this
    if (this.applied.get(replica) === 0) return this.applied
    const isFound = findOperation(this.log, this.#dots, { replica, sequence: 1 }, this.#reader)
    return isFound ? VersionVector.from(this.#reader.dependencies()) : undefined
  }

  admit(bytes: Uint8Array, start: number, end: number): Admission {
    // What a half installed snapshot already contains must not be applied on top of it.
    if (this.#resync.isHalfDone) return 'early'
    return this.admission.admit(bytes, start, end)
  }

  scanOperations(from: Position, visit: (operation: OperationReader) => boolean): Position {
    const { local } = this.store.lanes
    return scanOperations(this.log, { from, to: this.sendable }, this.#reader, (operation) => {
      // What was issued again under another name is in the log, and void.
      const isShared =
        operation.replica !== local.replica && this.applied.includes(operation.replica, operation.sequence)
      return !isShared || visit(operation)
    })
  }

  positionAfter(replica: ReplicaId, sequence: number): Position {
    return this.#dots.before(replica, sequence)
  }

  ownDotSeenElsewhere(): void {
    this.takeNewIdentity()
  }

  retire(ends: VectorEntries): void {
    const changed = ends.filter(([replica, end]) => this.retired.retire(replica, end))
    if (changed.some(([replica]) => replica === this.replica)) this.#giveUpIdentity()
    else if (changed.length > 0) this.writeMeta()
  }

  metOthers(): void {
    this.hasMetOthers = true
    this.writeMeta()
  }

  stabilise(stable: VersionVector, away: readonly Away[] = []): void {
    this.#frontier.stabilise(stable, away)
    this.#maintenance.noteFoldable(this.compactor.waitingCount)
  }

  exportSnapshot(chunkBytes: number, holder = 'a snapshot for a peer'): SnapshotExport {
    const { floor, retired } = this
    return new StateExport(this.store, { floor, retired, chunkBytes, hold: this.holds.take(holder) })
  }

  beginSnapshot(vector: VersionVector): SnapshotImport {
    return this.#resync.begin(vector)
  }

  /** Told when the state has been replaced otherwise than by operations. */
  onReset(listener: () => void): () => void {
    this.#resetListeners.add(listener)
    return () => this.#resetListeners.delete(listener)
  }

  /** Writes under a new replica id from now on; the old one stays for ever what it was. */
  takeNewIdentity(): void {
    const { lanes } = this.store
    const from = lanes.shared.replica
    const shared = new Lane(newReplicaId(this.#options.env), this.table)
    // The first operation of the new id depends on everything that the old one had seen, and on the old one itself.
    for (const [replica] of this.store.applied.entries()) shared.noteApplied(replica)
    this.store.lanes = { shared, local: lanes.local }
    this.writeMeta()
    this.#options.observe({ kind: 'identity:changed', from, to: shared.replica })
  }

  compact(signal?: AbortSignal): Promise<Compaction> {
    return this.compactor.run(signal)
  }

  async checkpoint(): Promise<void> {
    const written = this.#maintenance.beginCheckpoint()
    await this.log.writeCheckpoint(this.#encodeCheckpoint())
    written()
  }

  /** Writes a checkpoint, flushes and lets go of the log. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#maintenance.close()
    this.holds.take('closing')
    this.store.close()
    try {
      if (this.#maintenance.isCheckpointDue) await this.checkpoint()
    } finally {
      await this.log.close()
    }
  }

  #openStore(recovered: Recovered): KeyStore {
    const { env, keyspaces, cache, clockDriftMsMax, observe } = this.#options
    const clock = new HybridClock(env, clockDriftMsMax)
    clock.observe(recovered.hlc)
    const { meta, keys, applied } = recovered
    const shared = meta?.shared ?? newReplicaId(env)
    return new KeyStore({
      log: this.log,
      keys,
      applied,
      floor: this.floor,
      env,
      clock,
      table: this.table,
      keyspaces,
      cache,
      observe,
      lanes: {
        shared: new Lane(shared, this.table, applied.get(shared)),
        local: new Lane(meta?.local ?? newReplicaId(env), this.table, recovered.localSequence),
      },
    })
  }

  #openResync(meta: Meta | undefined): Resync {
    const { store, floor, retired, holds, compactor, admission, outlet } = this
    const { observe } = this.#options
    const onReplaced = (): void => {
      for (const listener of this.#resetListeners) listener()
    }
    const [tally, garbage, identity] = [this.#tally, this.#garbage, this]
    const parts = { store, floor, retired, holds, tally, garbage, compactor, admission, outlet, identity, observe }
    return new Resync({ ...parts, onReplaced }, meta)
  }

  /**
   * A new log gets its first meta record. An old one keeps its identity unless dots might be used twice: the folder is a copy or a
   * restored backup, or the machine went down before everything had been flushed.
   */
  #settleIdentity(meta: Meta | undefined): void {
    if (meta === undefined) {
      this.writeMeta()
      this.log.acceptEnd()
      return
    }
    // Whatever was applied before this start is known to the next operation, unless its own predecessor said so already.
    for (const [replica] of this.store.applied.entries()) {
      if (replica !== this.replica) this.store.lanes.shared.noteApplied(replica)
    }
    const isMoved = meta.home !== '' && meta.home !== this.#home
    if (isMoved) {
      // A copy leaves the old names to the original.
      this.#resync.formers.assign(new VersionVector())
      this.takeNewIdentity()
    } else if (this.log.recovery.isEndUncertain) this.#giveUpIdentity()
    this.log.acceptEnd()
    this.#resync.resume()
  }

  /** What was written under the old id is still this replica's own. */
  #giveUpIdentity(): void {
    this.#resync.formers.raise(this.replica, this.applied.get(this.replica))
    this.takeNewIdentity()
  }

  get #home(): string {
    return this.#options.files.home ?? ''
  }

  #meta(): Meta {
    const { lanes, applied, clock } = this.store
    return {
      shared: lanes.shared.replica,
      local: lanes.local.replica,
      localSequence: lanes.local.sequence,
      home: this.#home,
      hlc: clock.last,
      floor: this.floor,
      applied,
      isResyncing: this.#resync.isHalfDone,
      hasMetOthers: this.hasMetOthers,
      formers: this.#resync.formers,
      reissuing: this.#resync.reissuing,
      retired: this.retired,
    }
  }

  /** Appends a meta record; the one before is garbage then. */
  writeMeta(): void {
    writeMeta(this.log.begin(), this.#meta(), this.table)
    if (this.#metaPosition > 0) this.log.discard(this.#metaPosition)
    this.#metaPosition = this.log.commit(RECORD_KIND.meta, 0)
  }

  #entered(entered: Entered): void {
    const { store } = this
    this.#tally.add()
    if (entered.replica !== store.lanes.local.replica)
      this.#dots.note(entered.replica, entered.sequence, entered.position)
    if (this.compactor.note(entered.slot)) this.#maintenance.noteFoldable(this.compactor.notedCount, store.keys.size)
    this.#maintenance.noteRecord()
  }

  #encodeCheckpoint(): Uint8Array {
    const { keys } = this.store
    const source = {
      keys,
      dots: this.#dots,
      operationsCount: this.operationsCount,
      metaPosition: this.#metaPosition,
      forgotten: this.#garbage.forgotten,
    }
    return encodeCheckpoint(source, this.#meta(), this.table)
  }
}
