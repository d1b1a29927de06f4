/**
 * A load that is under way. Whoever wants the key joins it, so there is one at a time. It is given up
 * at its hard timeout; what its loader says after that is ignored, for the state of the world in which
 * it began is not known any more.
 */
import { asError, WarpError } from '../../crdt/warp-error.ts'
import { ignoreOutcome } from '../../crdt/synchronous.ts'
import type { CopyRules } from '../keys/source/source.ts'
import type { Env, Timer } from '../ports/env.ts'
import type { BegunSpan } from '../ports/recorder.ts'

/** What a load has come to. */
export type Landing =
  { readonly kind: 'loaded'; readonly value: unknown } | { readonly kind: 'failed'; readonly error: Error }

export interface FlightOptions {
  readonly key: string
  /** How many invalidations had been seen when it began. */
  readonly begin: number
  readonly rules: CopyRules
  readonly env: Env
}

export class Flight {
  readonly key: string
  readonly begin: number
  readonly rules: CopyRules
  /** Never rejects. */
  readonly landed: Promise<Landing>
  /** An invalidation that began later is about it: who comes now does not join it, and it is not kept. */
  isVoid = false
  isOver = false
  /** It is a write to the store, whose answer says what the row holds: where it fails, a load may not. */
  isWrite = false
  /** Nobody waited for it when it began. */
  isBackground = false
  /** What the loader has said of the value. */
  ttlMs: number | undefined
  /** It is a copy of one that ends then, so nothing is added to that. */
  endsThen = false
  tags: readonly string[] = []
  /** What is measured of it. */
  span: BegunSpan | undefined
  readonly #controller = new AbortController()
  readonly #timer: Timer
  readonly #env: Env
  #letGo: (() => void) | undefined
  #land!: (landing: Landing) => void

  constructor({ key, begin, rules, env }: FlightOptions) {
    this.#env = env
    this.key = key
    this.begin = begin
    this.rules = rules
    this.landed = new Promise((resolve) => (this.#land = resolve))
    this.#timer = env.schedule(rules.hardTimeoutMs, () => this.giveUp(loadTimeout(key, rules.hardTimeoutMs)))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Somebody waits: the process does not end before the load does, which its timeout bounds. */
  stayAlive(): void {
    if (!this.isOver) this.#letGo ??= this.#env.stayAlive?.()
  }

  /** The loader runs. */
  begins(loading: Promise<unknown>): void {
    loading.then(
      (value) => this.#lands({ kind: 'loaded', value }),
      (error: unknown) => this.#lands({ kind: 'failed', error: loadFailed(this.key, error) }),
    )
  }

  #lands(landing: Landing): void {
    if (this.isOver) return
    this.isOver = true
    this.#timer.cancel()
    this.#letGo?.()
    this.#land(landing)
  }

  /** Nobody waits for it any more. */
  giveUp(error: WarpError): void {
    if (this.isOver) return
    this.#lands({ kind: 'failed', error })
    this.#controller.abort(error)
  }
}

/** Runs users' code that may throw at once. */
export function begun(load: () => unknown): Promise<unknown> {
  const loading = new Promise((resolve) => resolve(load()))
  // A flight that has been given up listens to it no more.
  ignoreOutcome(loading)
  return loading
}

function loadFailed(key: string, error: unknown): WarpError {
  const cause = asError(error)
  return new WarpError('WARP_E_LOAD', `loading '${key}' failed: ${cause.message}`, { details: { key }, cause })
}

function loadTimeout(key: string, timeoutMs: number): WarpError {
  return new WarpError(
    'WARP_E_LOAD_TIMEOUT',
    `loading '${key}' took more than ${timeoutMs} ms and was given up; raise hardTimeoutMs, or look at the source`,
    { details: { key, timeoutMs } },
  )
}
