/**
 * Taking over a peer's state: what happens around the installation of a snapshot. Before it, what
 * this replica holds beyond the snapshot is gathered; after it, `applied` and `floor` are the
 * peer's, and the leftovers enter again. Meta records around it tell a later opening how far it
 * came: a state that is half the old and half the new one admits and exports nothing until a
 * snapshot has been installed as a whole.
 */
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Compactor } from '../compaction/compactor.ts'
import type { Garbage } from '../compaction/garbage.ts'
import type { Pruning } from '../compaction/pruning.ts'
import type { Tally } from '../compaction/tally.ts'
import type { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import type { Hold, Holds } from '../log/holds.ts'
import type { AdmissionDesk } from '../store/border.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Outlet } from '../log/outlet.ts'
import type { ReplicaIdentity } from '../store/replica-identity.ts'
import { foldedBeyond, leftoversBeyond, reenter, type Leftover } from './leftovers.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import { holdsAll } from '../operation/ended-ids.ts'
import type { EngineEvent, LostAtRejoin } from '../store/event.ts'
import type { SnapshotImport } from './snapshot-ports.ts'
import { StateImport, type Sender } from './state-import.ts'

export interface ResyncOptions {
  readonly store: KeyStore
  readonly floor: VersionVector
  readonly holds: Holds
  readonly feeds: FeedCheckpoints
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
}

/** What this replica holds beyond the state that it takes over. */
interface Beyond {
  readonly leftovers: readonly Leftover[]
  /** Keys of which something has been folded that is not in it. */
  readonly folded: readonly LostAtRejoin[]
}

export class Resync {
  readonly #options: ResyncOptions
  readonly #store: KeyStore
  /** There while the state is a mixture of an old one and a snapshot: nothing is folded then. */
  #half: Hold | undefined

  constructor(options: ResyncOptions) {
    this.#options = options
    this.#store = options.store
    if (options.identity.isResyncing) this.#becomeHalf()
    this.#tellOfHalf()
  }

  /** The state is a mixture of an old one and a snapshot. */
  get isHalfDone(): boolean {
    return this.#half !== undefined
  }

  /** `mustHold`: a state that lacks any of that is refused when all of it has come. */
  begin(vector: VersionVector, mustHold: VersionVector = new VersionVector()): SnapshotImport {
    const { store, tally, garbage, compactor, holds, feeds, identity } = this.#options
    const held = vector.copy()
    let leftovers: Leftover[] = []
    let folded: LostAtRejoin[] = []
    const state = new StateImport({
      ...{ store, tally, garbage, compactor, departures: identity.departures },
      hold: holds.take('a state that is taken over from a peer'),
      takingOver: {
        begin: ({ ended }) => {
          if (!holdsAll({ vector: held, ended }, mustHold)) throw bothCompacted()
          this.resume()
          const parts = { store, vector: held, ended, held: store.applied, own: this.#own, isWhole: !this.isHalfDone }
          leftovers = leftoversBeyond(parts)
          folded = held.dominates(this.#options.floor) ? [] : foldedBeyond({ store, vector: held, ended })
          feeds.dropAll(store.log)
          this.#becomeHalf()
          identity.writeMeta()
        },
        end: (sender) => this.#installed(held, sender, { leftovers, folded }),
      },
    })
    return {
      chunk: (bytes) => state.chunk(bytes),
      abandon: () => state.abandon(),
      finish: () => {
        try {
          state.finish()
        } finally {
          this.#tellOfHalf()
        }
      },
    }
  }

  #becomeHalf(): void {
    this.#options.identity.isResyncing = true
    this.#half ??= this.#options.holds.take('a state of which only half has been taken over')
  }

  #becomeWhole(): void {
    this.#options.identity.isResyncing = false
    this.#half?.release()
    this.#half = undefined
  }

  #tellOfHalf(): void {
    if (this.isHalfDone) this.#options.observe({ kind: 'resync:interrupted' })
  }

  /** Goes on if the machine died, or the disk was full, while operations were issued again. */
  resume(): void {
    const { reissuing } = this.#options.identity
    if (reissuing.size === 0) return
    const store = this.#store
    const held = store.applied.copy()
    held.join(reissuing)
    const { ended } = store.table
    const parts = { store, vector: store.applied, ended, held, own: this.#own, isWhole: false }
    const leftovers = leftoversBeyond(parts)
    this.#reenter({ leftovers, folded: [] })
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
    for (const [replica] of formers.entries()) own.raise(replica, applied.get(replica))
    return own
  }

  #installed(vector: VersionVector, sender: Sender, beyond: Beyond): void {
    const { store, identity, onReplaced } = this.#options
    const { applied } = store
    const before = applied.copy()
    const own = this.#own
    const former = identity.replica
    this.#takeEnded(sender)
    const { ended } = store.table
    applied.assign(ended.stripped(vector))
    this.#options.floor.assign(ended.stripped(sender.floor))
    identity.reissued.assign(sender.reissued)
    this.#mergeRetired(vector, sender.retired)
    this.#becomeWhole()
    // For good: operations under a name that nobody here knows any more may come back with
    // somebody's state, and have to be known as own then.
    identity.formers.assign(ended.stripped(own))
    for (const [replica] of vector.entries()) if (replica !== former) identity.writers.shared.noteApplied(replica)
    const { leftovers } = beyond
    if (leftovers.length > 0) identity.reissuing.assign(before)
    if (leftovers.some(({ isOwn }) => isOwn)) {
      // Others may hold under the former names what is issued again.
      for (const { isOwn, replica } of leftovers)
        if (isOwn && !ended.isPruned(replica)) identity.retired.retire(replica, vector.get(replica))
      identity.takeNew()
    } else identity.writeMeta()
    this.#reenter(beyond)
    // Peers remember what they heard that we have: what is gone is gone with the name. And it may
    // have come to an end for the sender.
    const isOver =
      !applied.dominates(ended.stripped(before)) || identity.retired.endOf(former) < Infinity || ended.isPruned(former)
    if (identity.replica === former && isOver) identity.takeNew()
    onReplaced()
  }

  /** Also what the sender has pruned is: what has been taken over does not name it. */
  #takeEnded({ ended: theirs }: Sender): void {
    const { store, identity, pruning } = this.#options
    const { ended } = store.table
    ended.assign(theirs)
    if (theirs.size === 0) return
    identity.forgetPruned([...theirs.pruned()], theirs.replicas())
    pruning.pruned()
  }

  /**
   * What the snapshot holds counts: of two replicas that refuse what the other one holds, one has
   * to give in.
   */
  #mergeRetired(vector: VersionVector, senders: VectorEntries): void {
    const { retired } = this.#options.identity
    for (const [replica, end] of senders) retired.retire(replica, end)
    for (const replica of retired.voidIn(vector.entries())) retired.reinstate(replica, vector.get(replica))
  }

  #reenter({ leftovers, folded }: Beyond): void {
    const { store, admission, identity, outlet, observe } = this.#options
    const lost = [...folded]
    const onReissued = identity.reissuing.size > 0 ? outlet.holdBack() : undefined
    try {
      const admit = (envelope: Uint8Array): void => {
        // What a half installed snapshot already contains must not be applied on top of it.
        if (!this.isHalfDone) admission.admit(envelope, 0, envelope.length)
      }
      const { reissued } = identity
      const ofKeys = new Set(folded.map(({ key }) => key))
      reenter(leftovers, { store, reissued, folded: ofKeys, admit, onLost: (one) => lost.push(one) })
    } catch (error) {
      // What is left follows before the next snapshot is installed, which has to come for that.
      this.#becomeHalf()
      throw error
    } finally {
      onReissued?.()
      for (const one of lost) observe({ kind: 'rejoin:lost', ...one })
    }
    if (identity.reissuing.size === 0) return
    identity.reissuing.assign(new VersionVector())
    identity.writeMeta()
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
