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
 * Bounded by count and bytes. When over the bound, the operation that is farthest ahead of what has
 * been applied goes: it is the last one that could be used, and anti-entropy fetches it again.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'

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
    this.#count++
    this.#bytes += bytes.length
    while (this.#count > this.#limits.operationsMax || this.#bytes > this.#limits.bytesMax) this.#dropFarthest()
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
    return head?.sequence === applied + 1 ? head : undefined
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
      run = { replica, operations: [], head: 0, applied: 0, waiting: new Map() }
      this.#runs.set(replica, run)
    }
    return run
  }

  #dropFarthest(): void {
    let farthest: Run | undefined
    let distance = -Infinity
    for (const run of this.#runs.values()) {
      const ahead = (run.operations[run.operations.length - 1]?.sequence ?? 0) - run.applied
      if (ahead <= distance) continue
      farthest = run
      distance = ahead
    }
    const dropped = farthest?.operations.pop()
    if (farthest === undefined || dropped === undefined) return
    this.#droppedCount++
    this.#removed(farthest, dropped)
  }

  #removeHead(run: Run): void {
    const removed = run.operations[run.head++]
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
