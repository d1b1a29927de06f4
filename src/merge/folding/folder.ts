/**
 * The fold: from a key's chain in the log to its state. Lazy: it walks from the head back to what
 * has been folded and applies the difference, so that a burst of operations, late ones too, costs
 * one fold at the next read.
 *
 * What it guarantees: the state is a pure function of the set of operations, whatever order they
 * arrived in. For `'any'` folds because concurrent operations commute and the chain is in causal
 * order; for `'canonical'` ones because late operations rewind the timeline; and where an operation
 * cancels others without having seen everything, because the key is folded again from its
 * operations, leaving out what is cancelled (`whole-fold.ts`).
 */
import { compareStamps, type Hlc } from '../../../crdt/time/hlc.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { RECORD_KIND, type Log } from '../../log/log.ts'
import type { Meter } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { FirstNames } from '../../operation/names/first-names.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Position } from '../../operation/position.ts'
import { Application, UndeclaredFailure, type Rejection } from './application.ts'
import { isCanceller } from './cancellation.ts'
import { writtenByOther } from '../cannot-fold.ts'
import type { Chain } from '../chain.ts'
import { ALL, ChainReader, type Extent } from './chain-reader.ts'
import { isOver } from '../lives.ts'
import { isByOther } from './owner.ts'
import type { Placed } from '../placed.ts'
import { settled, type Resident } from '../resident.ts'
import { Timeline } from './timeline.ts'
import { WholeFold } from './whole-fold.ts'

/**
 * To read an operation and apply it costs more than to look at one, most of all where the order of a
 * list is kept: up to 20 µs (`npm run bench -- holds`).
 */
const OPERATIONS_PER_FOLDED = 2

/** A key to be folded. */
export interface Folding {
  readonly strategy: AnyStrategy
  readonly chain: Chain
  /** What has been folded of it. */
  readonly resident: Resident | undefined
}

interface Pending {
  /** Newest first. */
  readonly pending: readonly Position[]
  /** How many operations may be replayed for them. */
  readonly within: Extent
}

export class Folder {
  /** The same operations, unfolded. */
  readonly chains: ChainReader
  /** The same state, from chosen operations. */
  readonly whole: WholeFold
  readonly #application: Application
  /** Of the key that is being folded. */
  #lifeMs = 0

