/**
 * Ties an engine to its transports: opens replication where there are any, wakes it when operations
 * may be sent, and remembers the names of those that were heard. Without transports everything here
 * does nothing.
 */
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Log } from '../log/log.ts'
import type { Outlet } from '../log/outlet.ts'
import { knownReplicas, NameBook, type KnownReplica } from '../membership/name-book.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import type { Env } from '../ports/env.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { ReplicaAcknowledgements } from '../store/write-road/acknowledgement.ts'
import type { PeerReport } from '../replication/replication-stats.ts'
import type { Replicator } from '../replication/replicator.ts'
import type { ReplicationStore } from '../replication/store.ts'
import type { KeyStore } from '../store/key-store.ts'
import { missingPart } from './missing-parts.ts'
import type { WarpParts } from './parts.ts'
import type { WarpEvent, WarpOptions } from './public.ts'

/** The engine, as far as its link to a cluster sees it. */
export interface LinkedEngine extends ReplicationStore {
  readonly replica: ReplicaId
  readonly applied: VersionVector
  readonly log: Log
  readonly outlet: Outlet
  readonly store: KeyStore
}

export interface ClusterLinkParts {
  readonly engine: LinkedEngine
  readonly env: Env
  readonly parts: WarpParts
  readonly recorder: Recorder | undefined
  readonly options: Pick<WarpOptions<KeyMap>, 'transports' | 'replication' | 'observe' | 'name' | 'zone'>
}

export class ClusterLink {
  /** `undefined`: there are no transports. */
  readonly replicator: Replicator | undefined
  readonly #engine: LinkedEngine
  readonly #name: string | undefined
  readonly #names = new NameBook()
  #isFlushing = false

  /** Throws `WARP_E_CONFIG`, if there are transports and no part that replicates. */
  constructor(parts: ClusterLinkParts) {
    this.#engine = parts.engine
    this.#name = parts.options.name
    this.replicator = this.#open(parts)
  }

  /** What a write waits in for other replicas. `undefined`: there are none to wait for. */
  get acknowledgements(): ReplicaAcknowledgements | undefined {
    return this.replicator?.acknowledgements
  }

  async start(): Promise<void> {
    if (this.replicator === undefined) return
    await this.replicator.start()
    this.#engine.store.subscribe(() => this.#appended())
    this.#appended()
  }

  async close(): Promise<void> {
    await this.replicator?.close()
  }

  peers(): PeerReport[] {
    return this.replicator?.peers() ?? []
  }

  replicas(): KnownReplica[] {
    for (const peer of this.peers()) this.#names.learn(peer)
    const { replica, applied } = this.#engine
    return knownReplicas(applied, this.#names, { replica, name: this.#name })
  }

  #open({ engine, env, parts, recorder, options }: ClusterLinkParts): Replicator | undefined {
    const { transports = [], replication, observe, name, zone } = options
    if (transports.length === 0) return undefined
    const { replication: Replication } = parts
    if (Replication === undefined) throw missingPart('replication', 'transports')
    return new Replication({
      ...{ store: engine, env, transports, recorder },
      ...(name === undefined ? {} : { name }),
      ...(zone === undefined ? {} : { zone }),
      ...(replication === undefined ? {} : { options: replication }),
      observe: (event: WarpEvent) => {
        if ('peer' in event) this.#names.learn(event.peer)
        observe?.(event)
      },
    })
  }

  /**
   * Operations may be sent once they outlive this process: a dot that others know must not be used
   * again.
   */
  #appended(): void {
    const { log, outlet } = this.#engine
    if (!log.persistent) {
      this.replicator?.appended()
      return
    }
    if (this.#isFlushing) return
    this.#isFlushing = true
    outlet.settled().then(
      () => {
        this.#isFlushing = false
        this.replicator?.appended()
        // What was appended while that was on its way.
        if (this.#engine.sendable < log.end) this.#appended()
      },
      () => (this.#isFlushing = false),
    )
  }
}
