/**
 * A lock that this process holds. It goes by its own monotonic clock, which says earlier than the log
 * that the time is over: what was reckoned from the log's time would be known too late.
 */
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import { isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { errorOf } from '../verdict.ts'
import { decodeAnswer, lockCommand } from './tables/lock-acts.ts'
import type { LockDesk } from './lock-desk.ts'
import type { Lock } from './lock-types.ts'

export interface HeldLockParts {
  readonly env: Env
  readonly desk: LockDesk
  readonly name: string
  readonly partition: number
  readonly request: number
  readonly token: number
  readonly ttlMs: number
  readonly validUntil: number
  /** It is not held any more. */
  readonly ended: () => void
}

/** The clocks of the log and of this process run apart by less than that part, and the log's has whole ms. */
const DRIFT = 0.001
const TICK_MS = 1

/** So long after a request was sent a lock is held for certain that the log gave for `ms` behind it. */
export function certainMs(ms: number): number {
  return ms - ms * DRIFT - TICK_MS
}

export class HeldLock implements Lock {
  readonly #parts: HeldLockParts
  readonly #controller = new AbortController()
  #state: 'held' | 'released' | 'lost' = 'held'
  #validUntil: number
  #timer: Timer | undefined

  constructor(parts: HeldLockParts) {
    this.#parts = parts
    this.#validUntil = parts.validUntil
    this.#watch()
  }

  get name(): string {
    return this.#parts.name
  }

  get token(): number {
    return this.#parts.token
  }

  get ttlMs(): number {
    return this.#parts.ttlMs
  }

  get validUntil(): number {
    return this.#validUntil
  }

  get isHeld(): boolean {
    return this.#state === 'held' && this.#parts.env.monotonic() < this.#validUntil
  }

  get lost(): AbortSignal {
    return this.#controller.signal
  }

  async renew(): Promise<void> {
    this.#assertHeld()
    const { env, desk, partition, name, request, ttlMs } = this.#parts
    const sentMs = env.monotonic()
    const timeoutMs = Math.min(desk.timeoutMs, this.#validUntil - sentMs)
    const { verdict } = await desk.submit(partition, lockCommand({ act: 'renew', name, request }), { timeoutMs })
    if (verdict.kind !== 'done') {
      const error = errorOf(verdict)
      if (error.code === 'WARP_E_LOCK') this.lose(error)
      throw error
    }
    // What came when the time was over came too late: it has been let go of.
    if (this.isHeld) this.#validUntil = Math.max(this.#validUntil, sentMs + certainMs(ttlMs))
    this.#assertHeld()
  }

  async release(): Promise<boolean> {
    if (this.#state !== 'held') return false
    const wasHeld = this.isHeld
    this.#end('released')
    const { desk, partition, name, request } = this.#parts
    const { verdict } = await desk.submit(partition, lockCommand({ act: 'release', name, request }))
    if (verdict.kind !== 'done') throw errorOf(verdict)
    return wasHeld && decodeAnswer(verdict.given).state === 'held'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(ignore)
  }

  /** It is not held any more, and was not released. */
  lose(reason: WarpError): void {
    if (this.#state !== 'held') return
    this.#end('lost')
    this.#controller.abort(reason)
  }

  /** Lost by this process's clock: the log, which lets go of it later, is told. */
  #timeIsOver(): void {
    const { desk, partition, name, request } = this.#parts
    this.lose(timeIsOver(name))
    ignoreOutcome(desk.submit(partition, lockCommand({ act: 'release', name, request })))
  }

  #assertHeld(): void {
    if (this.isHeld) return
    if (this.#state === 'held') this.#timeIsOver()
    throw this.#state === 'released' ? released(this.name) : this.#reason()
  }

  /** Why it was lost. */
  #reason(): WarpError {
    const reason: unknown = this.lost.reason
    return isWarpError(reason) ? reason : timeIsOver(this.name)
  }

  #end(state: 'released' | 'lost'): void {
    this.#state = state
    this.#timer?.cancel()
    this.#parts.ended()
  }

  /** Until the time is over, which renewals put off. */
  #watch(): void {
    const { env } = this.#parts
    this.#timer = env.schedule(this.#validUntil - env.monotonic(), () => {
      if (this.#state !== 'held') return
      if (this.isHeld) this.#watch()
      else this.#timeIsOver()
    })
  }
}

function timeIsOver(name: string): WarpError {
  return new WarpError(
    'WARP_E_LOCK',
    `the lock '${name}' is not held any more: its time was over before it was renewed; acquire it again`,
    { details: { name } },
  )
}

function released(name: string): WarpError {
  return new WarpError('WARP_E_LOCK', `the lock '${name}' is not held any more: it was released; acquire it again`, {
    details: { name },
  })
}

function ignore(): void {
  // It ends with its time.
}
