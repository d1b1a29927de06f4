/**
 * The past of a key, straight from its chain in the log: the audit trail, the value at a moment,
 * and the reasons for the value now. Nothing is kept for it in memory. Cost: the whole retained log
 * of the one key for `getAt` and `explain`.
 */
import { checkOptions } from '../../crdt/checked-options.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { compareStamps, hlcAtEndOfMs, hlcToMs } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Placed } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import { LOG_OPTIONS } from './explanation.ts'
import type { At, Effect, ExplainedOperation, Explanation, LogOptions } from './explanation.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { shared } from '../../crdt/encoding/shared-value.ts'
import { compactedAway, keepOperation } from '../store/kept-operation.ts'

export class History {
  readonly #store: KeyStore

  constructor(store: KeyStore) {
    this.#store = store
  }

  async *log(key: string, options: LogOptions = {}): AsyncGenerator<OperationRecord, void, undefined> {
    checkOptions('log', options, LOG_OPTIONS)
    const { fromVersion = 1, newestFirst = false, signal } = options
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return
    const operations = this.#operations(slot)
    const before = this.#store.keys.version[slot]! - operations.length
    for (let i = 0; i < operations.length; i++) {
      const index = newestFirst ? operations.length - 1 - i : i
      const version = before + index + 1
      if (version < fromVersion) continue
      if (signal?.aborted === true)
        throw new WarpError('WARP_E_ABORTED', 'reading the log was given up', { cause: signal.reason })
      yield keepOperation(this.#store, key, version, (operations[index] as Placed).position)
    }
  }

  getAt(key: string, at: At): unknown {
    const slot = this.#store.keys.find(key)
    if (slot === undefined) {
      if ('version' in at && at.version > 0) throw noSuchVersion(key, at.version, 0)
      return undefined
    }
    const resident = 'version' in at ? this.#atVersion(slot, key, at.version) : this.#atTime(slot, key, at.timeMs)
    return resident?.present === true ? shared(this.#store.strategyAt(slot).read(resident.state)) : undefined
  }

  explain(key: string): Explanation {
    const keyspace = this.#store.keyspaceOf(key)
    const slot = this.#store.keys.find(key)
    const strategy = keyspace.strategy.kind
    if (slot === undefined) return { key, value: undefined, strategy, operations: [] }
    const arrived = this.#operations(slot)
    const before = this.#store.keys.version[slot]! - arrived.length
    const versions = new Map(arrived.map((operation, i) => [operation, before + i + 1]))
    const ordered = [...arrived].sort(compareStamps)
    const effects = this.#effects(slot, ordered)
    const concurrent = this.#concurrency(ordered)
    const operations = ordered.map((operation, i): ExplainedOperation => ({
      operation: keepOperation(this.#store, key, versions.get(operation) as number, operation.position),
      effect: effects[i] as Effect,
      concurrentWith: concurrent[i] as Dot[],
    }))
    const explanation = { key, value: this.#store.values.read(slot), strategy, operations }
    if (before === 0 || this.#store.keys.snapshot[slot] === 0) return explanation
    const base = this.#base(slot)
    return { ...explanation, compacted: { operationsCount: before, version: before, timeMs: hlcToMs(base.hlc) } }
  }

  #operations(slot: Slot): Placed[] {
    return this.#store.folder.chains.operations(this.#store.chain(slot))
  }

  #base(slot: Slot): Resident {
    return this.#store.folder.chains.base(this.#store.strategyAt(slot), this.#store.chain(slot))
  }

  #atVersion(slot: Slot, key: string, version: number): Resident {
    const operations = this.#operations(slot)
    const current = this.#store.keys.version[slot]!
    const count = version - (current - operations.length)
    if (!Number.isInteger(version) || version < 0 || version > current) throw noSuchVersion(key, version, current)
    if (count < 0) throw compactedAway(key)
    return this.#foldOf(slot, operations.slice(0, count))
  }

  #atTime(slot: Slot, key: string, timeMs: number): Resident | undefined {
    if (!Number.isFinite(timeMs))
      throw new WarpError('WARP_E_CONFIG', `timeMs is ${timeMs}; give milliseconds since 1970`)
    const end = hlcAtEndOfMs(timeMs)
    if (this.#store.keys.snapshot[slot]! > 0 && this.#base(slot).hlc > end) throw compactedAway(key)
    const resident = this.#foldOf(
      slot,
      this.#operations(slot).filter(({ hlc }) => hlc <= end),
    )
    const lifeMs = resident.lifeMs || this.#store.keyspaceFor(key, slot).lifeMs
    const isExpired = lifeMs > 0 && resident.hasTip && hlcToMs(resident.hlc) + lifeMs <= timeMs
    return isExpired ? undefined : resident
  }

  #foldOf(slot: Slot, operations: readonly Placed[]): Resident {
    return this.#store.folder.whole.foldOf(this.#store.strategyAt(slot), this.#store.chain(slot), operations)
  }

  /** What became of each operation, given in canonical order. */
  #effects(slot: Slot, ordered: readonly Placed[]): Effect[] {
    const strategy = this.#store.strategyAt(slot)
    const last = ordered.at(-1)
    if (strategy.fold === 'last') return ordered.map((operation) => (operation === last ? 'won' : 'superseded'))
    const birth = Math.max(0, this.#store.folder.whole.birth(strategy, this.#store.chain(slot), ordered))
    const alive = ordered.slice(birth)
    const cancelled = this.#store.folder.whole.cancelled(strategy, alive)
    const lastClearing =
      strategy.deletes === 'ordered' ? ordered.findLastIndex(({ kind }) => kind === OPERATION_KIND.delete) : -1
    const rejected = this.#store.folder.whole.rejected(strategy, this.#store.chain(slot), alive, cancelled)
    return ordered.map((operation, i) => {
      if (i < birth) return 'expired'
      if (cancelled.get(operation) === 'cancelled' || i < lastClearing) return 'cancelled'
      return rejected.has(operation) ? 'rejected' : 'merged'
    })
  }

  /** For each operation those that neither it observed nor that observed it. */
  #concurrency(ordered: readonly Placed[]): Dot[][] {
    const byReplica = new Map<ReplicaId, Placed[]>()
    for (const operation of ordered) {
      const own = byReplica.get(operation.replica)
      if (own === undefined) byReplica.set(operation.replica, [operation])
      else own.push(operation)
    }
    return ordered.map((operation) => {
      const dots: Dot[] = []
      for (const [replica, others] of byReplica) {
        if (replica === operation.replica) continue
        // One replica's operations are: observed by this one, concurrent with it, having observed
        // it; in this order.
        const from = firstIndex(others, (other) => !this.#observes(operation, other))
        const to = firstIndex(others, (other) => this.#observes(other, operation))
        for (const other of others.slice(from, to)) dots.push({ replica, sequence: other.sequence })
      }
      return dots
    })
  }

  #observes(later: Placed, earlier: Placed): boolean {
    return this.#store.folder.chains.read(later.position).observed(earlier.replica, earlier.sequence)
  }
}

/** The first index from which on `holds` is true; it must not become false again. */
function firstIndex(operations: readonly Placed[], holds: (operation: Placed) => boolean): number {
  let low = 0
  let high = operations.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(operations[middle] as Placed)) high = middle
    else low = middle + 1
  }
  return low
}

function noSuchVersion(key: string, version: number, current: number): WarpError {
  return new WarpError(
    'WARP_E_HISTORY',
    `'${key}' has no version ${version}; versions count from 1, the newest is ${current}`,
    {
      details: { key, version, current },
    },
  )
}