  /**
   * `onRejected` is told once of each operation that is skipped, as far as the last few thousand
   * are remembered.
   */
  constructor(
    log: Log,
    table: ReplicaTable,
    onRejected: (rejection: Rejection) => void,
    reported: Set<Position> = new Set(),
  ) {
    this.chains = new ChainReader(log, table)
    this.#application = new Application(this.chains, onRejected, reported)
    this.whole = new WholeFold(this.chains, this.#application)
  }

  /**
   * Brings `resident` (or nothing) up to the chain's head. Throws `WARP_E_UNKNOWN_OP` if the chain
   * holds what cannot be folded.
   */
  fold(strategy: AnyStrategy, chain: Chain, resident: Resident | undefined): Resident {
    return this.foldWithin(ALL, { strategy, chain, resident }) as Resident
  }

  /**
   * The same if no more than `within` says has to be looked at; otherwise `undefined`, and
   * `resident` is as it was or, if the key has to be folded anew, of no use any more.
   */
  foldWithin(within: Extent, { strategy, chain, resident }: Folding): Resident | undefined {
    if (resident !== undefined && resident.folded === chain.head) return resident
    if (resident === undefined && this.#isBaseBeyond(within, chain)) return undefined
    const start = resident ?? this.chains.base(strategy, chain)
    const pending = this.chains.positionsAfter(chain.head, start.folded, within)
    if (pending === undefined) return undefined
    this.#lifeMs = chain.lifeMs ?? 0
    const folded = start.isSpoilt ? undefined : this.#tryPending(strategy, start, { pending, within })
    if (folded !== undefined) return settled(strategy, folded)
    start.isSpoilt = true
    return this.#foldAnewWithin(within, strategy, chain)
  }

  /**
   * The same in steps. In each pause `resident` is a state of the key, and others may bring it on;
   * then, and if it comes to be out of use, this returns early, with what there is by then.
   */
  *foldSteps({ strategy, chain, resident }: Folding, meter: Meter): Generator<void, Resident> {
    const start = resident ?? (yield* this.chains.baseSteps(strategy, chain, meter))
    if (start.isSpoilt) return yield* this.wholeSteps(strategy, chain, meter)
    const pending = yield* this.chains.positionsSteps(chain, { after: start.folded }, meter)
    const { operation: reader } = this.chains
    for (let i = pending.length - 1; i >= 0; i--) {
      const position = pending[i] as Position
      if (start.isSpoilt || start.folded >= position) return start
      this.#lifeMs = chain.lifeMs ?? 0
      const isLate = strategy.fold === 'canonical' && !start.isBehind(this.chains.read(position))
      const within = { operations: 1, bytes: Infinity }
      if (isLate || this.#tryPending(strategy, start, { pending: [position], within }) === undefined) {
        start.isSpoilt = true
        return yield* this.wholeSteps(strategy, chain, meter)
      }
      settled(strategy, start)
      meter.spend(OPERATIONS_PER_FOLDED, reader.end - reader.start)
      if (meter.isSpent) yield
    }
    return start
  }

  /**
   * The state at the chain's head from all its operations, in steps. `chain` must not be a view
   * that moves meanwhile.
   */
  *wholeSteps(strategy: AnyStrategy, chain: Chain, meter: Meter): Generator<void, Resident> {
    const operations = yield* this.chains.operationsSteps(chain, meter)
    return yield* this.whole.foldSteps({ strategy, chain, operations }, meter)
  }

  /**
   * The value of a fold `'last'`: what the operation at `tip`, or the snapshot in its place, makes
   * by itself. `undefined` if that is a touch: then the key has to be folded.
   */
  foldTip(strategy: AnyStrategy, chain: Chain, tip: Position): { value: unknown; bytes: number } | undefined {
    const record = this.chains.record(tip)
    if (record.kind === RECORD_KIND.snapshot) {
      const bytes = record.end - record.start
      const { state, present, strategy: written } = this.chains.snapshot(record)
      if (present && written !== strategy.code) throw writtenByOther(strategy, written)
      return { value: present ? strategy.read(strategy.decodeState(state)) : undefined, bytes }
    }
    const reader = this.chains.load(record)
    // One that was issued again may have its place before others.
    if (reader.kind === OPERATION_KIND.touch || reader.origin() !== undefined) return undefined
    if (reader.kind === OPERATION_KIND.delete) return { value: undefined, bytes: 0 }
    this.#application.assertFoldable(strategy, reader)
    const bytes = reader.end - reader.payloadStart
    try {
      return { value: this.#application.valueAlone(strategy), bytes }
    } catch (error) {
      // It has no effect, so the greatest of the others counts.
      if (isWarpError(error)) this.#application.reject(tip, error)
      const resident = this.#foldAnew(strategy, chain)
      return { value: resident.present ? strategy.read(resident.state) : undefined, bytes: resident.bytes }
    }
  }

  /** Also `undefined` if the strategy fails, perhaps over what somebody has made of the state. */
  #tryPending(strategy: AnyStrategy, start: Resident, pending: Pending): Resident | undefined {
    try {
      return this.#foldPending(strategy, start, pending)
    } catch (error) {
      if (error instanceof UndeclaredFailure) return undefined
      throw error
    }
  }

  /**
   * Applies the operations behind what `resident` holds, newest first. `undefined` if all have to
   * be folded anew.
   */
  #foldPending(strategy: AnyStrategy, resident: Resident, { pending, within }: Pending): Resident | undefined {
    if (resident.repeats !== undefined) return undefined
    switch (strategy.fold) {
      case 'last':
        return this.#foldLast(strategy, resident, pending)
      case 'any':
        return this.#foldArrivals(strategy, resident, pending)
      case 'canonical':
        return this.#foldInOrder(strategy, resident, { pending, within })
    }
  }

  #foldArrivals(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    for (let i = pending.length - 1; i >= 0; i--) {
      const position = pending[i] as Position
      if (!this.#applyNext(strategy, resident, position)) return undefined
    }
    return resident
  }

