/**
 * The way in for foreign operations: offers them to the store one by one, keeps those that came too
 * early until their causes have been applied, and says what the store refused. Duplicates end here:
 * dots name operations, keys do not.
 *
 * The operations of a transaction are offered together, when all of them are here.
 *
 * Works in budgets: `offer` tries one operation, `drain` as many waiting ones as it is allowed to.
 */
import { asError } from '../../../crdt/warp-error.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { TRANSACTION_KEYS_MAX } from '../../limits.ts'
import { isOfKey } from '../../operation/envelope/kinds.ts'
import { goesOn } from '../../operation/envelope/operation-fields.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import { CAUSES_MAX, CausalBuffer, type BufferedOperation, type CausalBufferLimits } from './causal-buffer.ts'
import type { ReplicationObserver } from '../events.ts'
import type { ReplicationStore } from '../store.ts'
import type { Admission } from '../../store/border.ts'

export interface AdmissionCounts {
  applied: number
  duplicate: number
  early: number
  drift: number
  resync: number
  clone: number
  full: number
  /** The store threw: counted, reported, tried again later. */
  failed: number
}

export interface AdmitterOptions {
  readonly limits: CausalBufferLimits
  readonly observe: ReplicationObserver
}

/** One operation of a replica, or those from the first to the last. */
interface Offered {
  readonly replica: ReplicaId
  readonly first: number
  readonly last: number
}

export class Admitter {
  readonly buffer: CausalBuffer
  readonly counts: AdmissionCounts = {
    applied: 0,
    duplicate: 0,
    early: 0,
    drift: 0,
    resync: 0,
    clone: 0,
    full: 0,
    failed: 0,
  }
  readonly #store: ReplicationStore
  readonly #observe: ReplicationObserver
  readonly #reader: OperationReader
  /** Replicas whose next waiting operation is worth trying. */
  readonly #ready = new Set<ReplicaId>()
  /**
   * What was reported of a replica and has not been cleared since by an operation that was applied.
   */
  readonly #reported = new Map<ReplicaId, Set<Admission>>()

  constructor(store: ReplicationStore, options: AdmitterOptions) {
    this.#store = store
    this.#observe = options.observe
    this.#reader = new OperationReader(store.table)
    this.buffer = new CausalBuffer(options.limits)
  }

  /**
   * Offers `bytes[start, end)`. Returns its writer and sequence. Throws `WARP_E_PROTOCOL` if it is
   * malformed.
   */
  offer(bytes: Uint8Array, start: number, end: number): { readonly replica: ReplicaId; readonly sequence: number } {
    const operation = this.#reader.load(bytes, start, end)
    const { replica, sequence } = operation
    const applied = this.#store.applied.get(replica)
    // Our own id is the store's business, whatever the sequence: it tells a clone.
    const isForeign = replica !== this.#store.replica && !this.#store.ended.isPruned(replica)
    if (isForeign && sequence > applied + 1) {
      this.counts.early++
      this.buffer.add({ replica, sequence }, applied, bytes.subarray(start, end))
      if (this.buffer.isGroupReady(replica)) this.#retryHead(replica)
    } else if (isForeign && sequence === applied + 1 && lastOf(operation) > sequence) {
      this.buffer.add({ replica, sequence }, applied, bytes.subarray(start, end))
      if (this.buffer.group(replica, lastOf(operation)) !== undefined) this.#retryHead(replica)
    } else {
      const admission = this.#admit(operation)
      if (admission === 'early') {
        this.buffer.add({ replica, sequence }, applied, bytes.subarray(start, end))
        this.#park(replica, bytes, start, end)
      }
    }
    return { replica, sequence }
  }

