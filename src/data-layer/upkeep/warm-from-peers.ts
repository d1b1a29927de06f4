/**
 * Warm-up from other replicas: each is asked which keys it has copies of, and then for those that are
 * lacking here. A copy is kept by the same rule as what one replica loads for another
 * (`cluster/fills.ts`), and lives no longer than the one that it was made of. Waits are bounded: one that
 * does not answer is passed over, and said.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { pause, whenAborted } from '../../ports/abort-signals.ts'
import type { Env } from '../../ports/env.ts'
import { randomShare } from '../../ports/random-word.ts'
import type {
  CopiesHeld,
  CopyPeer,
  CopyTalkPort,
  HoldingsTold,
  HoldingsWanted,
  ToldCopy,
} from '../../ports/talk/copy-talk.ts'
import type { Fills } from '../cluster/fills.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { Loads } from '../loads.ts'
import type { KeyCounts, WarmPage } from './warm-round.ts'

/** How it has gone with one peer. */
export interface WarmedPeer {
  readonly replica: ReplicaId
  /** For people; absent if it has none. */
  readonly name?: string
  /**
   * - `'told'`: it has told of all that it holds.
   * - `'not-asked'`: not, or not to its end, since there was no room for more.
   * - `'older-build'`: it runs a build that cannot tell, and was passed over.
   * - `'silent'`: it did not answer, or is gone.
   */
  readonly outcome: 'told' | 'not-asked' | 'older-build' | 'silent'
}

export interface FromPeersOptions {
  readonly env: Env
  readonly talk: CopyTalkPort
  readonly keeper: Keeper
  readonly loads: Loads
  readonly fills: Fills
  readonly pattern: string
  /** The keyspace of a key that is meant and has its truth elsewhere. */
  readonly keyspaceOf: (key: string) => Keyspace | undefined
  /** Nobody wants it any more. */
  readonly signal: AbortSignal
}

/** Who has just started waits for so long until it has met the others, and has what they know. */
const MEET_MS = 10_000
const LOOK_MS = 100
/** An answer that has not come after so long is asked for again, so many times in all. */
const ANSWER_MS = 1000
const TRIES = 3

type Heard = HoldingsTold | { readonly kind: 'gone' }

/** The peers to ask, from one drawn by lot: of many that start together not all ask the same one first. */
export async function peersToAsk({ env, talk, signal }: FromPeersOptions): Promise<CopyPeer[]> {
  const untilMs = env.monotonic() + MEET_MS
  const letGo = env.stayAlive?.()
  while (!talk.hasMetThem && env.monotonic() < untilMs && !signal.aborted) await pause(env, LOOK_MS, signal)
  letGo?.()
  const peers = talk.peers()
  const first = Math.floor(randomShare(env) * peers.length)
  return [...peers.slice(first), ...peers.slice(0, first)]
}

/** One peer: what it holds, page by page. */
export class PeerCopies {
  readonly #options: FromPeersOptions
  readonly #peer: CopyPeer
  outcome: WarmedPeer['outcome']

  constructor(peer: CopyPeer, options: FromPeersOptions) {
    this.#peer = peer
    this.#options = options
    this.outcome = peer.tells ? 'not-asked' : 'older-build'
  }