  /**
   * Applies the greatest of the newcomers, if it is the greatest of all. A rejected one counts for
   * nothing, so then all are looked at.
   */
  #foldLast(strategy: AnyStrategy, resident: Resident, pending: readonly Position[]): Resident | undefined {
    const placed = pending.map((position) => this.chains.placed(position)).sort(compareStamps)
    if (resident.firstNames !== undefined || placed.some(isIssuedAgain)) return undefined
    if (resident.hasOthers || placed.some((operation) => isByOther(strategy, operation))) return undefined
    if (resident.hasTouches || placed.some(isTouch)) return this.#foldTouched(strategy, resident, { placed, pending })
    const last = placed.at(-1)
    if (last !== undefined && resident.isBehind(last)) this.#application.applyAt(strategy, resident, last.position)
    for (const operation of placed) resident.take(operation)
    resident.folded = pending[0] ?? resident.folded
    return resident.rejectedCount > 0 ? undefined : resident
  }

  /**
   * As above where lives are renewed: whether the greatest counts hangs on those before it. Late ones
   * are left to the whole fold.
   */
  #foldTouched(
    strategy: AnyStrategy,
    resident: Resident,
    { placed, pending }: { readonly placed: readonly Placed[]; readonly pending: readonly Position[] },
  ): Resident | undefined {
    const [first] = placed
    if (first !== undefined && !resident.isBehind(first)) return undefined
    for (const operation of placed) {
      const lifeMs = resident.lifeMs || this.#lifeMs
      if (resident.hasTip && isOver(resident.hlc, operation.hlc, lifeMs)) this.#application.clear(strategy, resident)
      this.#application.applyAt(strategy, resident, operation.position)
      if (resident.rejectedCount > 0) return undefined
    }
    resident.hasTouches = true
    resident.folded = pending[0] ?? resident.folded
    return resident
  }

  #foldInOrder(strategy: AnyStrategy, resident: Resident, { pending, within }: Pending): Resident | undefined {
    const arrivals = pending.map((position) => this.chains.placed(position)).reverse()
    const isInOrder = arrivals.every((placed, i) => {
      const previous = i === 0 ? undefined : arrivals[i - 1]
      return previous === undefined ? resident.isBehind(placed) : compareStamps(previous, placed) < 0
    })
    if (!isInOrder && (this.#hasLives(resident, arrivals) || resident.hasCancelled)) return undefined
    if (!isInOrder && !this.#mayRewind(strategy, resident, arrivals)) return undefined
    resident.timeline ??= new Timeline(resident)
    if (isInOrder) return this.#append(strategy, resident, arrivals)
    if (resident.timeline.replayedFrom(earliest(arrivals)) > within.operations) return undefined
    return this.#rewind(strategy, resident, arrivals)
  }

  /** Whether replaying a stretch of the timeline gives what folding anew would. */
  #mayRewind(strategy: AnyStrategy, resident: Resident, arrivals: readonly Placed[]): boolean {
    if (resident.firstNames !== undefined || arrivals.some(isIssuedAgain)) return false
    if (this.#anyCancels(strategy, arrivals)) return false
    return !arrivals.some((placed) => resident.isInsideKept(placed) || isByOther(strategy, placed))
  }

  #append(strategy: AnyStrategy, resident: Resident, arrivals: readonly Placed[]): Resident | undefined {
    const timeline = resident.timeline as Timeline
    for (const placed of arrivals) {
      if (!this.#applyNext(strategy, resident, placed.position)) return undefined
      timeline.insert([placed], this.chains.isBefore)
      timeline.offer(timeline.length, resident)
    }
    return resident
  }

  /** Goes back to before the earliest newcomer and replays from there. */
  #rewind(strategy: AnyStrategy, resident: Resident, arrivals: readonly Placed[]): Resident {
    const timeline = resident.timeline as Timeline
    const first = timeline.insert([...arrivals].sort(compareStamps), this.chains.isBefore)
    const restart = timeline.restart(first)
    resident.state = restart.state
    resident.present = restart.present
    for (let i = restart.index; i < timeline.length; i++) {
      this.#application.applyAt(strategy, resident, timeline.position(i))
      timeline.offer(i + 1, resident)
    }
    resident.folded = (arrivals.at(-1) as Placed).position
    return resident
  }

  #foldAnewWithin(within: Extent, strategy: AnyStrategy, chain: Chain): Resident | undefined {
    if (this.#isBaseBeyond(within, chain)) return undefined
    if (this.chains.positionsAfter(chain.head, chain.cut, within) === undefined) return undefined
    return settled(strategy, this.#foldAnew(strategy, chain))
  }

  /** Whether the snapshot below is more than a step decodes, and no more may be done. */
  #isBaseBeyond({ bytes }: Extent, chain: Chain): boolean {
    return bytes < Infinity && this.chains.isBaseLong(chain)
  }

  #foldAnew(strategy: AnyStrategy, chain: Chain): Resident {
    const resident = this.whole.foldOf(strategy, chain, this.chains.operations(chain))
    resident.folded = chain.head
    return resident
  }

  /**
   * Applies the next operation of the chain. `false` if it cancels something without having seen
   * everything folded so far, is there already under another name, or if whose the key is has to be
   * asked of all operations.
   */
  #applyNext(strategy: AnyStrategy, resident: Resident, position: Position): boolean {
    const reader = this.chains.read(position)
    if (isByOther(strategy, reader)) return false
    const hasLives = this.#lifeMs > 0 || resident.hasOwnLives || reader.lifeMs > 0
    if ((resident.firstNames !== undefined || reader.hasFields) && this.#isRepeat(resident)) return false
    if (hasLives && !this.#enterLife(strategy, resident)) return false
    if (isCanceller(strategy, reader)) {
      if (!this.#application.observesAll(resident)) return false
      resident.hasCancelled = true
    }
    this.#application.applyRead(strategy, resident, position)
    resident.folded = position
    return true
  }

  /** Whether the operation being read has been taken in under another name. Takes note of its own. */
  #isRepeat(resident: Resident): boolean {
    const reader = this.chains.operation
    const origin = reader.origin()
    const first = origin ?? reader
    if (resident.firstNames?.has(first.replica, first.sequence) === true) return true
    if (origin === undefined) return false
    if (resident.vector.includes(origin.replica, origin.sequence)) return true
    resident.firstNames ??= new FirstNames()
    resident.firstNames.add(origin.replica, origin.sequence)
    return false
  }

  /**
   * Begins another life if the present one was over when the operation being read was written.
   * `false` if it belongs to an earlier one.
   */
  #enterLife(strategy: AnyStrategy, resident: Resident): boolean {
    const reader = this.chains.operation
    // Where operations say how long they live, one that comes late may end a life in the middle.
    const isUniform = !resident.hasOwnLives && reader.lifeMs === 0
    if (!resident.isBehind(reader)) return isUniform && reader.hlc >= resident.bornAt
    if (!resident.hasTip) resident.bornAt = reader.hlc
    else if (isOver(resident.hlc, reader.hlc, resident.lifeMs || this.#lifeMs)) {
      this.#application.clear(strategy, resident)
      resident.hasCancelled = true
      resident.bornAt = reader.hlc
    }
    return true
  }

  #hasLives(resident: Resident, arrivals: readonly Placed[]): boolean {
    return this.#lifeMs > 0 || resident.hasOwnLives || arrivals.some(({ lifeMs }) => lifeMs > 0)
  }

  #anyCancels(strategy: AnyStrategy, operations: readonly Placed[]): boolean {
    return operations.some((operation) => isCanceller(strategy, this.chains.read(operation.position)))
  }
}

function isTouch({ kind }: Placed): boolean {
  return kind === OPERATION_KIND.touch
}

function isIssuedAgain({ origin }: Placed): boolean {
  return origin !== undefined
}

function earliest(operations: readonly Placed[]): Hlc {
  return operations.reduce((least, { hlc }) => Math.min(least, hlc), Infinity)
}
