/**
 * One request for a lock, from the question to the lock or the end of the wait. It says from time to
 * time that it still waits. A request that is given up leaves the queue, or the lock: at once if its
 * place is known, otherwise when it is known what became of it.
 */
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { errorOf, type Verdict } from '../verdict.ts'
import type { HeldLock } from './held-lock.ts'
import { decodeAnswer } from './tables/lock-acts.ts'

/** A place in a queue is kept for so long without a word of who waits. */
const LEASE_MS = 30_000
const STAY_MS: number = LEASE_MS / 3

export interface Asked {
  readonly name: string
  readonly permits: number
  readonly ttlMs: number
  /** By the monotonic clock; `Infinity`: waits for as long as it takes. */
  readonly deadlineMs: number
  /** It is to be had at once, or not. */
  readonly isTry: boolean
  readonly signal: AbortSignal | undefined
}

/**
 * `'none'`: it was not to be had at once. `'again'`: the request has lost its place, or was granted for
 * a time that was over when this process heard of it.
 */
export type Outcome = HeldLock | 'none' | 'again'

export interface Grant {
  readonly token: number
  readonly sinceMs: number
  readonly expiresMs: number
}

export interface Waiting {
  readonly name: string
  readonly partition: number
  granted(grant: Grant): void
  /** It is neither in the queue any more nor has it the lock. */
  dropped(): void
  /** It is not in the queue: it has not come there yet, or is no more. */
  missed(): void
  fail(error: WarpError): void
}

export interface AcquireCommand {
  readonly request: number
  readonly partition: number
  readonly leaseMs: number
  readonly signal: AbortSignal
}

/** A command that may be judged, now or later. */
export interface Sent {
  readonly partition: number
  readonly dot: Dot
}

/** What becomes of a request on its way. */
export interface RequestRoad {
  partitionOf(name: string): number
  /** Begins to wait, under a number of its own. Returns it, and how to say that the wait is over. */
  enter(waiting: Waiting): { readonly request: number; readonly leave: () => void }
  /** Rejects as `LockDesk.submit` does. */
  acquire(asked: Asked, command: AcquireCommand): Promise<Verdict>
  stay(name: string, command: Omit<AcquireCommand, 'signal'>): Promise<Verdict>
  /** It neither waits nor holds any more. */
  release(name: string, request: number, partition: number): void
  /** The same of one that was sent, and of which nothing is known. */
  withdraw(name: string, request: number, sent: Sent): Promise<void>
  /** The lock is waited for. Returns how to say that it is no more. */
  waitFor(name: string, partition: number): () => void
  /** `undefined`: the time is over already, and the lock has been let go of. */
  hold(asked: Asked, request: number, grant: Grant, sentMs: number): HeldLock | undefined
}

interface Ends {
  resolve(outcome: Outcome): void
  reject(error: WarpError): void
}

export class Attempt implements Waiting {
  readonly name: string
  readonly partition: number
  readonly #env: Env
  readonly #requests: RequestRoad
  readonly #asked: Asked
  readonly #ends: Ends
  readonly #controller = new AbortController()
  readonly #request: number
  readonly #stops: (() => void)[] = []
  #sentMs = 0
  #stayTimer: Timer | undefined
  /** It is in the queue, as far as is known here. */
  #isQueued = false
  /** What becomes of the lock is no matter of this request any more. */
  #isHandedOver = false
  #isOver = false

  constructor(env: Env, requests: RequestRoad, asked: Asked, ends: Ends) {
    this.name = asked.name
    this.partition = requests.partitionOf(asked.name)
    this.#env = env
    this.#requests = requests
    this.#asked = asked
    this.#ends = ends
    const { request, leave } = requests.enter(this)
    this.#request = request
    this.#stops.push(leave)
  }

