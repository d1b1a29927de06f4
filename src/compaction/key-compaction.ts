/**
 * Compaction of one key: folds the prefix of its chain that may be folded into a snapshot, or
 * forgets the key if nothing of it is left. In steps: whatever happens to the key meanwhile, its
 * chain is looked at again before anything is changed.
 */
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Holds } from '../log/holds.ts'
import { STATE_BYTES_MAX } from '../limits.ts'
import { RECORD_KIND } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import type { Placed, PlacedRecord } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import { bytesInParts, PART_BYTES, UNDIVIDED_BYTES_MAX, writePart, type SnapshotPart } from '../merge/snapshot-parts.ts'
import { writeSnapshotHead } from '../merge/snapshot-record.ts'
import { encodeStateSteps, type EncodedState, type Pieces } from '../merge/state-encoding.ts'
import type { Meter } from '../operation/budget.ts'
import type { Position } from '../operation/position.ts'
import { forgetKey } from './forgotten.ts'
import type { KeyStore } from '../store/key-store.ts'
import { installSnapshot } from '../store/recovered.ts'
import { foldablePrefix, type PrefixBounds, type Stretch } from './foldable-prefix.ts'
import type { Frontier } from './frontier.ts'
import type { Garbage } from './garbage.ts'

export interface KeyCompactionOptions {
  readonly store: KeyStore
  readonly frontier: Frontier
  readonly holds: Holds
  readonly garbage: Garbage
}

/** What has come of it so far, also if it is given up in between. */
export class KeyOutcome {
  /** Operations that the key's log has lost. */
  droppedCount = 0
  /** Operations that need not be retained and are not stable yet. */
  unstableCount = 0
  /** Operations of the key that have been looked at. */
  walkedCount = 0
  /** How long the state is that has been written. */
  stateBytes = 0
  /** The next run has to look at the key, though nobody may have written it by then. */
  isDueAgain = false
  /** Records have been written that a meta record has to follow. */
  isMetaDue = false
  /** What has been folded, and the snapshot before if there was one: garbage now. */
  garbage: FoldedAway | undefined
  /** Parts of a state that have been written, and have no snapshot yet: garbage if it stays so. */
  parts: SnapshotPart[] = []
}

type GarbageRecord = Pick<PlacedRecord, 'position' | 'bytes'>

export interface FoldedAway {
  readonly folded: readonly GarbageRecord[]
  /** With the parts of its state. */
  readonly snapshot: readonly GarbageRecord[]
}

/** A key as it was when its compaction began. */
interface Subject {
  readonly slot: Slot
  readonly key: string
  readonly keyspace: Keyspace
  readonly chain: Chain
  readonly version: number
}

/** What a key is folded to. */
interface Folded {
  readonly resident: Resident
  readonly state: EncodedState
  /** Has the parts of the state. */
  readonly outcome: KeyOutcome
}

export class KeyCompaction {
  readonly #options: KeyCompactionOptions
  readonly #store: KeyStore

  constructor(options: KeyCompactionOptions) {
    this.#options = options
    this.#store = options.store
  }

