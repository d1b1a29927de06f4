/**
 * Operations that came before their causes wait here, named by dot, until the causes have been
 * applied.
 *
 * Only the next operation of a replica can ever be admissible, because each replica's operations
 * are applied in sequence. So the buffer keeps one run of operations per replica, sorted by
 * sequence, and looks at its head alone: a head is tried when its predecessor has been applied, and
 * when it turns out to lack operations of other replicas, it is parked under those replicas and tried
 * again when all of them have got there. An operation is therefore tried once per `CAUSES_MAX` causes
 * that it lacked, neither once per arrival nor once per cause: what was written behind some hundred
 * short-lived replicas names them all. O(1) to insert at the end of a run and the distance from it
 * elsewhere, O(replicas) to release, no rescans.
 *
 * The operations of a transaction come out together: while a run begins with one of which not all is
 * here, its head is not tried.
 *
 * Bounded by count and bytes. When over the bound, the operation that is farthest ahead of what has
 * been applied goes, or of the transaction with which its run begins: it is the last one that could be
 * used, and anti-entropy fetches it again. Where there is nothing but such beginnings, one is drawn:
 * two that come in turn would take each other's place for ever by any rule. The last one stays, so
 * each transaction gets in, however little is to wait here.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { TRANSACTION_WAITING_BYTES_MAX } from '../../limits.ts'

/** Gone operations at the start of a run before its array is cut. */
const HEAD_MAX = 1024
/** Causes under which a head is parked at a time, so that memory is bounded however many there are. */
export const CAUSES_MAX = 64

export interface BufferedOperation {
  readonly sequence: number
  readonly bytes: Uint8Array
}

export interface CausalBufferLimits {
  readonly operationsMax: number
  readonly bytesMax: number
}

interface Run {
  readonly replica: ReplicaId
  /** Ascending by sequence; those before `head` are gone. */
  operations: BufferedOperation[]
  head: number
  /** How far the replica had been applied when it was last looked at. */
  applied: number
  /** The last operation of the transaction that the head is the next part of; 0 if it is of none. */
  through: number
  bytes: number
  /** Parked under these: which replica must reach which sequence. Empty: not parked. */
  readonly waiting: Map<ReplicaId, number>
}

/** A closed range of sequences. */
export interface SequenceGap {
  readonly from: number
  readonly to: number
}

export class CausalBuffer {
  readonly #runs = new Map<ReplicaId, Run>()
  readonly #parked = new Map<ReplicaId, Set<Run>>()
  readonly #limits: CausalBufferLimits
  #count = 0
  #bytes = 0
  #droppedCount = 0
  #drawn = 1

  constructor(limits: CausalBufferLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#count
  }

  get bytesCount(): number {
    return this.#bytes
  }

  /** Operations that were dropped because of the bound. */
  get droppedCount(): number {
    return this.#droppedCount
  }

  /** How many operations of `replica` after `applied` are here. */
  countOf(replica: ReplicaId, applied: number): number {
    const run = this.#runs.get(replica)
    return run === undefined ? 0 : run.operations.length - lowerBound(run, applied + 1)
  }

  replicas(): IterableIterator<ReplicaId> {
    return this.#runs.keys()
  }

  /**
   * Keeps a copy of the operation, unless its dot is here already. `applied`: how far its replica
   * has been applied.
   */
  add(dot: Dot, applied: number, bytes: Uint8Array): void {
    const run = this.#run(dot.replica)
    run.applied = applied
    const at = lowerBound(run, dot.sequence)
    if (run.operations[at]?.sequence === dot.sequence) return
    run.operations.splice(at, 0, { sequence: dot.sequence, bytes: bytes.slice() })
    run.bytes += bytes.length
    this.#count++
    this.#bytes += bytes.length
    while (this.#isOver && this.#dropOne());
  }

  get #isOver(): boolean {
    return this.#count > this.#limits.operationsMax || this.#bytes > this.#limits.bytesMax
  }

