/**
 * Warm-up: what is held elsewhere is brought here before anybody asks, by the rules of every other load, so
 * that invalidations and lives hold. From the primary store (`warm-from-store.ts`), or from other replicas
 * (`warm-from-peers.ts`).
 */
import { checkOptions, checkTypeOf, isWholeFrom, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import { STORE_MS_MAX, WARM_REQUESTS_MAX } from '../../limits.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import type { Env, Timer } from '../../ports/env.ts'
import type { CopyTalkPort } from '../../ports/talk/copy-talk.ts'
import type { EngineEvent } from '../../store/event.ts'
import type { KeyStore } from '../../store/key-store.ts'
import type { Fills } from '../cluster/fills.ts'
import type { Keeper } from '../keeper.ts'
import type { Loads } from '../loads.ts'
import type { Stores } from '../stored/stores.ts'
import { meantSource, storedTargets } from './stored-targets.ts'
import { PeerCopies, peersToAsk, type WarmedPeer } from './warm-from-peers.ts'
import { fromStore } from './warm-from-store.ts'
import { Round, type WarmProgress } from './warm-round.ts'

export interface Warmed extends WarmProgress {
  /** `'full'`: there is no room for more copies (`copies: { entriesMax, bytesMax }`), and not all are there. */
  readonly end: 'complete' | 'full'
  /** With `from: 'peers'`: every replica that was up, and how it has gone with it. */
  readonly peers?: readonly WarmedPeer[]
}

export interface WarmOptions {
  /**
   * Where keys and values come from. `'store'` (the default): what the primary store lists. `'peers'`: what
   * other replicas have copies of, for keyspaces with a `load` as well.
   */
  readonly from?: 'store' | 'peers'
  /** Requests to the store, or questions to a peer, at a time, each for up to 100 keys, 1 to 64. Default 4. */
  readonly concurrency?: number
  /** Ends it with `WARP_E_ABORTED`; what has been loaded stays. Ends later rounds as well. */
  readonly signal?: AbortSignal
  /** Told after each request. What it throws ends the warm-up. */
  readonly progress?: (progress: WarmProgress) => void
  /**
   * Does the same again so many ms after the end of each round, 1 to 3,600,000, until `signal` fires or
   * the engine is closed. The promise is that of the first round; one that fails later is the event
   * `warm:failed`. Default: once.
   */
  readonly everyMs?: number
}

export const WARM_OPTIONS: readonly string[] = optionNames<WarmOptions>({
  ...{ from: true, concurrency: true, signal: true, progress: true, everyMs: true },
})

export interface WarmUpOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keeper: Keeper
  readonly loads: Loads
  readonly stores: Stores
  readonly fills: Fills
  readonly observe: (event: EngineEvent) => void
  /** Other replicas; `undefined`: there are none. */
  readonly copyTalk: CopyTalkPort | undefined
}

const CONCURRENCY = 4

export class WarmUp {
  readonly #options: WarmUpOptions
  readonly #timers = new Set<Timer>()
  readonly #closing = new AbortController()

  constructor(options: WarmUpOptions) {
    this.#options = options
  }

  async warm(pattern: string, wish: WarmOptions = {}): Promise<Warmed> {
    checkWarm(wish)
    const warmed = await this.#round(pattern, wish)
    if (wish.everyMs !== undefined) this.#later(pattern, wish, wish.everyMs)
    return warmed
  }

  close(): void {
    this.#closing.abort()
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #round(pattern: string, wish: WarmOptions): Promise<Warmed> {
    const { store } = this.#options
    store.assertOpen()
    if (wish.from === 'peers') return this.#fromPeers(pattern, wish)
    const { signal } = wish
    const sources = storedTargets('warm', pattern, store).map((target) =>
      fromStore(target, { ...this.#options, signal }),
    )
    return this.#roundOf(pattern, wish).run(sources)
  }

  #roundOf(pattern: string, { concurrency = CONCURRENCY, signal, progress }: WarmOptions): Round {
    return new Round(this.#options, { pattern, concurrency, signal, progress })
  }

  async #fromPeers(pattern: string, wish: WarmOptions): Promise<Warmed> {
    const { copyTalk: talk, store, observe } = this.#options
    const keyspaceOf = meantSource('warm', pattern, store)
    if (talk === undefined)
      throw refusedOption('warm', 'from', 'peers', "there are none: give openWarp transports, or warm from the 'store'")
    const round = this.#roundOf(pattern, wish)
    const ended = new AbortController()
    const stops = [wish.signal, this.#closing.signal].map((signal) => whenAborted(signal, () => ended.abort()))
    const asking = { ...this.#options, talk, pattern, keyspaceOf, signal: ended.signal }
    try {
      if (wish.signal?.aborted === true) ended.abort()
      const peers = (await peersToAsk(asking)).map((peer) => new PeerCopies(peer, asking))
      const warmed = await round.run(peers)
      const reports = peers.map(({ report }) => report)
      for (const { outcome, replica } of reports)
        if (outcome === 'older-build' || outcome === 'silent')
          observe({ kind: 'warm:skipped', pattern, replica, reason: outcome })
      return { ...warmed, peers: reports }
    } finally {
      ended.abort()
      for (const stop of stops) stop()
    }
  }

  #later(pattern: string, wish: WarmOptions, everyMs: number): void {
    const { env, observe } = this.#options
    const timer = env.schedule(everyMs, () => {
      this.#timers.delete(timer)
      if (wish.signal?.aborted === true) return
      void this.#again(pattern, wish)
        .catch((error: unknown) => {
          if (!isWarpError(error, 'WARP_E_ABORTED') && !isWarpError(error, 'WARP_E_CLOSED'))
            observe({ kind: 'warm:failed', pattern, error: asError(error) })
        })
        .finally(() => {
          if (wish.signal?.aborted !== true && !this.#options.loads.isClosed) this.#later(pattern, wish, everyMs)
        })
    })
    this.#timers.add(timer)
  }

  async #again(pattern: string, wish: WarmOptions): Promise<void> {
    await this.#round(pattern, wish)
  }
}

function checkWarm(wish: WarmOptions): void {
  checkOptions('warm', wish, WARM_OPTIONS)
  checkTypeOf('warm', wish, 'progress', 'function')
  const { from = 'store', concurrency = CONCURRENCY, everyMs = 1 } = wish
  if (!['store', 'peers'].includes(from)) throw refusedOption('warm', 'from', from, "give 'store' or 'peers'")
  if (!isWholeFrom(concurrency, 1, WARM_REQUESTS_MAX)) throw outOf('concurrency', concurrency, WARM_REQUESTS_MAX)
  if (!isWholeFrom(everyMs, 1, STORE_MS_MAX)) throw outOf('everyMs', everyMs, STORE_MS_MAX)
}

function outOf(option: string, value: unknown, most: number): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `warm: ${option} is ${shownValue(value)}; give a whole number from 1 to ${most}`,
    {
      details: { option },
    },
  )
}
