/**
 * One load in the cluster. Who lacks a copy asks the replica that the rendezvous hash names among those
 * that are up, and keeps what that says if it may. Nothing is locked, and nothing has to expire: who is
 * asked may know less or see others, which costs a load and never brings a wrong value.
 *
 * The question says what the asker has seen, and what it remembers no more (`need`). A load that begins
 * then counts as having seen it: the asker knew it, and the load began later. The answer says what its
 * load had seen when it *began*, and the asker judges (`fills.ts`). What may not be kept is loaded here.
 *
 * Waits are bounded. Who is asked says *cannot*, or says again and again that it works on it. One that
 * falls silent is taken for gone: the next one is asked, once, and whoever has to wait longer than
 * `clusterWaitMs` for one of them loads here.
 *
 * Modelled in test/models/data-layer (load-only, store); docs/data-layer-model.md.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { ClusterRules, Load } from '../../keys/source/source.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import type { Env } from '../../ports/env.ts'
import type {
  LoadAnswer,
  LoadAnswererPort,
  LoadAsked,
  LoadFill,
  LoadTalkPort,
  StoredRow,
} from '../../ports/talk/load-talk.ts'
import type { Flight } from '../flight.ts'
import type { Invalidations } from '../invalidations.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { LoadRequest } from '../load-request.ts'
import type { Loads, LoadsElsewhere } from '../loads.ts'
import type { Fills } from './fills.ts'
import { rendezvous } from '../../replication/members/rendezvous.ts'

export interface ClusterLoadsOptions {
  readonly env: Env
  readonly talk: LoadTalkPort
  readonly self: () => ReplicaId
  /** What has been applied here. Live. */
  readonly applied: VersionVector
  readonly ended: EndedIds
  readonly invalidations: Invalidations
  readonly keeper: Keeper
  readonly loads: Loads
  readonly keyspaceOf: (key: string) => Keyspace
  /** What brings the value of a key without anybody who calls; `undefined`: nobody here knows how. */
  readonly loadOf: (keyspace: Keyspace) => Load | undefined
  readonly fills: Fills
  /** Another replica has written rows. */
  readonly stored: (rows: readonly StoredRow[]) => void
}

type Answer = (answer: LoadAnswer) => void

/** A flight that may be joined by other replicas. */
interface Joinable {
  /** What had been seen when the load began; `undefined`: another replica is being asked. */
  vector: VersionVector | undefined
  readonly askers: Answer[]
  /** Makes it load here instead of waiting for another replica; that has to have seen this. */
  turn: ((need: VersionVector) => void) | undefined
}

interface Question {
  readonly owner: ReplicaId
  readonly key: string
  readonly isSecond: boolean
  readonly signal: AbortSignal
  readonly waitMs: number
}

/** How it has gone with the replica that was asked. */
type Outcome = LoadFill | { readonly kind: 'cannot' | 'silent' | 'slow' | 'turned' }

/** So often it is said that a load is under way. */
const BEAT_MS = 40
/** Who says nothing for so long is taken for gone, or for half of `clusterWaitMs` if that is more. */
const QUIET_MS = 100
/** One that fell silent is not asked for so long. */
const AVOIDED_MS = 1000
const ROUNDS_MAX = 2

export class ClusterLoads implements LoadAnswererPort, LoadsElsewhere {
  readonly #options: ClusterLoadsOptions
  readonly #flights = new WeakMap<Flight, Joinable>()
  readonly #avoided = new Map<ReplicaId, number>()
  /** Loads that another replica has answered. */
  fillsCount = 0

  constructor(options: ClusterLoadsOptions) {
    this.#options = options
    options.talk.connect(this)
  }

