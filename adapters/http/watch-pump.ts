/**
 * Takes changes from a watch, or messages from a subscription, at the pace of one consumer. At most one
 * is on its way to the consumer's socket: what comes meanwhile stays in the log, or in the bounded queue
 * of a subscription, beyond which the consumer is told of a gap. So a slow consumer costs no more memory.
 */
import { asError, WarpError } from '../../crdt/warp-error.ts'
import { errorJson } from '../../src/control/error-json.ts'
import type { ChannelHttpMessage } from './channel-messages.ts'
import type { WatchMessage } from './watch-messages.ts'

export type HttpMessage = WatchMessage | ChannelHttpMessage

/** A watch, or a subscription. */
export interface Source<Item> extends AsyncIterable<Item> {
  readonly cursor: string | undefined
  close(): void
}

/** Where messages go. */
export interface Outlet {
  /** Settles when the consumer has room for another one. Rejects if it has gone. */
  send(message: HttpMessage): Promise<void>
  /** A sign of life; says where the consumer would resume, if anywhere. Nothing if the consumer has no room. */
  beat(cursor: string | undefined): void
  /** The consumer takes nothing any more: let go of it. */
  cutOff(): void
  /** No more messages come. */
  end(isClosing: boolean): void
}

export interface PumpSettings {
  readonly heartbeatMs: number
  readonly stalledMsMax: number
}

export class WatchPump<Item> {
  readonly #source: Source<Item>
  readonly #shown: (item: Item) => HttpMessage
  readonly #outlet: Outlet
  readonly #settings: PumpSettings
  #isClosing = false
  #isSending = false

  constructor(
    { source, shown }: { readonly source: Source<Item>; readonly shown: (item: Item) => HttpMessage },
    outlet: Outlet,
    settings: PumpSettings,
  ) {
    this.#source = source
    this.#shown = shown
    this.#outlet = outlet
    this.#settings = settings
  }

  /** Settles when it is over, in whatever way. Never rejects. */
  async run(): Promise<void> {
    const { heartbeatMs } = this.#settings
    const beat = setInterval(() => {
      if (!this.#isSending) this.#outlet.beat(this.#source.cursor)
    }, heartbeatMs)
    try {
      const { cursor } = this.#source
      await this.#send({ kind: 'open', ...(cursor === undefined ? {} : { cursor }) })
      for await (const item of this.#source) await this.#send(this.#shown(item))
      // The engine has closed, or this handler has.
      await this.#send({ kind: 'error', error: errorJson(closing()) })
      this.#outlet.end(true)
    } catch (error) {
      await this.#fail(error)
    } finally {
      clearInterval(beat)
      this.#source.close()
    }
  }

  /** Ends it; the consumer is told why. */
  close(): void {
    this.#isClosing = true
    this.#source.close()
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
  async #send(message: HttpMessage): Promise<void> {
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
