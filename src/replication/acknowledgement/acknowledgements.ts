/**
 * Waits until so many replicas, in so many zones, hold this replica's operations. Peers are asked
 * once per turn of the event loop for all that is waited for, since one number says how far a peer
 * holds the operations of a writer, and again with back-off while something is missing.
 *
 * A replica counts once, by its id, over however many transports it is seen, and however often it
 * answers. It counts in its present session only: what it said before it started again may be lost.
 * One that goes away stops counting; when it is back it is asked again.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { AckLevel, ReplicaAcknowledgements, ReplicaAcks } from '../../store/write-road/acknowledgement.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'
import { ACKNOWLEDGEMENTS_MAX, type HeldOperations, type WantedAcknowledgement } from '../wire/frames.ts'
import type { Holdings } from './holdings.ts'
import { type Held, type Member, notEnough } from './missing.ts'
import { heldByEnough, type Holder } from './quorum.ts'

/** Waits at one time: each holds a promise of a caller and some 200 bytes. */
export const ACKNOWLEDGEMENT_WAITS_MAX = 65_536
/** Replicas whose answers are kept. */
const HOLDERS_MAX = 4096
/**
 * Sessions of a replica that are remembered as over, so that a late answer of one of them does not
 * count.
 */
const SESSIONS_REMEMBERED = 16

export interface AcknowledgementsParts {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly post: Post
  readonly holdings: Holdings
  /** The other replicas that take part, as far as they are known. */
  readonly members: () => readonly Member[]
}

interface Wait {
  readonly sequence: number
  isSettled: boolean
  /** Once, when it is in no group any more. */
  settle(reached: AckLevel | WarpError): void
}

/** Waits that ask for the same of operations of the same replica. */
interface Group {
  readonly replica: ReplicaId
  /** `undefined`: logged, or in memory where a replica's log is in memory. */
  readonly level: AckLevel | undefined
  readonly replicas: number
  readonly zones: number
  readonly countSelf: boolean
  /** Ascending by sequence. */
  readonly waits: Wait[]
}

/** What another replica has answered in its present session. */
interface Answered {
  session: number
  readonly earlier: number[]
  readonly held: Map<ReplicaId, HeldOperations>
  zone: string
  isPersistent: boolean
}

interface KnownHolder extends Holder {
  /** Its log outlives the process. */
  readonly isPersistent: boolean
}

export class Acknowledgements implements ReplicaAcknowledgements {
  readonly #parts: AcknowledgementsParts
  readonly #groups = new Map<string, Group>()
  readonly #answered = new Map<ReplicaId, Answered>()
  #count = 0
  /** Ends keeping the process alive, which somebody who waits does. */
  #letGo: () => void = nothing
  #isAsking = false
  #timer: Timer | undefined
  #retryDelayMs: number
  #isClosed = false