  start(): void {
    const { signal, deadlineMs, isTry } = this.#asked
    const { partition } = this
    this.#sentMs = this.#env.monotonic()
    const letGo = this.#env.stayAlive?.()
    if (letGo !== undefined) this.#stops.push(letGo)
    if (signal !== undefined) this.#stops.push(whenAborted(signal, () => this.#giveUp(givenUp(this.#asked, signal))))
    if (deadlineMs !== Infinity && !isTry) {
      const timer = this.#env.schedule(deadlineMs - this.#sentMs, () =>
        this.#giveUp(this.#isQueued ? tooLong(this.#asked) : notAnswered(this.#asked)),
      )
      this.#stops.push(() => timer.cancel())
    }
    const command = { request: this.#request, partition, leaseMs: isTry ? 0 : this.#leaseMs() }
    this.#requests.acquire(this.#asked, { ...command, signal: this.#controller.signal }).then(
      (verdict) => this.#judged(verdict),
      (error: unknown) => this.#notJudged(asError(error)),
    )
  }

  granted(grant: Grant): void {
    if (!this.#end()) return
    this.#isHandedOver = true
    this.#ends.resolve(this.#requests.hold(this.#asked, this.#request, grant, this.#sentMs) ?? 'again')
  }

  dropped(): void {
    if (this.#end()) this.#ends.resolve('again')
  }

  missed(): void {
    if (this.#isQueued) this.dropped()
  }

  fail(error: WarpError): void {
    if (this.#end()) this.#ends.reject(error)
  }

  #judged(verdict: Verdict): void {
    if (verdict.kind !== 'done') {
      this.fail(errorOf(verdict))
      return
    }
    const answer = decodeAnswer(verdict.given)
    if (this.#isOver) {
      // Given up before the answer came, or granted and with whoever asked by now.
      if (!this.#isHandedOver && answer.state !== 'none') this.#release()
      return
    }
    if (answer.state === 'held') this.granted(answer)
    else if (answer.state === 'none') {
      if (this.#end()) this.#ends.resolve('none')
    } else this.#wait()
  }

  #notJudged(error: Error): void {
    const isSent = isWarpError(error) && error.outcome === 'indeterminate'
    const { replica, sequence } = isWarpError(error) ? error.details : {}
    this.fail(unanswered(this.#asked, error))
    if (!isSent || this.#isHandedOver || typeof replica !== 'string' || typeof sequence !== 'number') return
    const dot = { replica: replica as Dot['replica'], sequence }
    ignoreOutcome(this.#requests.withdraw(this.name, this.#request, { partition: this.partition, dot }))
  }

  #wait(): void {
    this.#isQueued = true
    this.#stops.push(this.#requests.waitFor(this.name, this.partition))
    this.#stayLater()
  }

  #stayLater(): void {
    this.#stayTimer = this.#env.schedule(STAY_MS, () => {
      const of = { request: this.#request, partition: this.partition, leaseMs: this.#leaseMs() }
      this.#requests.stay(this.name, of).then(
        (verdict) => {
          // Granted or dropped: that has been told, unless the telling is what was missed.
          const answer = verdict.kind === 'done' ? decodeAnswer(verdict.given) : undefined
          if (answer?.state === 'held') this.granted(answer)
          else if (answer?.state === 'none') this.dropped()
          if (!this.#isOver) this.#stayLater()
        },
        () => {
          if (!this.#isOver) this.#stayLater()
        },
      )
    })
  }

  #leaseMs(): number {
    const leftMs = Math.ceil(this.#asked.deadlineMs - this.#env.monotonic())
    return Math.max(0, Math.min(LEASE_MS, leftMs))
  }

  #giveUp(error: WarpError): void {
    if (!this.#end()) return
    this.#ends.reject(error)
    // Sent or not: if it has not been judged, that follows from how the wait for its answer ends.
    if (this.#isQueued) this.#release()
    else this.#controller.abort(error)
  }

  #release(): void {
    this.#requests.release(this.name, this.#request, this.partition)
  }

  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#stayTimer?.cancel()
    for (const stop of this.#stops) stop()
    return true
  }
}

export function givenUp({ name }: Asked, signal: AbortSignal): WarpError {
  return new WarpError('WARP_E_ABORTED', `the wait for the lock '${name}' was given up; it is not held here`, {
    details: { name },
    cause: signal.reason,
  })
}

export function tooLong({ name }: Pick<Asked, 'name'>): WarpError {
  return new WarpError(
    'WARP_E_LOCK',
    `the lock '${name}' was not to be had in the time given; others hold it or came before; wait longer, or try again`,
    { details: { name } },
  )
}

/** It is not known whether anybody holds it. */
function notAnswered({ name }: Asked): WarpError {
  return new WarpError(
    'WARP_E_LOCK',
    `the lock '${name}' was not to be had in the time given: the ordered log has not answered; ` +
      'wait longer, or try again when warp.health() says that it is there',
    { details: { name } },
  )
}

function unanswered({ name }: Asked, cause: Error): WarpError {
  if (!isWarpError(cause)) return new WarpError('WARP_E_TRANSPORT', cause.message, { cause })
  const isSent = cause.outcome === 'indeterminate'
  return new WarpError(
    cause.code,
    `the lock '${name}' was asked for in vain: ${cause.message}` +
      (isSent ? '; it is let go of as soon as the log answers, or ends with its time' : ''),
    { details: { name }, outcome: cause.outcome, cause },
  )
}