  /** Throws what keeps the key from being compacted; then nothing of it has changed. */
  *steps(slot: Slot, outcome: KeyOutcome, meter: Meter): Generator<void, void> {
    const store = this.#store
    const { chains } = store.folder
    const key = store.keys.keys[slot]
    const keyspace = store.keyspaceFor('', slot)
    if (key === undefined || keyspace.retain === 'all') return
    const chain = { ...store.chain(slot) }
    const subject: Subject = { slot, key, keyspace, chain, version: store.keys.version[slot]! }
    const operations = yield* chains.operationsSteps(chain, meter)
    outcome.walkedCount = operations.length
    const { count, unstableCount } = yield* this.#foldable(subject, operations, meter)
    outcome.unstableCount = unstableCount
    // What could not go yet, and what will have expired by then, is looked at again in the next
    // run.
    outcome.isDueAgain =
      count < operations.length || store.values.ttlMs(slot, keyspace) > 0 || !this.#isAsItWas(subject)
    if (!this.#isAsItWas(subject)) return
    if (operations.length === 0) this.#forgetExpired(subject, outcome)
    if (!this.#isToFold(subject, operations, count, outcome)) return
    const prefix = operations.slice(0, count)
    const reached = yield* reachOf(prefix, meter)
    const resident = yield* this.#fold(subject, prefix, meter)
    const through = (prefix.at(-1) as Placed).position
    const pieces = this.#piecesOf(subject, outcome)
    const bounds = { meter, bytesMax: STATE_BYTES_MAX, pieces, weight: resident.bytes }
    const state = yield* encodeStateSteps(keyspace.strategy, resident.state, bounds)
    if (state === undefined) throw tooLarge(key)
    if (!this.#isAsItWas(subject) || this.#options.holds.foldableBefore(key) <= through) {
      outcome.isDueAgain = true
      return
    }
    const former = this.#store.folder.chains.recordsOf(chain.snapshot)
    const behindCount = operations.length - count
    this.#replace(subject, { resident, state, outcome }, { through, reached, behindCount })
    this.#tellStored(subject, prefix)
    outcome.droppedCount = count
    outcome.isMetaDue = true
    outcome.garbage = { folded: prefix, snapshot: former }
  }

  /** Where the pieces of a large state go. */
  #piecesOf({ key, keyspace }: Subject, outcome: KeyOutcome): Pieces {
    const { log, table } = this.#store
    return {
      undividedMax: UNDIVIDED_BYTES_MAX,
      bytes: PART_BYTES,
      take: (bytes, start, end) => {
        writePart(log.begin(), { key, strategy: keyspace.strategy.code }, { bytes, start, end }, table)
        outcome.parts.push({ position: log.commit(RECORD_KIND.snapshot, 0), bytes: end - start })
      },
    }
  }

  /** Where the truth is in a store, no more than is known to be there: the rest is still on its way. */
  *#foldable(subject: Subject, operations: readonly Placed[], meter: Meter): Generator<void, Stretch> {
    const stretch = yield* foldablePrefix(operations, subject.keyspace, this.#bounds(subject), meter)
    if (!isStored(subject.keyspace)) return stretch
    const { stored } = this.#store
    let count = 0
    while (count < stretch.count && stored?.isStored(subject.key, operations[count] as Placed) === true) {
      count++
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
    return { ...stretch, count }
  }

  /** Whether anything can go, and has to be folded for that. */
  #isToFold(subject: Subject, operations: readonly PlacedRecord[], count: number, outcome: KeyOutcome): boolean {
    if (count === 0 || !this.#isWorthwhile(subject.slot, operations, count)) return false
    return !this.#letGo(subject, operations, count, outcome)
  }

  /** Of a key that is in its store with all that is here of it nothing is left, and nothing has to be folded. */
  #letGo(
    { slot, key, keyspace, chain }: Subject,
    operations: readonly PlacedRecord[],
    count: number,
    outcome: KeyOutcome,
  ): boolean {
    const store = this.#store
    if (!isStored(keyspace) || count < operations.length || store.keys.head[slot] !== chain.head) return false
    const through = (operations.at(-1) as PlacedRecord).position
    if (this.#options.holds.foldableBefore(key) <= through) return false
    const { frontier, garbage } = this.#options
    const reached = new VersionVector()
    for (const { replica, sequence } of operations) reached.raise(replica, sequence)
    frontier.pass(keyspace.domain, reached)
    outcome.garbage = { folded: operations, snapshot: store.folder.chains.recordsOf(chain.snapshot) }
    garbage.note(forgetKey(store, slot))
    outcome.droppedCount = count
    outcome.isMetaDue = true
    outcome.isDueAgain = false
    store.stored?.compacted(key, operations)
    return true
  }

  *#fold(
    { keyspace: { strategy, source }, chain }: Subject,
    operations: readonly Placed[],
    meter: Meter,
  ): Generator<void, Resident> {
    const resident = yield* this.#store.folder.whole.foldSteps({ strategy, chain, operations }, meter)
    if (source?.store === undefined) return resident
    // What the operations made is in the store: nothing of it is kept here.
    resident.state = strategy.initial()
    resident.present = false
    return resident
  }

  #tellStored({ key, keyspace }: Subject, operations: readonly Placed[]): void {
    if (isStored(keyspace)) this.#store.stored?.compacted(key, operations)
  }

  #bounds({ key, keyspace }: Subject): PrefixBounds {
    const { env, folder } = this.#store
    const isKnownToAll = this.#options.frontier.stableIn(keyspace.domain)
    return { env, chains: folder.chains, isKnownToAll, heldFrom: this.#options.holds.foldableBefore(key) }
  }

