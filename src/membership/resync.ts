/**
 * Taking over a peer's state. The new state is built beside the present one, in steps, and what this
 * replica holds beyond it enters there (`new-state.ts`, `leftovers.ts`). Reads and writes go on
 * against the present state; what is written meanwhile is a leftover like any other. The new state is
 * written into a long group of the log (`../log/groups/long-group.ts`), in steps as well. In a turn in
 * which nothing of the log is left to be read, the group ends, and the new state takes the place of
 * the present one. So a death of the process or a full disk at any point leaves the one state or the
 * other.
 *
 * Logs of earlier builds may hold a state that is half an old one and half a new one. Such a replica
 * admits and exports nothing until a snapshot has been taken over.
 */
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Compactor } from '../compaction/compactor.ts'
import { forgetAll } from '../compaction/forgotten.ts'
import type { Garbage } from '../compaction/garbage.ts'
import type { Pruning } from '../compaction/pruning.ts'
import type { Tally } from '../compaction/tally.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Hold, Holds } from '../log/holds.ts'
import type { AdmissionDesk } from '../store/border.ts'
import type { LeaseBook } from '../store/aside/lease-book.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Outlet } from '../log/outlet.ts'
import type { LongGroup } from '../log/log.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import { finishNow, Haste, UNBOUNDED, type Meter } from '../operation/budget.ts'
import { Departures, takeDeparture } from '../operation/departures.ts'
import type { DotIndex } from '../operation/dot-index.ts'
import { EndedIds, holdsAll } from '../operation/ended-ids.ts'
import type { NextIdentity, ReplicaIdentity } from '../store/replica-identity.ts'
import { foldedBeyond, IssuedBefore, Leftovers, type Leftover } from './leftovers.ts'
import { NewState } from './new-state/new-state.ts'
import { Reissued } from '../operation/names/reissued.ts'
import { Reentry, type IssueTarget } from './reissue.ts'
import type { EngineEvent, LostAtRejoin } from '../store/event.ts'
import type { SnapshotImport } from './snapshot-ports.ts'
import { isShared } from './snapshot-stream.ts'
import type { Forgotten } from '../store/recovered.ts'
import { StateImport, type Arrived } from './state-import.ts'

export interface ResyncOptions {
  readonly store: KeyStore
  readonly floor: VersionVector
  readonly dots: DotIndex
  readonly holds: Holds
  readonly tally: Tally
  readonly garbage: Garbage
  readonly compactor: Compactor
  readonly admission: AdmissionDesk
  readonly outlet: Outlet
  readonly identity: ReplicaIdentity
  readonly observe: (event: EngineEvent) => void
  /** The state has been replaced otherwise than by operations. */
  readonly onReplaced: () => void
  readonly pruning: Pruning
  readonly leases: LeaseBook
}

/** A new state with everything that this replica held beyond it. */
interface Built {
  readonly state: NewState
  readonly leftovers: Leftovers
  /** How they enter. */
  readonly reentry: Reentry
  /** What cannot be carried over. */
  readonly lost: readonly LostAtRejoin[]
}

/** All of it has been written but the end of its group. */
interface Written extends Built {
  readonly group: LongGroup
  /** It stands in front of the state. */
  readonly forgotten: Forgotten
}

/** Numbers of segments that others can begin while a state is written, at the first attempt. */
const FREE_NUMBERS = 3
/** What is written meanwhile is carried over in steps that are at most so many times as long. */
const HASTE_MAX = 8

export class Resync {
  readonly #options: ResyncOptions
  readonly #store: KeyStore
  /** There while the state is a mixture of an old one and a snapshot: nothing is folded then. */
  #half: Hold | undefined

  constructor(options: ResyncOptions) {
    this.#options = options
    this.#store = options.store
    if (!options.identity.isResyncing) return
    this.#half = options.holds.take('a state of which only half has been taken over')
    options.observe({ kind: 'resync:interrupted' })
  }