  /**
   * The operations of `replica` from its head on up to `through`, the last one of the transaction of
   * which the head is the next part. `undefined` if not all are here: until then `next` does not give it.
   */
  group(replica: ReplicaId, through: number): readonly BufferedOperation[] | undefined {
    const run = this.#runs.get(replica)
    if (run === undefined) return undefined
    run.through = through
    return isWhole(run) ? run.operations.slice(run.head, indexIn(run, through) + 1) : undefined
  }

  /** Whether the transaction with which the run of `replica` begins has come as a whole, and does not wait for causes. */
  isGroupReady(replica: ReplicaId): boolean {
    const run = this.#runs.get(replica)
    return run !== undefined && run.through > run.applied && run.waiting.size === 0 && isWhole(run)
  }

  /**
   * The operation of `replica` right after `applied`, if it is here and not parked. Forgets what
   * has been applied.
   */
  next(replica: ReplicaId, applied: number): BufferedOperation | undefined {
    const run = this.#runs.get(replica)
    if (run === undefined) return undefined
    run.applied = applied
    while ((run.operations[run.head]?.sequence ?? Infinity) <= applied) this.#removeHead(run)
    if (run.waiting.size > 0) return undefined
    const head = run.operations[run.head]
    if (head?.sequence !== applied + 1) return undefined
    return run.through > applied && !isWhole(run) ? undefined : head
  }

  /** Forgets the head of `replica` if it has that sequence: the store does not want it now. */
  forget(dot: Dot): void {
    const run = this.#runs.get(dot.replica)
    if (run?.operations[run.head]?.sequence === dot.sequence) this.#removeHead(run)
  }

  /**
   * The head of `replica` lacks these operations, at most `CAUSES_MAX`: it is not tried again before
   * `released` tells of it.
   */
  park(replica: ReplicaId, causes: Iterable<Dot>): void {
    const run = this.#runs.get(replica)
    if (run === undefined) return
    for (const cause of causes) {
      run.waiting.set(cause.replica, cause.sequence)
      const parked = this.#parked.get(cause.replica)
      if (parked === undefined) this.#parked.set(cause.replica, new Set([run]))
      else parked.add(run)
    }
  }

  /**
   * `replica` has been applied up to `applied`: the replicas whose heads are worth trying because
   * of it.
   */
  released(replica: ReplicaId, applied: number): ReplicaId[] {
    const parked = this.#parked.get(replica)
    if (parked === undefined) return []
    const free: ReplicaId[] = []
    for (const run of parked) {
      if ((run.waiting.get(replica) ?? 0) > applied) continue
      run.waiting.delete(replica)
      parked.delete(run)
      if (run.waiting.size === 0) free.push(run.replica)
    }
    if (parked.size === 0) this.#parked.delete(replica)
    return free
  }

  /** Unparks the head of `replica` if it waits for such a cause. Returns whether it did. */
  releaseIf(replica: ReplicaId, isSuch: (cause: Dot) => boolean): boolean {
    const run = this.#runs.get(replica)
    if (run === undefined) return false
    for (const [by, sequence] of run.waiting) {
      if (!isSuch({ replica: by, sequence })) continue
      this.#unpark(run)
      return true
    }
    return false
  }

