/**
 * Appends: a queue in the order of the calls, of which so many are under way at a time as the window
 * allows. What was sent and not answered in time, or not before the connection was lost, has an
 * unknown outcome; what was not sent by then has none.
 */
import { WarpError, type WarpErrorCode, type WarpOutcome } from '../../crdt/warp-error.ts'
import type { Timer } from '../../src/index.ts'
import type { AppendOutcome } from '../../src/ports/ordered-log.ts'
import type { BrokerClock } from './platform-clock.ts'

/** What is to be stored where. */
export interface AppenderEntry {
  /** As messages name it. */
  readonly stream: string
  readonly bytes: Uint8Array
}

export interface AppenderOptions<Entry extends AppenderEntry> {
  readonly connection: { readonly isUp: boolean; readonly error: WarpError }
  /**
   * Sends it, and tells what became of it, at once or later. Returns what ends the wait for that.
   */
  readonly send: (entry: Entry, answered: (outcome: AppendOutcome) => void) => () => void
  readonly clock: BrokerClock
  readonly timeoutMs: number
  readonly window: Bounds
  readonly queue: Bounds
  /** Entries are answered, or not: for health. */
  readonly answered?: () => void
  readonly silent?: (error: WarpError) => void
}

export interface Bounds {
  readonly count: number
  readonly bytes: number
}

interface Waiting<Entry> {
  readonly entry: Entry
  /** To be sent by then; once it is sent, to be answered by then. */
  deadlineMs: number
  readonly settle: (outcome: AppendOutcome) => void
  isSent: boolean
  stopWaiting?: () => void
  isSettled: boolean
}

