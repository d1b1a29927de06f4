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
import { RECORD_BODY_BYTES_MAX, RECORD_KIND } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import type { Placed } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import { writeSnapshotHead } from '../merge/snapshot-record.ts'
import { encodeStateSteps, type EncodedState } from '../merge/state-encoding.ts'
import type { Meter } from '../operation/budget.ts'
import type { Position } from '../operation/position.ts'
import { forgetKey } from './forgotten.ts'
import type { KeyStore } from '../store/key-store.ts'
import { installSnapshot } from '../store/recovered.ts'
import { foldablePrefix, type PrefixBounds } from './foldable-prefix.ts'
import type { Frontier } from './frontier.ts'
import type { Garbage } from './garbage.ts'

/** What of a snapshot record is left for the state, whatever its key and vectors are. */
const STATE_BYTES_MAX = RECORD_BODY_BYTES_MAX - 262_144

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
  /** The next run has to look at the key, though nobody may have written it by then. */
  isDueAgain = false
  /** Records have been written that a meta record has to follow. */
  isMetaDue = false
  /** What has been folded, and the snapshot before if there was one: garbage now. */
  garbage: { readonly folded: readonly Placed[]; readonly snapshot: Position } | undefined
}

/** A key as it was when its compaction began. */
interface Subject {
  readonly slot: Slot
  readonly key: string
  readonly keyspace: Keyspace
  readonly chain: Chain
  readonly version: number
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
    const { chains, whole } = store.folder
    const key = store.keys.keys[slot]
    const keyspace = store.keyspaceFor('', slot)
    if (key === undefined || keyspace.retain === 'all') return
    const chain = { ...store.chain(slot) }
    const subject: Subject = { slot, key, keyspace, chain, version: store.keys.version[slot]! }
    const operations = yield* chains.operationsSteps(chain, meter)
    outcome.walkedCount = operations.length
    const { count, unstableCount } = yield* foldablePrefix(operations, keyspace, this.#bounds(subject), meter)
    outcome.unstableCount = unstableCount
    // What could not go yet, and what will have expired by then, is looked at again in the next
    // run.
    outcome.isDueAgain =
      count < operations.length || store.values.ttlMs(slot, keyspace) > 0 || !this.#isAsItWas(subject)
    if (!this.#isAsItWas(subject)) return
    if (operations.length === 0) this.#forgetExpired(slot, keyspace, outcome)
    if (count === 0 || !this.#isWorthwhile(slot, operations, count)) return
    const prefix = operations.slice(0, count)
    const reached = yield* reachOf(prefix, meter)
    const resident = yield* whole.foldSteps({ strategy: keyspace.strategy, chain, operations: prefix }, meter)
    const through = (prefix.at(-1) as Placed).position
    const bounds = { meter, bytesMax: STATE_BYTES_MAX }
    const state = yield* encodeStateSteps(keyspace.strategy, resident.state, bounds)
    if (state === undefined) throw tooLarge(key)
    if (!this.#isAsItWas(subject) || this.#options.holds.foldableBefore(key) <= through) {
      outcome.isDueAgain = true
      return
    }
    this.#replace(subject, { resident, state }, { through, reached, behindCount: operations.length - count })
    outcome.droppedCount = count
    outcome.isMetaDue = true
    outcome.garbage = { folded: prefix, snapshot: chain.snapshot }
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
    { resident, state }: { readonly resident: Resident; readonly state: EncodedState },
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
    }
    frontier.pass(keyspace.domain, cut.reached)
    const writer = store.log.begin()
    writeSnapshotHead(writer, snapshot, store.table)
    state.writeTo(writer)
    const position = store.log.commit(RECORD_KIND.snapshot, 0)
    store.values.drop(slot)
    installSnapshot(store.keys, slot, snapshot, position)
  }

  #forgetExpired(slot: Slot, keyspace: Keyspace, outcome: KeyOutcome): void {
    const snapshot = this.#store.keys.snapshot[slot]!
    if (snapshot === 0 || this.#isAlive(slot, keyspace, true)) return
    outcome.isMetaDue = true
    this.#options.garbage.note(forgetKey(this.#store, slot))
    this.#store.log.discard(snapshot)
  }

  /** Replacing one live operation by a snapshot of it would gain nothing. */
  #isWorthwhile(slot: Slot, operations: readonly Placed[], count: number): boolean {
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
   * next goes on from what was there.
   */
  #isAlive(slot: Slot, keyspace: Keyspace, isPresent: boolean): boolean {
    if (!isPresent) return false
    const { values, env } = this.#store
    const isOursAlone = !this.#options.frontier.isShared(keyspace.domain)
    const mayGo = values.lifeMs(slot, keyspace) > 0 ? keyspace.isLast || isOursAlone : keyspace.isLast && isOursAlone
    const expiresAt = values.expiresAt(slot, keyspace)
    if (!mayGo || expiresAt > env.now()) return true
    return keyspace.isTouched && expiresAt > this.#options.frontier.stableMs(keyspace.domain)
  }
}

function tooLarge(key: string): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `the state of '${key}' takes more than the ${STATE_BYTES_MAX} bytes that a record holds; its operations stay ` +
      'in the log; store large values in pieces',
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