  constructor(parts: AcknowledgementsParts) {
    this.#parts = parts
    this.#retryDelayMs = parts.settings.requestTimeoutMs
    parts.holdings.onChange(() => this.#evaluate())
  }

  /** Waits that have not settled. */
  get count(): number {
    return this.#count
  }

  settled(dot: Dot, acks: ReplicaAcks, signal?: AbortSignal): Promise<AckLevel> {
    const refusal = this.#refusal(acks, signal)
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      const group = this.#group(dot.replica, acks)
      const giveUp = (error: WarpError): void => {
        group.waits.splice(group.waits.indexOf(wait), 1)
        wait.settle(error)
      }
      const aborted = (): void => giveUp(abortedError(dot, signal))
      const late = (): void => giveUp(notEnough(dot, acks, this.#heldOf(group, dot.sequence)))
      const timer = acks.timeoutMs === undefined ? undefined : this.#parts.env.schedule(acks.timeoutMs, late)
      const wait: Wait = {
        sequence: dot.sequence,
        isSettled: false,
        settle: (reached) => {
          if (--this.#count === 0) this.#letGo()
          wait.isSettled = true
          timer?.cancel()
          signal?.removeEventListener('abort', aborted)
          if (typeof reached === 'string') resolve(reached)
          else reject(reached)
        },
      }
      if (this.#count++ === 0) this.#letGo = this.#parts.env.stayAlive?.() ?? nothing
      signal?.addEventListener('abort', aborted)
      insert(group.waits, wait)
      const { holdings } = this.#parts
      if (group.countSelf) holdings.want(dot.replica, group.level ?? 'logged', dot.sequence)
      this.#settleHeld(group)
      if (!wait.isSettled) this.#askSoon()
    })
  }

  /** `peer` says how far it holds operations. */
  held(peer: Peer, held: readonly HeldOperations[]): void {
    const answered = this.#answeredOf(peer)
    if (answered === undefined) return
    for (const entry of held) {
      const known = answered.held.get(entry.replica)
      // Nobody else asks for acknowledgements of this replica's ids, so others are no answer.
      if (!this.#isWaitedFor(entry.replica)) continue
      answered.held.set(entry.replica, known === undefined ? entry : newest(known, entry))
    }
    this.#retryDelayMs = this.#parts.settings.requestTimeoutMs
    this.#evaluate()
  }

  /** A peer has come up, or said who it is. */
  met(peer: Peer): void {
    const isKnown = peer.replica !== undefined && this.#answered.has(peer.replica)
    if (this.#count === 0 && !isKnown) return
    // In a new session it holds what it says anew, and nothing until then.
    if (this.#answeredOf(peer) !== undefined) this.#evaluate()
    if (this.#count > 0) this.#askSoon()
  }

  /**
   * `replica` is not seen any more over any transport, or has started again: what it held does not
   * count.
   */
  gone(replica: ReplicaId): void {
    this.#answered.get(replica)?.held.clear()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    for (const group of this.#groups.values()) for (const wait of group.waits) wait.settle(closedError())
    this.#groups.clear()
  }

  #refusal(acks: ReplicaAcks, signal: AbortSignal | undefined): WarpError | undefined {
    const { replicas, zones = 1 } = acks
    if (this.#isClosed) return closedError()
    if (signal?.aborted === true) return abortedError(undefined, signal)
    if (!Number.isInteger(replicas) || replicas < 1 || !Number.isInteger(zones) || zones < 1 || zones > replicas) {
      return new WarpError(
        'WARP_E_CONFIG',
        `acks asks for ${replicas} replicas in ${zones} zones; give whole numbers of at least 1, and not more zones than replicas`,
        { details: { replicas, zones } },
      )
    }
    if (this.#count < ACKNOWLEDGEMENT_WAITS_MAX) return undefined
    return new WarpError(
      'WARP_E_LIMIT',
      `${this.#count} writes wait for acknowledgements; the limit is ${ACKNOWLEDGEMENT_WAITS_MAX}; wait for some of them first`,
      { details: { limit: ACKNOWLEDGEMENT_WAITS_MAX }, outcome: 'indeterminate' },
    )
  }

  #group(replica: ReplicaId, { replicas, zones = 1, level, countSelf = true }: ReplicaAcks): Group {
    const key = [replica, level ?? '', replicas, zones, countSelf].join('/')
    let group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, (group = { replica, level, replicas, zones, countSelf, waits: [] }))
    return group
  }

  #isWaitedFor(replica: ReplicaId): boolean {
    for (const group of this.#groups.values()) if (group.replica === replica) return true
    return false
  }

  /** What `peer` has answered in this session; `undefined` if it does not count. */
  #answeredOf(peer: Peer): Answered | undefined {
    const { sender, hello } = peer
    // A copy of this replica is not another one.
    if (sender === undefined || sender.replica === this.#parts.store.replica) return undefined
    let answered = this.#answered.get(sender.replica)
    if (answered === undefined) {
      if (this.#answered.size >= HOLDERS_MAX) this.#forgetOldest()
      answered = { session: sender.session, earlier: [], held: new Map(), zone: '', isPersistent: true }
      this.#answered.set(sender.replica, answered)
    }
    if (answered.session !== sender.session) {
      if (answered.earlier.includes(sender.session)) return undefined
      if (answered.earlier.length === SESSIONS_REMEMBERED) answered.earlier.shift()
      answered.earlier.push(answered.session)
      answered.session = sender.session
      answered.held.clear()
    }
    answered.zone = hello?.zone ?? ''
    answered.isPersistent = hello?.isPersistent ?? true
    return answered
  }

  #forgetOldest(): void {
    const [oldest] = this.#answered.keys()
    if (oldest !== undefined) this.#answered.delete(oldest)
  }

  #evaluate(): void {
    if (this.#count === 0) return
    for (const [key, group] of this.#groups) {
      this.#settleHeld(group)
      if (group.waits.length === 0) this.#groups.delete(key)
    }
    if (this.#count === 0) this.#timer?.cancel()
  }

  #settleHeld(group: Group): void {
    const { replicas, zones, level } = group
    const holders = this.#holders(group)
    const through = heldByEnough(holders, replicas, zones)
    let count = 0
    while (count < group.waits.length && group.waits[count]!.sequence <= through) count++
    if (count === 0) return
    const outliving = holders.filter(({ isPersistent }) => isPersistent)
    const loggedThrough = level === undefined ? heldByEnough(outliving, replicas, zones) : 0
    for (const wait of group.waits.splice(0, count))
      wait.settle(level ?? (wait.sequence <= loggedThrough ? 'logged' : 'memory'))
  }

  #holders(group: Group): KnownHolder[] {
    const { replica, level, countSelf } = group
    const { store, holdings, post } = this.#parts
    const holders: KnownHolder[] = []
    const own = level ?? (store.persistent ? 'logged' : 'memory')
    if (countSelf) {
      const { persistent: isPersistent } = store
      holders.push({ through: holdings.held(replica, own), zone: post.self.zone, isPersistent })
    }
    for (const answered of this.#answered.values()) {
      const through = throughOf(answered, group)
      if (through > 0) holders.push({ through, zone: answered.zone, isPersistent: answered.isPersistent })
    }
    return holders
  }

  /** Who holds an operation that is waited for. */
  #heldOf(group: Group, sequence: number): Held {
    const holders = this.#holders(group).filter(({ through }) => through >= sequence)
    const zones = new Set(holders.flatMap(({ zone }) => (zone === '' ? [] : [zone])))
    const missing = this.#parts.members().filter(({ replica }) => this.#throughOf(replica, group) < sequence)
    return { replicas: holders.length, zones: Math.max(Math.min(1, holders.length), zones.size), missing }
  }

  /** How far another replica holds the operations, at the level that is asked for. */
  #throughOf(replica: ReplicaId, group: Group): number {
    const answered = this.#answered.get(replica)
    return answered === undefined ? 0 : throughOf(answered, group)
  }

  /** Asks once for everything that is waited for in this turn of the event loop. */
  #askSoon(): void {
    if (this.#isAsking || this.#isClosed) return
    this.#isAsking = true
    this.#parts.env.defer(() => {
      this.#isAsking = false
      this.#ask()
    })
  }

  #ask(): void {
    if (this.#isClosed || this.#count === 0) return
    const { post, env, settings } = this.#parts
    const wanted = new Map<string, WantedAcknowledgement>()
    for (const { replica, level = 'logged', waits } of this.#groups.values()) {
      const through = waits.at(-1)?.sequence ?? 0
      const key = `${replica}/${level}`
      if (through > (wanted.get(key)?.through ?? 0)) wanted.set(key, { replica, level, through })
    }
    post.broadcast(post.encoder.wanted([...wanted.values()].slice(-ACKNOWLEDGEMENTS_MAX)))
    this.#timer?.cancel()
    this.#timer = env.schedule(this.#retryDelayMs, () => this.#ask())
    this.#retryDelayMs = Math.min(settings.retryDelayMsMax, this.#retryDelayMs * 2)
  }
}

function throughOf({ held, isPersistent }: Answered, { replica, level }: Group): number {
  return held.get(replica)?.[level ?? (isPersistent ? 'logged' : 'memory')] ?? 0
}

/** Nearly always behind all others. */
function insert(waits: Wait[], wait: Wait): void {
  let at = waits.length
  while (at > 0 && waits[at - 1]!.sequence > wait.sequence) at--
  waits.splice(at, 0, wait)
}

/** Answers may overtake each other; what has been held in one session stays held in it. */
function newest(a: HeldOperations, b: HeldOperations): HeldOperations {
  return {
    replica: a.replica,
    memory: Math.max(a.memory, b.memory),
    logged: Math.max(a.logged, b.logged),
    durable: Math.max(a.durable, b.durable),
  }
}

function abortedError(dot: Dot | undefined, signal: AbortSignal | undefined): WarpError {
  return new WarpError(
    'WARP_E_ABORTED',
    'the wait for acknowledgements by other replicas was given up; the operation stays in this log and is sent to ' +
      'replicas as they appear',
    {
      details: { ...(dot === undefined ? {} : { replica: dot.replica, sequence: dot.sequence }) },
      cause: signal?.reason,
      outcome: 'indeterminate',
    },
  )
}

function closedError(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'the engine was closed before enough replicas held the operation', {
    outcome: 'indeterminate',
  })
}

function nothing(): void {
  // Nobody waits.
}
