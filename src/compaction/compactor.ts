/**
 * Compaction: folds what is causally stable and not retained into snapshots (`foldable-prefix.ts`), forgets keys that are gone, and has
 * segments rewritten that are mostly garbage (`garbage.ts`). In small steps between which the event loop turns, so that writes never wait
 * for it. What is dropped raises the floor.
 */
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Holds } from '../log/holds.ts'
import { RECORD_KIND } from '../log/log.ts'
import type { Placed } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import { writeSnapshot } from '../merge/snapshot-record.ts'
import { installSnapshot } from '../store/recovered.ts'
import { forgetKey } from '../store/forgotten.ts'
import type { Compaction, EngineEvent } from '../store/event.ts'
import type { Position } from '../operation/position.ts'
import type { ReplicaIdentity } from '../store/replica-identity.ts'
import { foldablePrefix } from './foldable-prefix.ts'
import type { Frontier } from './frontier.ts'
import type { Garbage } from './garbage.ts'
import type { Tally } from './tally.ts'

/** Keys looked at between two turns of the event loop: some 100 µs. */
const KEYS_PER_STEP = 64

export interface CompactorOptions {
  readonly store: KeyStore
  readonly frontier: Frontier
  readonly holds: Holds
  readonly tally: Tally
  readonly garbage: Garbage
  readonly identity: ReplicaIdentity
  readonly observe: (event: EngineEvent) => void
}