  /** The state is a mixture of an old one and a snapshot: an earlier build has left it. */
  get isHalfDone(): boolean {
    return this.#half !== undefined
  }

  /** `mustHold`: a state that lacks any of that is refused when all of it has come. */
  begin(vector: VersionVector, mustHold: VersionVector = new VersionVector()): SnapshotImport {
    const { store, holds } = this.#options
    const held = vector.copy()
    return new StateImport({
      store,
      hold: holds.take('a state that is taken over from a peer'),
      takeOver: (arrived, meter) => {
        const { ended } = arrived.sender
        if (!holdsAll({ vector: held, ended }, mustHold)) throw bothCompacted()
        return this.#takeOver(held, arrived, meter)
      },
    })
  }

  /** Goes on where an earlier build has died, or had no space, while it issued operations again. */
  resume(): void {
    const { identity, outlet, observe } = this.#options
    const { reissuing } = identity
    if (reissuing.size === 0) return
    const store = this.#store
    const { log, table, applied } = store
    const { ended } = table
    const held = applied.copy()
    held.join(reissuing)
    const found: Leftover[] = []
    const parts = { store, vector: applied, ended, held, own: () => this.#own, isWhole: false }
    finishNow(new Leftovers(parts).steps((leftover) => found.push(leftover), UNBOUNDED))
    const issued = new IssuedBefore()
    finishNow(issued.steps(log, { table, applied }, UNBOUNDED))
    const lost: LostAtRejoin[] = []
    const onReissued = outlet.holdBack()
    try {
      const reentry = new Reentry({
        ...{ target: this.#present(), issued, folded: new Set<string>(), meter: UNBOUNDED },
        onLost: (one) => lost.push(one),
      })
      for (const leftover of found) reentry.take(leftover)
      reentry.takeGathered()
    } finally {
      onReissued()
      for (const one of lost) observe({ kind: 'rejoin:lost', ...one })
    }
    reissuing.assign(new VersionVector())
    identity.writeMeta()
  }

  /** The present state, where what an earlier build has left enters again. */
  #present(): IssueTarget {
    const { identity, admission } = this.#options
    const store = this.#store
    const { keys, table, clock, applied, writers, folder } = store
    return {
      ...{ keys, table, clock, applied, ended: table.ended, reissued: identity.reissued, writer: writers.shared },
      hasLocalKeys: true,
      keyspaceFor: (key, slot) => store.keyspaceFor(key, slot),
      append: (draft) => {
        store.append(draft)
        const { replica, sequence } = store.writerOf(draft.keyspace)
        return { replica, sequence }
      },
      admit: (envelopes) => {
        // What a half installed snapshot already contains must not be applied on top of it.
        if (!this.isHalfDone) admission.admitAll(envelopes)
      },
      foldedOf: (slot) => {
        const { snapshot } = store.chain(slot)
        return snapshot === 0 ? undefined : folder.chains.head(folder.chains.record(snapshot)).vector
      },
      behindFolded: (slot, max) => {
        const { head, cut } = store.chain(slot)
        const positions = folder.chains.positionsAfter(head, cut, { operations: max, bytes: Infinity })
        return positions?.map((position) => folder.chains.placed(position))
      },
    }
  }

  /**
   * As whom this log has written, and how far: also what a power failure took, and others have
   * given back since.
   */
  get #own(): VersionVector {
    const { applied } = this.#store
    const { replica: present, formers } = this.#options.identity
    const own = formers.copy()
    own.raise(present, applied.get(present))
    return own
  }