export class Appender<Entry extends AppenderEntry> {
  readonly #options: AppenderOptions<Entry>
  readonly #sent = new Set<Waiting<Entry>>()
  #queue: Waiting<Entry>[] = []
  #queuedBytes = 0
  #sentBytes = 0
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: AppenderOptions<Entry>) {
    this.#options = options
  }

  append(entry: Entry, signal?: AbortSignal): Promise<AppendOutcome> {
    if (this.#isClosed) return Promise.resolve(refusal('WARP_E_CLOSED', 'the ordered log has been closed'))
    if (signal?.aborted === true) return Promise.resolve(refusal('WARP_E_ABORTED', 'the caller has given up'))
    const { queue, clock, timeoutMs, connection } = this.#options
    if (!connection.isUp) return Promise.resolve(refusal('WARP_E_TRANSPORT', connection.error.message))
    if (this.#queue.length >= queue.count || this.#queuedBytes + entry.bytes.length > queue.bytes) {
      const message = `${this.#queue.length} records of ${this.#queuedBytes} bytes wait to be appended; no more than ${queue.count} of ${queue.bytes} may`
      return Promise.resolve(refusal('WARP_E_LIMIT', message))
    }
    return new Promise((resolve) => {
      const waiting: Waiting<Entry> = {
        entry,
        deadlineMs: clock.monotonic() + timeoutMs,
        settle: (outcome) => {
          signal?.removeEventListener('abort', abort)
          resolve(outcome)
        },
        isSent: false,
        isSettled: false,
      }
      const abort = (): void => this.#giveUp(waiting, 'WARP_E_ABORTED', 'the caller has given up')
      signal?.addEventListener('abort', abort)
      this.#queue.push(waiting)
      this.#queuedBytes += entry.bytes.length
      this.#pump()
      this.#arm()
    })
  }

  /** Sends what the window has room for. */
  #pump(): void {
    const { connection, window } = this.#options
    let count = 0
    for (const waiting of this.#queue) {
      if (!connection.isUp || this.#sent.size >= window.count) break
      const { length } = waiting.entry.bytes
      if (this.#sent.size > 0 && this.#sentBytes + length > window.bytes) break
      count++
      this.#queuedBytes -= length
      if (!waiting.isSettled) this.#send(waiting)
    }
    if (count > 0) this.#queue.splice(0, count)
  }

  /** The connection is lost: of what was sent nothing is certain any more, and nothing else is sent. */
  lost(error: WarpError): void {
    this.#settleAll(error.code, `the connection was lost before the answer came: ${error.message}`)
  }

  /** Settles everything; nothing is taken any more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#settleAll('WARP_E_CLOSED', 'the ordered log was closed')
  }

  #settleAll(code: WarpErrorCode, message: string): void {
    for (const waiting of [...this.#sent, ...this.#queue]) this.#giveUp(waiting, code, message)
    this.#queue = []
    this.#queuedBytes = 0
  }

  #send(waiting: Waiting<Entry>): void {
    waiting.isSent = true
    waiting.deadlineMs = this.#options.clock.monotonic() + this.#options.timeoutMs
    this.#sent.add(waiting)
    this.#sentBytes += waiting.entry.bytes.length
    let isBeingSent = true
    const stop = this.#options.send(waiting.entry, (outcome) => {
      // What is known at once makes room as well, and the queue is being gone through.
      if (isBeingSent) this.#settle(waiting, outcome)
      else this.#answered(waiting, outcome)
    })
    isBeingSent = false
    if (waiting.isSettled) stop()
    else waiting.stopWaiting = stop
  }

  #answered(waiting: Waiting<Entry>, outcome: AppendOutcome): void {
    if (waiting.isSettled) return
    if (outcome.kind === 'appended') this.#options.answered?.()
    else if (outcome.kind === 'refused' && outcome.error.code === 'WARP_E_TRANSPORT')
      this.#options.silent?.(outcome.error)
    this.#settle(waiting, outcome)
    this.#pump()
  }

  /** By what was done with it so far. */
  #giveUp(waiting: Waiting<Entry>, code: WarpErrorCode, message: string): void {
    const { isSent } = waiting
    const kind = isSent ? 'unknown' : 'refused'
    const said = isSent ? message : `${message}; the record was not sent`
    this.#settle(waiting, { kind, error: errorOf(code, said, isSent ? 'indeterminate' : 'failed') })
  }

  #settle(waiting: Waiting<Entry>, outcome: AppendOutcome): void {
    if (waiting.isSettled) return
    waiting.isSettled = true
    waiting.stopWaiting?.()
    if (this.#sent.delete(waiting)) this.#sentBytes -= waiting.entry.bytes.length
    waiting.settle(outcome)
  }

  /** One timer, for the earliest: all wait equally long, to be sent and then to be answered. */
  #arm(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    const dueMs = Math.min(this.#firstSent()?.deadlineMs ?? Infinity, this.#firstQueued()?.deadlineMs ?? Infinity)
    if (dueMs === Infinity) return
    const { clock } = this.#options
    this.#timer = clock.schedule(Math.max(0, dueMs - clock.monotonic()), () => this.#ring())
  }

  #ring(): void {
    this.#timer = undefined
    const { clock, timeoutMs, silent } = this.#options
    const nowMs = clock.monotonic()
    for (let first = this.#firstSent(); first !== undefined && first.deadlineMs <= nowMs; first = this.#firstSent()) {
      const message = `stream '${first.entry.stream}' has not answered within ${timeoutMs} ms`
      this.#giveUp(first, 'WARP_E_TRANSPORT', message)
      silent?.(errorOf('WARP_E_TRANSPORT', message, 'indeterminate'))
    }
    for (
      let first = this.#firstQueued();
      first !== undefined && first.deadlineMs <= nowMs;
      first = this.#firstQueued()
    ) {
      const why = `${this.#sent.size} records before it are under way`
      this.#giveUp(first, 'WARP_E_TRANSPORT', `it had no turn within ${timeoutMs} ms: ${why}`)
    }
    this.#pump()
    this.#arm()
  }

  #firstSent(): Waiting<Entry> | undefined {
    for (const waiting of this.#sent) return waiting
    return undefined
  }

  #firstQueued(): Waiting<Entry> | undefined {
    while (this.#queue[0]?.isSettled === true) this.#queuedBytes -= this.#queue.shift()!.entry.bytes.length
    return this.#queue[0]
  }
}

export function refusal(code: WarpErrorCode, message: string): AppendOutcome {
  return { kind: 'refused', error: errorOf(code, message, 'failed') }
}

function errorOf(code: WarpErrorCode, message: string, outcome: WarpOutcome): WarpError {
  return new WarpError(code, message, { outcome })
}