  /**
   * Whether the key's chain begins where it began. More operations may have come; they have seen
   * what is stable.
   */
  #isAsItWas({ slot, key, keyspace, chain }: Subject): boolean {
    const { keys } = this.#store
    if (keys.keys[slot] !== key || this.#options.holds.isWhole) return false
    if (this.#store.keyspaceFor(key, slot) !== keyspace) return false
    return keys.cut[slot] === chain.cut && keys.snapshot[slot] === chain.snapshot
  }

  /**
   * Puts what has been folded in the place of the operations, or nothing if nothing is left of the
   * key. All at once.
   */
  #replace(
    { slot, key, keyspace, chain, version }: Subject,
    { resident, state, outcome }: Folded,
    cut: { readonly through: Position; readonly reached: VersionVector; readonly behindCount: number },
  ): void {
    const { frontier, garbage } = this.#options
    const store = this.#store
    const isAll = cut.behindCount === 0 && store.keys.head[slot] === chain.head
    if (isAll && !this.#isAlive(slot, keyspace, resident.present)) {
      frontier.pass(keyspace.domain, cut.reached)
      garbage.note(forgetKey(store, slot))
      return
    }
    const { ended } = store.table
    const snapshot = {
      key,
      strategy: keyspace.strategy.code,
      present: resident.present,
      through: cut.through,
      baseVersion: version - cut.behindCount,
      version: store.keys.version[slot]!,
      hlc: resident.hlc,
      replica: resident.replica,
      sequence: resident.sequence,
      lifeMs: resident.lifeMs,
      vector: ended.stripped(resident.vector),
      seen: ended.endsIn(resident.vector, resident.seen),
      firstNames: resident.firstNames,
      parts: outcome.parts.length > 0 ? outcome.parts : undefined,
    }
    frontier.pass(keyspace.domain, cut.reached)
    const writer = store.log.begin()
    writeSnapshotHead(writer, snapshot, store.table)
    state.writeTo(writer)
    outcome.stateBytes = bytesInParts(outcome.parts) + writer.at - writer.start
    const position = store.log.commit(RECORD_KIND.snapshot, 0)
    outcome.parts = []
    store.values.drop(slot)
    installSnapshot(store.keys, slot, snapshot, position)
  }

  #forgetExpired({ slot, keyspace, chain: { snapshot } }: Subject, outcome: KeyOutcome): void {
    if (snapshot === 0 || this.#isAlive(slot, keyspace, true)) return
    const former = this.#store.folder.chains.recordsOf(snapshot)
    outcome.isMetaDue = true
    this.#options.garbage.note(forgetKey(this.#store, slot))
    outcome.garbage = { folded: [], snapshot: former }
  }

  /** Replacing one live operation by a snapshot of it would gain nothing. */
  #isWorthwhile(slot: Slot, operations: readonly Placed[], count: number): boolean {
    if (isStored(this.#store.keyspaceFor('', slot))) return true
    return (
      count > 1 ||
      operations.length > 1 ||
      this.#store.keys.snapshot[slot]! > 0 ||
      this.#store.values.examine(slot) === undefined
    )
  }

  /**
   * An expired key is forgotten only if its greatest operation is all there is to it, or nobody
   * else writes it. Others keep a snapshot: a replica whose clock is behind could still write into
   * the life that is over here (see merge/lives.ts), and would have to find it. The same goes for a
   * touch, until none can come any more. A life that slides is over here alone, and what is written
   * next goes on from what was there. Of what an ordered log has given, what comes next may still be
   * written into a life that is over by this replica's clock: there the time of the log counts.
   */
  #isAlive(slot: Slot, keyspace: Keyspace, isPresent: boolean): boolean {
    if (!isPresent) return false
    const { values, env, keys, writers } = this.#store
    const isOursAlone = !this.#options.frontier.isShared(keyspace.domain)
    const mayGo = values.lifeMs(slot, keyspace) > 0 ? keyspace.isLast || isOursAlone : keyspace.isLast && isOursAlone
    const expiresAt = values.expiresAt(slot, keyspace)
    const nowMs = keyspace.domain.kind === 'ordered' ? writers.reachedMs(keys.tipReplica[slot]!) : env.now()
    if (!mayGo || expiresAt > nowMs) return true
    return keyspace.isTouched && expiresAt > this.#options.frontier.stableMs(keyspace.domain)
  }
}

function isStored({ source }: Keyspace): boolean {
  return source?.store !== undefined
}

function tooLarge(key: string): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `the state of '${key}' takes more than ${STATE_BYTES_MAX} bytes; its operations stay in the log; spread what it ` +
      'holds over several keys',
    { details: { key, limit: STATE_BYTES_MAX } },
  )
}

/** How far the operations go, by replica. */
function* reachOf(operations: readonly Placed[], meter: Meter): Generator<void, VersionVector> {
  const reached = new VersionVector()
  for (const { replica, sequence } of operations) {
    reached.raise(replica, sequence)
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return reached
}
