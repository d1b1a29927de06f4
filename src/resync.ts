/**
 * Taking over a peer's state: what happens around the installation of a snapshot. Before it, what this replica holds beyond the snapshot is
 * gathered; after it, `applied` and `floor` are the peer's, and the leftovers enter again. Meta records around it tell a later opening how far
 * it came: a state that is half the old and half the new one admits and exports nothing until a snapshot has been installed as a whole.
 */
import type { ReplicaId } from '../crdt/replica-id.ts'
import type { VersionVector } from '../crdt/version-vector.ts'
import type { KeyStore } from './key-store.ts'
import type { Slot } from './key-table.ts'
import { leftoversBeyond, reenter, type Issued, type Leftover } from './leftovers.ts'
import type { Meta } from './meta-record.ts'
import type { Forgotten } from './recovery.ts'
import type { SnapshotImport } from './replication/store.ts'
import { SnapshotWriter } from './snapshot-transfer.ts'

export interface ResyncOptions {
  readonly store: KeyStore
  readonly floor: VersionVector
  readonly writeMeta: () => void
  readonly takeNewIdentity: () => void
  readonly admit: (envelope: Uint8Array) => void
  readonly onBegin: () => void
  readonly onEnd: () => void
  readonly onForgotten: (forgotten: Forgotten, operationsCount: number) => void
  readonly onOperation: (slot: Slot) => void
  /** The state has been replaced otherwise than by operations. */
  readonly onReplaced: () => void
}

export class Resync {
  readonly #options: ResyncOptions
  readonly #store: KeyStore
  /** The state is a mixture of an old one and a snapshot. */
  isHalfDone: boolean
  /** Whose operations are being issued again. */
  former: ReplicaId | undefined

  constructor(options: ResyncOptions, meta: Meta | undefined) {
    this.#options = options
    this.#store = options.store
    this.isHalfDone = meta?.isResyncing === true
    this.former = meta?.former
  }

  begin(vector: VersionVector): SnapshotImport {
    const { store, onBegin, onEnd, onForgotten, onOperation, writeMeta } = this.#options
    const held = vector.copy()
    let leftovers: Leftover[] = []
    onBegin()
    return new SnapshotWriter({
      store,
      onForgotten,
      onOperation,
      onEnd,
      onInstall: () => {
        leftovers = leftoversBeyond({ store, vector: held, held: store.applied, self: store.lanes.shared.replica })
        this.isHalfDone = true
        writeMeta()
      },
      onInstalled: (floor) => this.#installed(held, floor, leftovers),
    })
  }

  /** Goes on if the machine died while operations were issued again; `issued` says how many had been. */
  resume(issued: Issued): void {
    const { former } = this
    if (former === undefined) return
    const store = this.#store
    const held = store.applied.copy()
    held.raise(former, Number.MAX_SAFE_INTEGER)
    this.#reenter(leftoversBeyond({ store, vector: store.applied, held, self: former }), former, issued)
  }

  #installed(vector: VersionVector, floor: VersionVector, leftovers: readonly Leftover[]): void {
    const { store, takeNewIdentity, writeMeta, onReplaced } = this.#options
    const { applied } = store
    const before = applied.copy()
    const former = store.lanes.shared.replica
    applied.assign(vector)
    this.#options.floor.assign(floor)
    this.isHalfDone = false
    for (const [replica] of vector.entries()) if (replica !== former) store.lanes.shared.noteApplied(replica)
    if (leftovers.some(({ isOwn }) => isOwn)) {
      this.former = former
      takeNewIdentity()
    } else writeMeta()
    this.#reenter(leftovers, former, { replica: store.lanes.shared.replica, count: 0 })
    // Peers remember what they heard that we have: what is gone is gone with the name.
    if (store.lanes.shared.replica === former && !applied.dominates(before)) takeNewIdentity()
    onReplaced()
  }

  #reenter(leftovers: readonly Leftover[], former: ReplicaId, issued: Issued): void {
    const { store, admit, writeMeta } = this.#options
    reenter(leftovers, { store, former, issued, admit })
    if (this.former === undefined) return
    this.former = undefined
    writeMeta()
  }
}