  get report(): WarmedPeer {
    const { replica, name } = this.#peer
    return { replica, ...(name === '' ? {} : { name }), outcome: this.outcome }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WarmPage> {
    const { pattern, keyspaceOf } = this.#options
    for (let from = 0; this.outcome === 'not-asked';) {
      const told = await this.#ask({ kind: 'keys', pattern, from })
      if (told.kind === 'gone') {
        this.outcome = 'silent'
        return
      }
      if (told.kind === 'keys') {
        const keys = told.keys.filter((key) => keyspaceOf(key) !== undefined)
        if (keys.length > 0) yield { keys, load: (missing) => this.#load(missing) }
      }
      // One that lists without an end goes forward at least.
      if (told.kind !== 'keys' || told.next <= from) this.outcome = 'told'
      else from = told.next
    }
  }

  async #load(keys: readonly string[]): Promise<KeyCounts> {
    const { env } = this.#options
    const counts = { loadedCount: 0, presentCount: 0, absentCount: 0, failedCount: 0 }
    let left = keys
    while (left.length > 0) {
      const askedAtMs = env.monotonic()
      const told = await this.#ask({ kind: 'copies', keys: left })
      if (told.kind !== 'copies' || told.lookedCount < 1) {
        if (told.kind === 'gone') this.outcome = 'silent'
        counts.absentCount += left.length
        break
      }
      await this.#keepAll(left, told, { counts, ageMs: env.monotonic() - askedAtMs })
      left = left.slice(told.lookedCount)
    }
    return counts
  }

  async #keepAll(
    asked: readonly string[],
    { begin, lookedCount, copies }: CopiesHeld,
    { counts, ageMs }: { readonly counts: Record<keyof KeyCounts, number>; readonly ageMs: number },
  ): Promise<void> {
    const byKey = new Map(copies.map(([index, copy]) => [asked[index], copy]))
    for (const key of asked.slice(0, lookedCount)) {
      const copy = aged(byKey.get(key), ageMs)
      const outcome = copy === undefined ? 'absent' : await this.#keep(key, copy, begin)
      if (outcome === 'kept') counts.loadedCount++
      else if (outcome === 'present') counts.presentCount++
      else counts.absentCount++
    }
  }

  /** Whoever reads the key meanwhile is given the copy, or loads where it may not be kept. */
  async #keep(key: string, copy: ToldCopy, begin: VersionVector): Promise<'kept' | 'present' | 'absent'> {
    const { keeper, loads, fills, keyspaceOf, signal } = this.#options
    const source = keyspaceOf(key)?.source
    if (source === undefined || signal.aborted) return 'absent'
    const slot = keeper.copies.find(key)
    if (slot !== undefined && keeper.shown(slot) !== MISS) return 'present'
    const flight = loads.occupy(key, source.rules)
    if (flight === undefined) return 'present'
    const { rules } = source
    flight.begins(
      fills.take(flight, { key, rules, tags: [] }, { ...copy, begin }).then((value) => {
        if (value === MISS) throw new Error('it may not be kept')
        return value
      }),
    )
    const landing = await flight.landed
    const isKept = landing.kind === 'loaded' && landing.value !== undefined && !flight.isVoid
    return isKept ? 'kept' : 'absent'
  }

  /** `gone`: there is no answer, or nobody waits for one. */
  async #ask(wanted: HoldingsWanted): Promise<Heard> {
    const { env, signal } = this.#options
    const letGo = env.stayAlive?.()
    try {
      for (let tries = 0; tries < TRIES && !signal.aborted; tries++) {
        const heard = await this.#askOnce(wanted)
        if (heard !== undefined) return heard
      }
      return { kind: 'gone' }
    } finally {
      letGo?.()
    }
  }

  #askOnce(wanted: HoldingsWanted): Promise<Heard | undefined> {
    const { env, talk, signal } = this.#options
    return new Promise((resolve) => {
      const timer = env.schedule(ANSWER_MS, () => end(undefined))
      const stops = [whenAborted(signal, () => end(undefined))]
      const end = (heard: Heard | undefined): void => {
        timer.cancel()
        for (const stop of stops) stop()
        resolve(heard)
      }
      // Which may be heard at once.
      stops.push(talk.ask(this.#peer.replica, wanted, end))
    })
  }
}

/** What is left of its life once it is here; `undefined`: nothing. */
function aged(copy: ToldCopy | undefined, ageMs: number): ToldCopy | undefined {
  if (copy === undefined || copy.leftMs === 0) return copy
  const leftMs = Math.floor(copy.leftMs - ageMs)
  return leftMs < 1 ? undefined : { ...copy, leftMs }
}
