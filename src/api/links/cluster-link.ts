/**
 * Ties an engine to its transports: opens replication where there are any, wakes it when operations
 * may be sent, and remembers the names of those that were heard. Without transports everything here
 * does nothing.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Log } from '../../log/log.ts'
import type { Outlet } from '../../log/outlet.ts'
import type { Departing } from '../../membership/departing.ts'
import { whoIsEvicted, type Evictable, type EvictOptions } from '../../membership/eviction.ts'
import { knownReplicas, NameBook, type KnownReplica } from '../../membership/name-book.ts'
import type { KeyMap } from '../../keys/typed-keys.ts'
import type { Env } from '../../ports/env.ts'
import type { Recorder } from '../../ports/recorder.ts'
import type { ReplicaAcknowledgements } from '../../store/write-road/acknowledgement.ts'
import type { PeerReport } from '../../replication/replication-stats.ts'
import type { RegionReport } from '../../replication/regions/region-table.ts'
import type { Replicator } from '../../replication/replicator.ts'
import type { ReplicationStore } from '../../replication/store.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { regionPlan } from './relay.ts'
import { missingPart } from '../missing-parts.ts'
import type { WarpParts } from '../parts.ts'
import type { CloseOptions, WarpEvent, WarpOptions } from '../public.ts'

/** So long a replica that leaves waits until another one has all that it wrote. */
const FAREWELL_MS = 2000
/** And so often it looks whether there still is another one. */
const FAREWELL_LOOK_MS = 50

/** The engine, as far as its link to a cluster sees it. */
export interface LinkedEngine extends ReplicationStore, Departing {
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
  readonly options: Pick<
    WarpOptions<KeyMap>,
    'transports' | 'replication' | 'observe' | 'name' | 'zone' | 'region' | 'relays'
  >
}

export class ClusterLink {
  /** `undefined`: there are no transports. */
  readonly replicator: Replicator | undefined
  readonly #engine: LinkedEngine
  readonly #env: Env
  readonly #name: string | undefined
  readonly #names = new NameBook()
  #isFlushing = false

  /** Throws `WARP_E_CONFIG`, if there are transports and no part that replicates. */
  constructor(parts: ClusterLinkParts) {
    this.#engine = parts.engine
    this.#env = parts.env
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

  /**
   * Says good-bye, so that the others do not wait for what this replica would have to say. With
   * `leave`, or if nothing of it outlives the process, for good.
   */
  async depart({ leave = false }: CloseOptions): Promise<void> {
    const { replicator } = this
    if (replicator?.isJoined !== true || this.#engine.needsSnapshot === true) return
    const { persistent } = this.#engine
    try {
      await this.#told(replicator, leave || !persistent ? this.#engine.leave() : this.#engine.away(replicator.awayMs))
    } catch {
      // The log takes nothing more, or nobody has answered in time: the others wait for the horizon.
    }
  }

  /**
   * Says that nobody is to wait for a replica any more. Settles when that outlives this process.
   * Throws `WARP_E_CONFIG`.
   */
  async evict(said: string, options: EvictOptions | undefined): Promise<Dot> {
    if (this.replicator === undefined)
      throw new WarpError('WARP_E_CONFIG', 'evict: without transports there are no other replicas')
    const replica = whoIsEvicted(said, options, this.#evictable(this.replicator))
    if (this.#engine.needsSnapshot === true)
      throw new WarpError('WARP_E_RESYNC_REQUIRED', 'evict: a state is being taken over; try again when that is done')
    const dot = this.#engine.evict([replica])
    this.#appended()
    if (this.#engine.log.persistent) await this.#engine.log.settled('logged')
    return dot
  }

  #evictable(replicator: Replicator): Evictable[] {
    const { ended, departures } = this.#engine
    const up = new Set(this.peers().flatMap(({ replica, state }) => (state === 'up' ? [replica] : [])))
    const members = new Map<ReplicaId, Pick<Evictable, 'replica' | 'name' | 'isSelf'>>()
    for (const { replica, name } of replicator.members())
      members.set(replica, { replica, ...(name === '' ? {} : { name }), isSelf: false })
    for (const replica of this.replicas()) members.set(replica.replica, replica)
    return [...members.values()]
      .filter(({ replica, isSelf }) => isSelf || !ended.isPruned(replica))
      .map((one) => ({ ...one, isUp: up.has(one.replica), departure: departures.of(one.replica) }))
  }

  /** Something that belongs to no key has been written. */
  written(): void {
    if (this.replicator !== undefined) this.#appended()
  }

  async close(): Promise<void> {
    await this.replicator?.close()
  }

  /** Settles when another replica has it, or soon. */
  async #told(replicator: Replicator, dot: Dot): Promise<void> {
    this.#appended()
    const isHeard = (): boolean => replicator.peers().some((peer) => canAnswer(peer) && !this.#isGoing(peer))
    if (!isHeard()) return
    const enough = new AbortController()
    const untilMs = this.#env.monotonic() + FAREWELL_MS
    const look = (): void => {
      if (!isHeard() || this.#env.monotonic() >= untilMs) enough.abort()
      else timer = this.#env.schedule(FAREWELL_LOOK_MS, look)
    }
    let timer = this.#env.schedule(FAREWELL_LOOK_MS, look)
    const letGo = this.#env.stayAlive?.()
    try {
      await replicator.acknowledgements.settled(dot, { replicas: 1, countSelf: false }, enough.signal)
    } finally {
      timer.cancel()
      letGo?.()
    }
  }

  peers(): PeerReport[] {
    return this.replicator?.peers() ?? []
  }

  regions(): RegionReport[] {
    return this.replicator?.regions() ?? []
  }

  replicas(): KnownReplica[] {
    for (const peer of this.peers()) this.#names.learn(peer)
    const { replica, applied } = this.#engine
    return knownReplicas(applied, this.#names, { replica, name: this.#name })
  }

  /** It has said good-bye itself: nobody has to wait for its answer. */
  #isGoing({ replica }: PeerReport): boolean {
    if (replica === undefined) return false
    const { departures, applied } = this.#engine
    return departures.of(replica) !== undefined || departures.awayMs(replica, applied) !== undefined
  }

  #open({ engine, env, parts, recorder, options }: ClusterLinkParts): Replicator | undefined {
    const { transports = [], replication, observe, name, zone } = options
    const { replication: Replication } = parts
    if (transports.length === 0) {
      // Mistyped all the same, and nobody would notice before there is a transport.
      if (replication === undefined) return undefined
      if (Replication === undefined) throw missingPart('replication', 'replication')
      Replication.checkOptions(replication)
      return undefined
    }
    if (Replication === undefined) throw missingPart('replication', 'transports')
    return new Replication({
      ...{ store: engine, env, transports, recorder },
      ...(name === undefined ? {} : { name }),
      ...(zone === undefined ? {} : { zone }),
      ...(options.region === undefined ? {} : { regions: regionPlan(options) }),
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

/** Who is heard through a relay only cannot be asked. */
function canAnswer({ state, isRelayed }: PeerReport): boolean {
  return state === 'up' && isRelayed !== true
}
