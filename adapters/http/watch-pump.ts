/**
 * Takes changes from a watch at the pace of one consumer. At most one message is on its way to the
 * consumer's socket: what comes meanwhile stays in the log, within the bound of the watch, beyond
 * which the consumer is told of a gap. So a slow consumer costs no memory.
 */
import { asError, WarpError } from '../../crdt/warp-error.ts'
import { errorJson } from '../../src/control/error-json.ts'
import type { Watch } from '../../src/index.ts'
import { messageOf, type WatchMessage } from './watch-messages.ts'

/** Where messages go. */
export interface Outlet {
  /** Settles when the consumer has room for another one. Rejects if it has gone. */
  send(message: WatchMessage): Promise<void>
  /** A sign of life; says where the consumer would resume. Nothing if the consumer has no room. */
  beat(cursor: string): void
  /** The consumer takes nothing any more: let go of it. */
  cutOff(): void
  /** No more messages come. */
  end(isClosing: boolean): void
}

export interface PumpSettings {
  readonly heartbeatMs: number
  readonly stalledMsMax: number
}

export class WatchPump {
  readonly #watch: Watch
  readonly #outlet: Outlet
  readonly #settings: PumpSettings
  #isClosing = false
  #isSending = false

  constructor(watch: Watch, outlet: Outlet, settings: PumpSettings) {
    this.#watch = watch
    this.#outlet = outlet
    this.#settings = settings
  }

  /** Settles when the watch is over, in whatever way. Never rejects. */
  async run(): Promise<void> {
    const { heartbeatMs } = this.#settings
    const beat = setInterval(() => {
      if (!this.#isSending) this.#outlet.beat(this.#watch.cursor)
    }, heartbeatMs)
    try {
      await this.#send({ kind: 'open', cursor: this.#watch.cursor })
      for await (const change of this.#watch) await this.#send(messageOf(change))
      // The engine has closed, or this handler has.
      await this.#send({ kind: 'error', error: errorJson(closing()) })
      this.#outlet.end(true)
    } catch (error) {
      await this.#fail(error)
    } finally {
      clearInterval(beat)
      this.#watch.close()
    }
  }

  /** Ends the watch; the consumer is told why. */
  close(): void {
    this.#isClosing = true
    this.#watch.close()
  }

  async #fail(error: unknown): Promise<void> {
    if (error instanceof ConsumerGone) return
    try {
      await this.#send({ kind: 'error', error: errorJson(asError(error)) })
    } catch {
      // It has gone, which is all that can be said to it.
    }
    this.#outlet.end(this.#isClosing)
  }

  /** Cuts a consumer off that takes nothing for too long. */
  async #send(message: WatchMessage): Promise<void> {
    const timer = setTimeout(() => this.#outlet.cutOff(), this.#settings.stalledMsMax)
    this.#isSending = true
    try {
      await this.#outlet.send(message)
    } finally {
      this.#isSending = false
      clearTimeout(timer)
    }
  }
}

/** Nobody is there to be told of anything. */
export class ConsumerGone extends Error {}

export function closing(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'the replica is closing; resume at another one, or here in a moment')
}