  /**
   * Brings the value of a flight that has begun: from another replica, or by `here`. `need`: what another
   * replica asks that the load has seen, if that is why it began.
   */
  load(
    flight: Flight,
    request: LoadRequest,
    { here, need }: { readonly here: () => Promise<unknown>; readonly need: VersionVector | undefined },
  ): Promise<unknown> {
    const cluster = this.#options.keyspaceOf(request.key).source?.cluster
    if (cluster === undefined) return here()
    const joinable: Joinable = { vector: undefined, askers: [], turn: undefined }
    this.#flights.set(flight, joinable)
    void flight.landed.then((landing) =>
      this.#landed(flight, joinable, landing.kind === 'loaded' ? landing : undefined),
    )
    if (need === undefined && this.#ownerOf(request.key, []) !== undefined)
      return this.#ask(flight, joinable, { request, here, cluster })
    joinable.vector = this.#seenNow(need)
    return here()
  }

  stored(rows: readonly StoredRow[]): void {
    this.#options.stored(rows)
  }

  asked(asked: LoadAsked, answer: Answer): void {
    const { key, need } = asked
    const keyspace = this.#options.keyspaceOf(key)
    const isAsked = keyspace.source?.cluster !== undefined && !this.#options.loads.isClosed
    if (isAsked && this.#hasAll(need) && this.#answerFromCopy(key, answer)) return
    if (!isAsked || !this.#joins(asked, keyspace, answer)) answer({ kind: 'cannot' })
  }

  /** Lets another replica join a load. Returns whether there is one to join, or could be begun. */
  #joins({ key, need, isSecond }: LoadAsked, keyspace: Keyspace, answer: Answer): boolean {
    const flight = this.#options.loads.joinable(key) ?? this.#begin(key, keyspace, need)
    const joinable = flight === undefined ? undefined : this.#flights.get(flight)
    if (flight === undefined || joinable === undefined) return false
    // Of two that see others differently each may ask the other one.
    if (joinable.vector === undefined && !isSecond) return false
    // The one that it waits for has fallen silent, by the word of who asks.
    joinable.turn?.(need)
    joinable.askers.push(answer)
    answer({ kind: 'working' })
    if (joinable.askers.length === 1) this.#beat(flight, joinable)
    return true
  }

  /** A load for another replica. `undefined` if there is none: nobody here knows how, or too many are under way. */
  #begin(key: string, keyspace: Keyspace, need: VersionVector): Flight | undefined {
    const { loads, loadOf } = this.#options
    const load = loadOf(keyspace)
    const { source } = keyspace
    if (load === undefined || source === undefined || loads.isFull) return undefined
    const request = {
      key,
      rules: source.rules,
      tags: [],
      signal: undefined,
      load: (context: Parameters<typeof load>[1]) => load(key, context),
    }
    return loads.begin(request, need)
  }

  async #ask(
    flight: Flight,
    joinable: Joinable,
    { request, here, cluster }: { request: LoadRequest; here: () => Promise<unknown>; cluster: ClusterRules },
  ): Promise<unknown> {
    const { key } = request
    const tried: ReplicaId[] = []
    const turned = new VersionVector()
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const owner = this.#ownerOf(key, tried)
      if (owner === undefined) break
      tried.push(owner)
      const outcome = await new Promise<Outcome>((resolve) => {
        const end = this.#wait(
          { owner, key, isSecond: round > 0, signal: flight.signal, waitMs: cluster.waitMs },
          resolve,
        )
        joinable.turn = (need) => {
          turned.join(need)
          end({ kind: 'turned' })
        }
      })
      if (outcome.kind === 'fill') {
        const filled = await this.#options.fills.take(flight, request, outcome)
        if (filled !== MISS) {
          this.fillsCount++
          return filled
        }
      }
      if (outcome.kind !== 'silent') break
      this.#avoided.set(owner, this.#options.env.monotonic() + AVOIDED_MS)
    }
    joinable.turn = undefined
    joinable.vector = this.#seenNow(turned)
    // Given up meanwhile: nobody waits any more.
    return flight.isOver ? undefined : here()
  }

  /** Asks one replica, and waits in bounds. Returns how to end that. */
  #wait(
    { owner, key, isSecond, signal, waitMs }: Question,
    resolve: (outcome: Outcome) => void,
  ): (outcome: Outcome) => void {
    const { env, talk } = this.#options
    const quietMs = Math.min(waitMs, Math.max(QUIET_MS, waitMs / 2))
    const silent = (): void => end({ kind: 'silent' })
    const whole = env.schedule(waitMs, () => end({ kind: 'slow' }))
    let quiet = env.schedule(quietMs, silent)
    let isOver = false
    const stops: (() => void)[] = []
    const end = (outcome: Outcome): void => {
      if (isOver) return
      isOver = true
      quiet.cancel()
      whole.cancel()
      for (const stop of stops) stop()
      resolve(outcome)
    }
    stops.push(whenAborted(signal, () => end({ kind: 'slow' })))
    const stop = talk.ask(owner, { key, need: this.#need(), isSecond }, (answer) => {
      if (answer.kind === 'gone') silent()
      else if (answer.kind !== 'working') end(answer)
      else if (!isOver) {
        quiet.cancel()
        quiet = env.schedule(quietMs, silent)
      }
    })
    stops.push(stop)
    return end
  }

  #answerFromCopy(key: string, answer: Answer): boolean {
    const { keeper, applied } = this.#options
    const slot = keeper.copies.find(key)
    const value = slot === undefined ? MISS : keeper.fresh(slot)
    if (value === MISS) return false
    answer(this.#fill(key, value, applied))
    return true
  }

  #landed(flight: Flight, { askers, vector }: Joinable, loaded: { readonly value: unknown } | undefined): void {
    if (askers.length === 0) return
    const isUseful = loaded !== undefined && vector !== undefined && !flight.isVoid
    const said = isUseful ? this.#fill(flight.key, loaded.value, vector) : ({ kind: 'cannot' } as const)
    for (const answer of askers.splice(0)) answer(said)
  }

  #fill(key: string, value: unknown, begin: VersionVector): LoadAnswer {
    const copy = this.#options.fills.of(key, value)
    return copy === undefined ? { kind: 'cannot' } : { kind: 'fill', begin: begin.copy(), ...copy }
  }

  /** Says that it is being worked on, until it is not. */
  #beat(flight: Flight, joinable: Joinable): void {
    this.#options.env.schedule(BEAT_MS, () => {
      if (flight.isOver || joinable.askers.length === 0) return
      for (const answer of joinable.askers) answer({ kind: 'working' })
      this.#beat(flight, joinable)
    })
  }

  /** Whom to ask; `undefined`: nobody, it is loaded here. */
  #ownerOf(key: string, tried: readonly ReplicaId[]): ReplicaId | undefined {
    const { talk, self, env } = this.#options
    const nowMs = env.monotonic()
    const there = new Set<ReplicaId>([self()])
    for (const replica of talk.answerers())
      if (!tried.includes(replica) && (this.#avoided.get(replica) ?? 0) <= nowMs) there.add(replica)
    if (this.#avoided.size > 0)
      for (const [replica, untilMs] of this.#avoided) if (untilMs <= nowMs) this.#avoided.delete(replica)
    const owner = rendezvous(key, there)
    return owner === self() ? undefined : owner
  }

  #need(): VersionVector {
    return this.#seenNow(this.#options.invalidations.forgotten)
  }

  #seenNow(besides: VersionVector | undefined): VersionVector {
    const seen = this.#options.applied.copy()
    if (besides !== undefined) seen.join(besides)
    return seen
  }

  #hasAll(need: VersionVector): boolean {
    const { applied, ended } = this.#options
    for (const [replica, sequence] of need.entries())
      if (!applied.includes(replica, sequence) && !ended.includes(replica, sequence)) return false
    return true
  }
}