  /** Every head is worth trying, whatever it waited for. */
  releaseAll(): void {
    this.#parked.clear()
    for (const run of this.#runs.values()) run.waiting.clear()
  }

  /** Which of the operations after `applied` up to `to` are not here, at most `countMax` gaps. */
  gaps(replica: ReplicaId, range: { readonly applied: number; readonly to: number }, countMax: number): SequenceGap[] {
    const gaps: SequenceGap[] = []
    const run = this.#runs.get(replica)
    const operations = run?.operations ?? []
    let from = range.applied + 1
    for (let i = run === undefined ? 0 : lowerBound(run, from); i < operations.length && gaps.length < countMax; i++) {
      const { sequence } = operations[i] as BufferedOperation // the index is inside the array
      if (sequence > range.to) break
      if (sequence > from) gaps.push({ from, to: sequence - 1 })
      from = sequence + 1
    }
    if (from <= range.to && gaps.length < countMax) gaps.push({ from, to: range.to })
    return gaps
  }

  /** Forgets the operations of `replica` beyond `end`. */
  cut(replica: ReplicaId, end: number): void {
    const run = this.#runs.get(replica)
    while (run !== undefined && (run.operations.at(-1)?.sequence ?? 0) > end && run.head < run.operations.length) {
      this.#removed(run, run.operations.pop() as BufferedOperation)
    }
  }

  clear(): void {
    this.#runs.clear()
    this.#parked.clear()
    this.#count = 0
    this.#bytes = 0
  }

  #run(replica: ReplicaId): Run {
    let run = this.#runs.get(replica)
    if (run === undefined) {
      run = { replica, operations: [], head: 0, applied: 0, through: 0, bytes: 0, waiting: new Map() }
      this.#runs.set(replica, run)
    }
    return run
  }

  /** Returns whether anything could go. */
  #dropOne(): boolean {
    const run = this.#farthest() ?? this.#drawnOne()
    const dropped = run?.operations.pop()
    if (run === undefined || dropped === undefined) return false
    this.#droppedCount++
    this.#removed(run, dropped)
    return true
  }

  #farthest(): Run | undefined {
    let farthest: Run | undefined
    let distance = 0
    for (const run of this.#runs.values()) {
      const last = run.operations[run.operations.length - 1]?.sequence ?? 0
      const ahead = last - Math.max(run.applied, run.through)
      if (ahead <= distance) continue
      farthest = run
      distance = ahead
    }
    return farthest
  }

  /** One of those that are nothing but the beginning of a transaction, unless it is the only one. */
  #drawnOne(): Run | undefined {
    const runs = [...this.#runs.values()]
    this.#drawn = (Math.imul(this.#drawn, 1_103_515_245) + 12_345) >>> 0
    if (runs.length > 1) return runs[(this.#drawn >>> 16) % runs.length]
    return runs.find(({ bytes }) => bytes > TRANSACTION_WAITING_BYTES_MAX)
  }

  #removeHead(run: Run): void {
    const removed = run.operations[run.head++]
    run.through = 0
    // Shifting an array is linear in its length; moving the head and cutting now and then is not.
    if (run.head >= HEAD_MAX && run.head * 2 >= run.operations.length) {
      run.operations = run.operations.slice(run.head)
      run.head = 0
    }
    this.#unpark(run)
    if (removed !== undefined) this.#removed(run, removed)
  }

  #removed(run: Run, operation: BufferedOperation): void {
    this.#count--
    run.bytes -= operation.bytes.length
    this.#bytes -= operation.bytes.length
    if (run.head < run.operations.length) return
    this.#unpark(run)
    this.#runs.delete(run.replica)
  }

  #unpark(run: Run): void {
    for (const replica of run.waiting.keys()) {
      const parked = this.#parked.get(replica)
      parked?.delete(run)
      if (parked?.size === 0) this.#parked.delete(replica)
    }
    run.waiting.clear()
  }
}

/** Each is there once and they are sorted: so where the last one has to lie, all between are there. */
function isWhole(run: Run): boolean {
  return run.operations[indexIn(run, run.through)]?.sequence === run.through
}

/** Where the operation lies if all from the head on are there. */
function indexIn({ operations, head }: Run, sequence: number): number {
  return head + sequence - (operations[head]?.sequence ?? 0)
}

function lowerBound(run: Run, sequence: number): number {
  const { operations } = run
  let low = run.head
  let high = operations.length
  // Operations mostly arrive in order: look at the end first.
  if (high > low && (operations[high - 1] as BufferedOperation).sequence < sequence) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((operations[middle] as BufferedOperation).sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}