export class Compactor {
  /** Operations since the last run began, in keyspaces that do not retain everything. */
  notedCount = 0
  readonly #options: CompactorOptions
  readonly #store: KeyStore
  /** Slots to be looked at. */
  #dirty: Slot[] = []
  #isDirty = new Uint8Array(64)
  /** Operations that need not be retained and were not stable in the last run. */
  #unstableCount = 0
  #droppedCount = 0
  /** Something has been folded away since the last meta record. */
  #isMetaDue = false
  #running: Promise<Compaction> | undefined

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#store = options.store
  }

  /** Operations that may be foldable once they are stable. */
  get waitingCount(): number {
    return this.notedCount + this.#unstableCount
  }

  /** A key has been written. Returns whether something of it may be folded one day. */
  note(slot: Slot): boolean {
    if (this.#store.keyspaceFor('', slot).retain === 'all') return false
    this.notedCount++
    this.#lookAgain(slot)
    return true
  }

  /** The next run is to look at a key, unless everything of it is retained. */
  look(slot: Slot): void {
    if (this.#store.keyspaceFor('', slot).retain !== 'all') this.#lookAgain(slot)
  }

  #lookAgain(slot: Slot): void {
    if (slot >= this.#isDirty.length) {
      const larger = new Uint8Array(Math.max(slot + 1, this.#isDirty.length * 2))
      larger.set(this.#isDirty)
      this.#isDirty = larger
    }
    if (this.#isDirty[slot] === 1) return
    this.#isDirty[slot] = 1
    this.#dirty.push(slot)
  }

  /** One run over everything that is due. A second call joins the first. Does nothing while it is held. */
  run(signal?: AbortSignal): Promise<Compaction> {
    this.#running ??= this.#run(signal).finally(() => (this.#running = undefined))
    return this.#running
  }

  async #run(signal?: AbortSignal): Promise<Compaction> {
    if (this.#options.holds.isWhole) return { droppedOperationsCount: 0, freedBytes: 0 }
    const { log } = this.#store
    const before = log.stats().bytes
    this.#droppedCount = 0
    try {
      await this.#foldKeys(signal)
    } finally {
      // Behind the records that it is about, and stored before anything is rewritten.
      if (this.#isMetaDue) this.#options.identity.writeMeta()
      this.#isMetaDue = false
    }
    await this.#options.garbage.rewriteSegments(signal)
    const compaction = {
      droppedOperationsCount: this.#droppedCount,
      freedBytes: Math.max(0, before - log.stats().bytes),
    }
    if (compaction.droppedOperationsCount > 0) this.#options.observe({ kind: 'compacted', ...compaction })
    return compaction
  }

  async #foldKeys(signal?: AbortSignal): Promise<void> {
    const slots = this.#dirty
    this.#dirty = []
    this.notedCount = 0
    this.#unstableCount = 0
    let done = 0
    try {
      while (done < slots.length && !this.#options.holds.isWhole) {
        this.#look(slots[done] as Slot)
        if (++done % KEYS_PER_STEP === 0) await this.#pause(signal)
      }
    } finally {
      // What was not got to, or failed, is due in the next run.
      for (const slot of slots.slice(done)) {
        this.#isDirty[slot] = 0
        this.#lookAgain(slot)
      }
    }
  }

  #look(slot: Slot): void {
    const { keys } = this.#store
    this.#isDirty[slot] = 0
    if (keys.keys[slot] === undefined) return
    try {
      const dropped = this.#foldKey(slot)
      this.#droppedCount += dropped
      this.#options.tally.drop(dropped)
    } catch (error) {
      // A key that cannot be folded here is left as it is.
      if (!isWarpError(error, 'WARP_E_UNKNOWN_OP')) throw error
    }
  }

  /** Returns how many operations the key's log has lost. */
  #foldKey(slot: Slot): number {
    const store = this.#store
    const keyspace = store.keyspaceFor('', slot)
    if (keyspace.retain === 'all') return 0
    const chain = { ...store.chain(slot) }
    const operations = store.folder.chains.operations(chain)
    const count = this.#foldableCount(keyspace, operations)
    // What could not go yet, and what will have expired by then, is looked at again in the next run.
    if (count < operations.length || keyspace.ttlMs > 0) this.#lookAgain(slot)
    if (operations.length === 0) return this.#forgetExpired(slot, keyspace)
    if (count === 0 || !this.#isWorthwhile(slot, operations, count)) return 0
    const prefix = operations.slice(0, count)
    const resident = store.folder.whole.foldOf(keyspace.strategy, chain, prefix)
    this.#options.frontier.pass(keyspace.domain, prefix)
    if (count === operations.length && !this.#isAlive(slot, keyspace, resident.present)) this.#forget(slot)
    else
      this.#install(slot, keyspace, resident, {
        through: (prefix.at(-1) as Placed).position,
        behindCount: operations.length - count,
      })
    for (const { position } of prefix) store.log.discard(position)
    if (chain.snapshot > 0) store.log.discard(chain.snapshot)
    return count
  }

  #install(
    slot: Slot,
    keyspace: Keyspace,
    resident: Resident,
    cut: { readonly through: Position; readonly behindCount: number },
  ): void {
    const store = this.#store
    this.#isMetaDue = true
    const version = store.keys.version[slot]!
    const snapshot = {
      key: store.keys.keys[slot] as string,
      strategy: keyspace.strategy.code,
      present: resident.present,
      through: cut.through,
      baseVersion: version - cut.behindCount,
      version,
      hlc: resident.hlc,
      replica: resident.replica,
      sequence: resident.sequence,
      vector: resident.vector,
      state: keyspace.strategy.encodeState(resident.state),
    }
    writeSnapshot(store.log.begin(), snapshot, store.table)
    const position = store.log.commit(RECORD_KIND.snapshot, 0)
    store.values.drop(slot)
    installSnapshot(store.keys, slot, snapshot, position)
  }

  #forget(slot: Slot): void {
    this.#isMetaDue = true
    this.#options.garbage.note(forgetKey(this.#store, slot))
  }

  #forgetExpired(slot: Slot, keyspace: Keyspace): number {
    const snapshot = this.#store.keys.snapshot[slot]!
    if (snapshot === 0 || this.#isAlive(slot, keyspace, true)) return 0
    this.#forget(slot)
    this.#store.log.discard(snapshot)
    return 0
  }

  /** Replacing one live operation by a snapshot of it would gain nothing. */
  #isWorthwhile(slot: Slot, operations: readonly Placed[], count: number): boolean {
    return (
      count > 1 ||
      operations.length > 1 ||
      this.#store.keys.snapshot[slot]! > 0 ||
      this.#store.values.read(slot) === undefined
    )
  }

  /**
   * An expired key is forgotten only if its greatest operation is all there is to it. Others keep a snapshot: a replica whose clock is
   * behind could still write into the life that is over here (see merge/lives.ts), and would have to find it.
   */
  #isAlive(slot: Slot, keyspace: Keyspace, isPresent: boolean): boolean {
    if (!isPresent) return false
    return (
      keyspace.ttlMs === 0 ||
      keyspace.isSliding ||
      !keyspace.isLast ||
      this.#store.values.expiresAt(slot, keyspace) > this.#store.env.now()
    )
  }

  #foldableCount(keyspace: Keyspace, operations: readonly Placed[]): number {
    const { env, folder } = this.#store
    const stable = this.#options.frontier.stableIn(keyspace.domain)
    const { count, unstableCount } = foldablePrefix(operations, keyspace, { env, chains: folder.chains, stable })
    this.#unstableCount += unstableCount
    return count
  }

  async #pause(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true)
      throw new WarpError('WARP_E_ABORTED', 'compaction was given up; what it had done stays done', {
        cause: signal.reason,
      })
    await this.#store.env.yield()
  }
}
