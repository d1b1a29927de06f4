/** What this replica wrote, for the broadcaster: it goes out over every transport. */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { BroadcastSource } from './broadcaster.ts'
import type { Link } from './peers.ts'
import type { Reception } from './reception/reception.ts'
import type { ReplicationStore } from './store.ts'

export class OwnOperations implements BroadcastSource {
  readonly links: readonly Link[]
  readonly #store: ReplicationStore
  readonly #reception: Reception
  /** Who we were, and how far we had written, when everything had been sent. */
  #sentAs: ReplicaId | undefined
  #sentThrough = 0

  constructor(store: ReplicationStore, reception: Reception, links: readonly Link[]) {
    this.#store = store
    this.#reception = reception
    this.links = links
  }

  isPaused(): boolean {
    return this.#reception.isImporting || !this.#reception.isJoined
  }

  /** What has been appended since is others': they broadcast it. */
  isSent(): boolean {
    const { replica, applied } = this.#store
    return replica === this.#sentAs && applied.get(replica) === this.#sentThrough
  }

  wants({ replica }: OperationReader): boolean {
    return replica === this.#store.replica
  }

  caughtUp(): void {
    this.#sentAs = this.#store.replica
    this.#sentThrough = this.#store.applied.get(this.#sentAs)
  }

  /** Whom it did not reach learns from the digest that it is missing. */
  sent(): void {
    this.#reception.changed()
  }
}