  /**
   * Tries up to `budget` waiting operations. Returns what is left of the budget: 0 means that there
   * may be more.
   */
  drain(budget: number): number {
    let left = budget
    for (const replica of this.#ready) {
      let next = this.buffer.next(replica, this.#store.applied.get(replica))
      while (next !== undefined && left > 0) {
        left -= this.#retry(replica, next)
        next = this.buffer.next(replica, this.#store.applied.get(replica))
      }
      if (next !== undefined) return 0
      this.#ready.delete(replica)
    }
    return Math.max(0, left)
  }

  /**
   * Forgets what has become void since it came, and lets the store judge what waits for something
   * void.
   */
  forgetVoid(): void {
    const { retired } = this.#store
    if (retired.size === 0) return
    for (const replica of [...this.buffer.replicas()]) {
      this.buffer.cut(replica, retired.endOf(replica))
      if (this.buffer.releaseIf(replica, (cause) => cause.sequence > retired.endOf(cause.replica)))
        this.#ready.add(replica)
    }
  }

  /** Whether it has left long since: nobody asks for its operations. */
  isLate(replica: ReplicaId): boolean {
    return this.#store.ended.isPruned(replica)
  }

  /** Ids have been pruned: all of them is here. */
  forgetPruned(): void {
    for (const replica of [...this.buffer.replicas()])
      if (this.#store.ended.isPruned(replica)) this.buffer.cut(replica, 0)
    this.reconsider()
  }

  get isDrained(): boolean {
    return this.#ready.size === 0
  }

  /**
   * The store's vectors have been raised by other means than operations: everything may be worth
   * trying.
   */
  reconsider(): void {
    this.buffer.releaseAll()
    for (const replica of this.buffer.replicas()) this.#ready.add(replica)
  }

  /** What came in between might take the room of what comes next. */
  #retryHead(replica: ReplicaId): void {
    const next = this.buffer.next(replica, this.#store.applied.get(replica))
    if (next !== undefined) this.#retry(replica, next)
  }

  /** Returns how many operations that were. */
  #retry(replica: ReplicaId, { sequence, bytes }: BufferedOperation): number {
    const operation = this.#reader.load(bytes, 0, bytes.length)
    const last = lastOf(operation)
    const all = last > sequence ? this.buffer.group(replica, last) : undefined
    // From now on the buffer waits for the others.
    if (last > sequence && all === undefined) return 1
    if (all !== undefined && this.#areOne(all)) return this.#retryAll(replica, all)
    const admission = this.#admit(this.#reader.load(bytes, 0, bytes.length))
    if (admission === 'early') this.#park(replica, bytes, 0, bytes.length)
    else this.buffer.forget({ replica, sequence })
    return 1
  }

  #retryAll(replica: ReplicaId, all: readonly BufferedOperation[]): number {
    const envelopes = all.map(({ bytes }) => bytes)
    const [first, last] = [all[0] as BufferedOperation, all.at(-1) as BufferedOperation]
    const admission = this.#try({ replica, first: first.sequence, last: last.sequence }, () =>
      this.#store.admitAll(envelopes),
    )
    if (admission === 'early') {
      const lacking = envelopes.find((bytes) => this.#lacks(bytes)) ?? first.bytes
      this.#park(replica, lacking, 0, lacking.length)
    } else this.buffer.forget({ replica, sequence: first.sequence })
    return all.length
  }

  /** Whether what they say of their transaction agrees. If not, nobody knows what it was. */
  #areOne(all: readonly BufferedOperation[]): boolean {
    const operations = all.map(({ bytes }) => {
      const { kind } = this.#reader.load(bytes, 0, bytes.length)
      return { part: this.#reader.part(), isOfKey: isOfKey(kind) }
    })
    return operations.every(({ part, isOfKey: isFit }, i) => {
      const next = operations[i + 1]
      return isFit && part !== undefined && (next === undefined || goesOn(part, next.part))
    })
  }

  #lacks(bytes: Uint8Array): boolean {
    const { applied, ended } = this.#store
    const causes = this.#reader.load(bytes, 0, bytes.length).dependencies()
    return causes.some(([cause, sequence]) => applied.get(cause) < sequence && !ended.isPruned(cause))
  }

  #admit({ replica, sequence, bytes, start, end }: OperationReader): Admission | 'failed' {
    return this.#try({ replica, first: sequence, last: sequence }, () => this.#store.admit(bytes, start, end))
  }

  #try({ replica, first, last }: Offered, admit: () => Admission): Admission | 'failed' {
    let admission: Admission
    try {
      admission = admit()
    } catch (error) {
      this.counts.failed++
      this.#observe({
        kind: 'store:refused',
        replica,
        error: asError(error),
      })
      return 'failed'
    }
    this.counts[admission] += last - first + 1
    if (admission === 'applied') this.#applied(replica, last)
    else if (admission !== 'early' && admission !== 'duplicate') this.#report(replica, first, admission)
    return admission
  }

  #applied(replica: ReplicaId, sequence: number): void {
    if (this.#reported.size > 0) this.#reported.delete(replica)
    if (this.buffer.count === 0) return
    this.#ready.add(replica)
    for (const free of this.buffer.released(replica, sequence)) this.#ready.add(free)
  }

  /**
   * Parks the operation, the head of its replica, under the last of its causes that are missing.
   * Writers name them about in the order in which they came, so the last ones depend on most of the
   * others: when they are here, those are too.
   */
  #park(replica: ReplicaId, bytes: Uint8Array, start: number, end: number): void {
    const { applied, ended } = this.#store
    const causes: Dot[] = []
    let missingCount = 0
    this.#reader.load(bytes, start, end).everyDependency((cause, sequence) => {
      if (applied.get(cause) < sequence && !ended.isPruned(cause))
        causes[missingCount++ % CAUSES_MAX] = { replica: cause, sequence }
      return true
    })
    // The store sees a cause that the operation does not name; any progress of its own writer may
    // help.
    if (causes.length === 0) causes.push({ replica, sequence: applied.get(replica) + 1 })
    this.buffer.park(replica, causes)
  }

  #report(replica: ReplicaId, sequence: number, admission: 'drift' | 'resync' | 'clone' | 'full'): void {
    const reported = this.#reported.get(replica) ?? new Set<Admission>()
    this.#reported.set(replica, reported)
    if (reported.has(admission)) return
    reported.add(admission)
    switch (admission) {
      case 'drift':
        this.#observe({ kind: 'operation:drift', replica, sequence })
        return
      case 'resync':
        this.#observe({ kind: 'resync:required', side: 'peer', replica })
        return
      case 'clone':
        this.#observe({ kind: 'clone:detected', replica })
        return
      case 'full':
        this.#observe({ kind: 'store:refused', replica })
    }
  }
}

/** The number of the last operation of its transaction, as far as it says; its own, if it is of none. */
function lastOf(operation: OperationReader): number {
  const { sequence } = operation
  const part = operation.part()
  if (part === undefined || part.count > TRANSACTION_KEYS_MAX) return sequence
  return sequence + part.count - 1 - part.index
}
