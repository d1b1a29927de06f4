/**
 * What one link asks of the ordered log in memory. A request travels there, is carried out in a
 * later turn of the event loop, and its answer travels back; either may be lost on the way. Each
 * request ends once: by its answer, its signal, silence, or the end of the connection or link.
 */
import { asError, WarpError, type WarpOutcome } from '../../../crdt/warp-error.ts'
import { whenAborted } from '../abort-signals.ts'
import type { Timer } from '../env.ts'
import type { LogCore } from './log-core.ts'
import { requestError } from './order-error.ts'
import { RequestLine } from './request-line.ts'

export interface Request<Answer> {
  /** As messages name it. */
  readonly name: string
  readonly signal?: AbortSignal | undefined
  /** Whether `appendsLost` and `answersLost` are about it. */
  readonly isRisky: boolean
  /** At the log. May throw a `WarpError`. */
  readonly carryOut: () => Answer
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: WarpError) => void
}

interface Waiting {
  /** Ends the wait, unless it is over. */
  readonly end: (error: WarpError) => void
  /** Whether the request gets lost on its way. */
  isLost: boolean
}

export class Requests {
  readonly #core: LogCore
  readonly #place: string
  readonly #waiting = new Set<Waiting>()
  /** `undefined` while there is no connection; a new one each time. */
  #line: RequestLine | undefined
  #isClosed = false

  constructor(core: LogCore, place: string) {
    this.#core = core
    this.#place = place
    this.#line = new RequestLine(core.clock)
  }

  get connection(): object | undefined {
    return this.#line
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Why nothing can be asked now. */
  refusal(): WarpError | undefined {
    if (this.#isClosed) return this.#closedError('failed')
    return this.#line === undefined ? this.#awayError('failed') : undefined
  }

  /** There, carried out, and back. What happens to the request is drawn when it is made. */
  ask<Answer>({ name, signal, isRisky, carryOut, resolve, reject }: Request<Answer>): void {
    const line = this.#line
    const refusal = this.refusal() ?? (signal?.aborted === true ? this.#abortedError(name, 'failed') : undefined)
    if (refusal !== undefined || line === undefined) {
      reject(refusal ?? this.#awayError('failed'))
      return
    }
    const { appendsLost, answersLost } = this.#core.troublesOf(this.#place)
    const isLost = isRisky && this.#core.isHit(appendsLost)
    const isAnswerLost = isRisky && this.#core.isHit(answersLost)
    const travelMs = this.#core.travelMs(this.#place)
    const isSlow = isLost || isAnswerLost || travelMs > 0
    const { waiting, settle } = this.#wait({ name, signal, reject }, { isLost, isSlow })
    line.carry(travelMs, () => {
      if (waiting.isLost) {
        this.#core.lost('lostAppends')
        return
      }
      const answer = attempt(carryOut)
      if (isAnswerLost) {
        this.#core.lost('lostAnswers')
        return
      }
      this.#back(() => {
        if (!settle()) return
        if (answer.kind === 'done') resolve(answer.value)
        else reject(answer.error)
      })
    })
  }

  /** Runs something longer, whose caller waits no longer than there is a connection. */
  async whileConnected<Answer>(run: (isOver: () => boolean) => Promise<Answer>): Promise<Answer> {
    const refusal = this.refusal()
    if (refusal !== undefined) throw refusal
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { isLost: false, end: (error) => this.#waiting.delete(waiting) && reject(error) }
      this.#waiting.add(waiting)
      run(() => !this.#waiting.has(waiting)).then(
        (answer) => this.#waiting.delete(waiting) && resolve(answer),
        (thrown: unknown) => this.#waiting.delete(waiting) && reject(asError(thrown)),
      )
    })
  }

  /** What was under way arrives, later, or does not. */
  disconnect(): void {
    this.#line = undefined
    for (const waiting of this.#waiting) waiting.isLost ||= this.#core.chance() < 0.5
    this.#endAll(this.#awayError('indeterminate'))
  }

  reconnect(): void {
    // A new line: what is still under way on the former one may be overtaken.
    this.#line = new RequestLine(this.#core.clock)
  }

  close(): void {
    this.#isClosed = true
    this.#endAll(this.#closedError('indeterminate'))
  }

  /** Nobody is there any more who waits. */
  abandon(): void {
    this.#isClosed = true
    this.#waiting.clear()
  }

  silence(name: string): WarpError {
    const { name: log, answerMs } = this.#core
    const message = `${log}: ${name} was not answered within ${answerMs} ms; ${sent('indeterminate')}`
    return requestError('WARP_E_TRANSPORT', message, 'indeterminate')
  }

  #wait(
    { name, signal, reject }: Pick<Request<never>, 'name' | 'signal' | 'reject'>,
    { isLost, isSlow }: { readonly isLost: boolean; readonly isSlow: boolean },
  ): { readonly waiting: Waiting; readonly settle: () => boolean } {
    let timer: Timer | undefined
    const waiting: Waiting = { isLost, end: (error) => settle() && reject(error) }
    const stop = whenAborted(signal, () => waiting.end(this.#abortedError(name, 'indeterminate')))
    /** `false`: the wait is over already. */
    const settle = (): boolean => {
      stop()
      timer?.cancel()
      return this.#waiting.delete(waiting)
    }
    this.#waiting.add(waiting)
    if (isSlow) timer = this.#core.clock.schedule(this.#core.answerMs, () => waiting.end(this.silence(name)))
    return { waiting, settle }
  }

  #back(arrive: () => void): void {
    const travelMs = this.#core.travelMs(this.#place)
    if (travelMs > 0) this.#core.clock.schedule(travelMs, arrive)
    else arrive()
  }

  #endAll(error: WarpError): void {
    for (const waiting of [...this.#waiting]) waiting.end(error)
  }

  #closedError(outcome: WarpOutcome): WarpError {
    return requestError('WARP_E_CLOSED', `${this.#core.name}: the link is closed; ${sent(outcome)}`, outcome)
  }

  #awayError(outcome: WarpOutcome): WarpError {
    return requestError('WARP_E_TRANSPORT', `${this.#core.name}: there is no connection; ${sent(outcome)}`, outcome)
  }

  #abortedError(name: string, outcome: WarpOutcome): WarpError {
    return requestError('WARP_E_ABORTED', `${this.#core.name}: ${name} was given up; ${sent(outcome)}`, outcome)
  }
}

function sent(outcome: WarpOutcome): string {
  return outcome === 'failed' ? 'nothing was sent' : 'it may be carried out all the same'
}

type Attempt<Answer> =
  { readonly kind: 'done'; readonly value: Answer } | { readonly kind: 'failed'; readonly error: WarpError }

function attempt<Answer>(run: () => Answer): Attempt<Answer> {
  try {
    return { kind: 'done', value: run() }
  } catch (error) {
    if (error instanceof WarpError) return { kind: 'failed', error }
    throw error
  }
}