  *#takeOver(vector: VersionVector, arrived: Arrived, step: Meter): Generator<void, void> {
    this.resume()
    const meter = new Haste(step)
    const { keyspaces, log } = this.#store
    for (let freeNumbers = FREE_NUMBERS; ; freeNumbers *= 2) {
      const built = yield* this.#build(vector, arrived, meter)
      const group = log.beginGroup(freeNumbers)
      try {
        const forgotten = forgetAll(group)
        yield* this.#write(built, group, meter)
        // More may have been written than was expected, and keys may have come under other patterns.
        if (!group.isOvertaken && built.state.keyspaceChanges === keyspaces.changesCount) {
          this.#swap(vector, arrived, { ...built, group, forgotten })
          return
        }
      } finally {
        group.dispose()
      }
    }
  }

  /**
   * Comes to its end in a turn in which nothing of the log is left to be read, nor to be written into
   * the group; or early, if the group has been overtaken. Somebody may write more in each turn than a
   * step carries over: so the steps become longer, up to some 20 ms, until they have caught up.
   */
  *#write({ state, leftovers, reentry }: Built, group: LongGroup, meter: Haste): Generator<void, void> {
    for (;;) {
      yield* state.publish(group, meter)
      if (group.isOvertaken || !leftovers.isBehind) return
      meter.times = Math.min(HASTE_MAX, meter.times * 2)
      yield* leftovers.steps((leftover) => reentry.take(leftover), meter)
      reentry.takeGathered()
    }
  }

  *#build(vector: VersionVector, { sender, chunks }: Arrived, meter: Haste): Generator<void, Built> {
    meter.times = 1
    const store = this.#store
    const { log, table } = store
    const { identity } = this.#options
    const ended = new EndedIds()
    ended.join(table.ended)
    ended.assign(sender.ended)
    const retired = identity.retired.copy()
    for (const [replica, end] of sender.retired) retired.retire(replica, end)
    // What the snapshot holds counts: of two replicas that refuse what the other one holds, one has
    // to give in.
    for (const replica of retired.voidIn(vector.entries())) retired.reinstate(replica, vector.get(replica))
    const [held, floor] = [ended.stripped(vector).copy(), ended.stripped(sender.floor).copy()]
    const reissued = new Reissued()
    reissued.assign(sender.reissued)
    const { departures } = identity
    const state = new NewState({ store, vector: held, floor, ended, retired, reissued, departures })
    const issued = new IssuedBefore()
    for (const position of chunks) {
      const { bytes, start, end } = log.record(position)
      const told = (operation: OperationReader): void => issued.note(operation)
      yield* state.stage(position, bytes.slice(start, end), { told, meter })
    }
    // The snapshot may have folded an operation that was issued again.
    yield* issued.steps(log, { table, applied: vector }, meter)
    const lost: LostAtRejoin[] = []
    const onLost = (one: LostAtRejoin): void => {
      lost.push(one)
    }
    if (!vector.dominates(this.#options.floor)) yield* foldedBeyond({ store, vector, ended }, onLost, meter)
    const folded = new Set(lost.map(({ key }) => key))
    const parts = { store, vector, ended, held: store.applied, own: () => this.#own, isWhole: !this.isHalfDone }
    const leftovers = new Leftovers(parts)
    const reentry = new Reentry({ target: state, issued, folded, onLost, meter })
    yield* leftovers.steps((leftover) => reentry.take(leftover), meter)
    reentry.takeGathered()
    return { state, leftovers, reentry, lost }
  }

  /** Throws what a commit throws, and then the present state is what it was. */
  #swap(vector: VersionVector, { sender }: Arrived, { state, leftovers, group, forgotten, lost }: Written): void {
    const { identity, garbage, outlet, dots, pruning, observe, onReplaced } = this.#options
    const { log, table, applied } = this.#store
    const next = this.#nextIdentity(vector, state, leftovers)
    const onReissued = next.writer === undefined ? undefined : outlet.holdBack()
    try {
      const metaPosition = log.endGroup(group, () => {
        if (sender.ended.size > 0) identity.writeEnded(state.ended, sender.ended.replicas())
        return identity.writeNext(next)
      })
      garbage.note(forgotten)
      table.ended.assign(state.ended)
      applied.assign(state.applied)
      this.#options.floor.assign(state.floor)
      if (sender.ended.size > 0) identity.dropPruned([...state.ended.pruned()])
      this.#replaceKeys(state, group.start)
      this.#options.leases.replace(state.leaseNotes())
      for (const [sequence, position] of state.ownPlaces) dots.note(state.writer.replica, sequence, position)
      this.#half?.release()
      this.#half = undefined
      identity.become(next, metaPosition)
    } finally {
      onReissued?.()
    }
    if (sender.ended.size > 0) pruning.pruned()
    onReplaced()
    for (const one of lost) observe({ kind: 'rejoin:lost', ...one })
  }

  /** Who this replica is with the new state. */
  #nextIdentity(vector: VersionVector, state: NewState, { ownReplicas }: Leftovers): NextIdentity {
    const { identity } = this.#options
    const { ended, retired, reissued, applied, floor, writer } = state
    const departures = new Departures()
    departures.join(identity.departures)
    for (const { note, by } of state.said) {
      takeDeparture(note, by, { departures, ended })
      // Of those that have not left somebody may hold more than counts.
      const ends = note.kind === 'ended' ? note.ends.filter(([replica]) => departures.of(replica) !== 'left') : []
      for (const [replica, end] of ends) retired.retire(replica, end)
    }
    const pruned = [...ended.pruned()]
    departures.forget(pruned)
    retired.forget(pruned)
    // Others may hold under the former names what is issued again.
    for (const replica of ownReplicas) if (!ended.isPruned(replica)) retired.retire(replica, vector.get(replica))
    // Peers remember what they heard that we have: what is gone is gone with the name. And it may
    // have come to an end for the sender.
    const { replica: present } = identity
    const isOver =
      ownReplicas.size > 0 ||
      writer.sequence > 0 ||
      !applied.dominates(ended.stripped(this.#store.applied)) ||
      retired.endOf(present) < Infinity ||
      ended.isPruned(present) ||
      departures.of(present) !== undefined
    // For good: operations under a name that nobody here knows any more may come back with
    // somebody's state, and have to be known as own then.
    const formers = ended.stripped(this.#own)
    return { writer: isOver ? writer : undefined, applied, floor, formers, retired, reissued, departures }
  }

  #replaceKeys(state: NewState, from: number): void {
    const { tally, compactor } = this.#options
    const store = this.#store
    const { keys, values, log } = store
    const localCount = this.#copyLocalKeys(state)
    const mayHaveLives = keys.hasHadLives || store.keyspaces.list.some(({ ttlMs }) => ttlMs > 0)
    if (mayHaveLives) state.keys.expiredThroughMs = store.env.now()
    // Whoever has followed the log has lost something: what he made of it does not count.
    state.keys.forgottenThrough = from
    keys.become(state.keys)
    values.reset()
    compactor.replaced(state.due, state.due.length)
    tally.set(state.operationsCount + localCount)
    log.discardBefore(from)
  }

  /** Returns how many operations there are of them. */
  #copyLocalKeys({ keys, due }: NewState): number {
    const store = this.#store
    let count = 0
    // Of most replicas there are none, and then no key has to be looked at.
    if (!store.writers.keepsAny) return count
    for (const slot of store.keys.occupied()) {
      if (isShared(store, slot)) continue
      count += this.#operationsOf(slot)
      const copy = keys.copyFrom(store.keys, slot)
      if (store.keyspaceFor('', slot).retain !== 'all') due.push(copy)
    }
    return count
  }

  #operationsOf(slot: Slot): number {
    const { keys, folder } = this.#store
    const { head, snapshot, cut } = this.#store.chain(slot)
    return snapshot === 0 ? keys.version[slot]! : folder.chains.operations({ head, snapshot, cut }).length
  }
}

/** Taking over that state would lose what has been folded here. */
function bothCompacted(): WarpError {
  return new WarpError(
    'WARP_E_RESYNC_REQUIRED',
    'the state lacks what has been compacted here, so it cannot take the place of this one',
    { details: { bothCompacted: true } },
  )
}
