/** A key's state in memory: what has been folded so far, and how far that is. */
import { compareStamps, type Hlc, type Stamp } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Position } from '../operation/position.ts'
import type { FirstNames } from '../operation/names/first-names.ts'
import type { Repeats } from './folding/repeats.ts'
import type { Timeline } from './folding/timeline.ts'
import type { KeySnapshot } from './snapshot-record.ts'

export class Resident {
  state: unknown
  /**
   * Whether the key exists: something has been written that no delete has taken away. See
   * {@link settled}.
   */
  present: boolean
  /** The newest record of the key's chain that the state has taken in. */
  folded: Position
  /** The operations that the state has taken in. */
  readonly vector: VersionVector
  /** See `KeySnapshot.seen`: that of the snapshot below. */
  readonly seen?: VersionVector | undefined
  /** The greatest of them in canonical order. */
  hlc: Hlc = 0
  replica: ReplicaId = '' as ReplicaId
  sequence = 0
  /** How long the greatest lives by its own word, ms; otherwise 0. */
  lifeMs = 0
  /**
   * Whether any of them says how long it lives: then one that comes late may end a life that was
   * taken to go on.
   */
  hasOwnLives = false
  /** Whether any of them is a touch. Matters to folds `'last'` alone. */
  hasTouches = false
  /** Whether there is one at all. */
  hasTip: boolean
  /**
   * The stamp of the operation that began the present life of a key that expires; or, of a state
   * from a snapshot, that of its greatest.
   */
  bornAt: Hlc
  /** For canonical folds. */
  timeline: Timeline | undefined
  /**
   * Some operations of the timeline have been cancelled, so that replaying a stretch of it would
   * not do.
   */
  hasCancelled = false
  /** The strategy of the snapshot below, if that holds a value; otherwise 0. */
  baseStrategy = 0
  /** Operations by other strategies are in the chain: what counts has to be asked of all of them. */
  hasOthers = false
  /** Out of use: the key has to be folded anew. */
  isSpoilt = false
  /** Operations that the strategy refused to apply. */
  rejectedCount = 0
  /** What it throws now has been thrown before, by a fold of the same operations. See `application.ts`. */
  isSecondTry = false
  /** Payload bytes folded: a rough measure of what the state weighs. */
  bytes = 0
  /**
   * The greatest operation of the kept state that this one goes on from. One that sorts before it
   * may belong inside, so a fold in canonical order begins anew (`kept-record.ts`).
   */
  keptTip: Stamp | undefined
  /**
   * First names of the operations taken in that were issued again; `undefined` if there are none.
   */
  firstNames: FirstNames | undefined
  /** Operations that are here more than once: then the key is folded anew with each change. */
  repeats: Repeats | undefined
  /** Operations taken in since the state was last kept, or began from a snapshot. */
  unkeptCount = 0

  constructor(
    state: unknown,
    folded: Position,
    base?: Stamp & Pick<KeySnapshot, 'vector' | 'seen' | 'present' | 'lifeMs' | 'firstNames'>,
  ) {
    this.state = state
    this.present = base?.present ?? false
    this.folded = folded
    this.vector = base?.vector.copy() ?? new VersionVector()
    if (base !== undefined) {
      this.hlc = base.hlc
      this.replica = base.replica
      this.sequence = base.sequence
      this.lifeMs = base.lifeMs
      this.seen = base.seen
      this.firstNames = base.firstNames?.copy()
    }
    this.hasOwnLives = this.lifeMs > 0
    this.hasTip = base !== undefined
    this.bornAt = this.hlc
  }

  /** Whether an operation may belong inside the kept state that this one goes on from. */
  isInsideKept(stamp: Stamp): boolean {
    return this.keptTip !== undefined && compareStamps(stamp, this.keptTip) < 0
  }

  /** Whether an operation comes behind everything folded so far in canonical order. */
  isBehind(stamp: Stamp): boolean {
    return !this.hasTip || compareStamps(this, stamp) < 0
  }

  take(stamp: Stamp & { readonly lifeMs: number }): void {
    this.vector.raise(stamp.replica, stamp.sequence)
    this.unkeptCount++
    const { lifeMs } = stamp
    if (lifeMs > 0) this.hasOwnLives = true
    if (!this.isBehind(stamp)) return
    this.hlc = stamp.hlc
    this.replica = stamp.replica
    this.sequence = stamp.sequence
    this.lifeMs = lifeMs
    this.hasTip = true
  }
}

/**
 * Where operations cancel others, a key is there while its state holds something. Whether an
 * operation that is cancelled by now was applied before, to this state or to the snapshot below it,
 * depends on when it arrived and on when the key was read and compacted.
 */
export function settled(strategy: AnyStrategy, resident: Resident): Resident {
  if (strategy.cancels !== undefined && strategy.fold !== 'last') resident.present = !strategy.isEmpty(resident.state)
  return resident
}
