/**
 * One running subscription: what comes as messages comes from a queue, what is kept from the log. Where it
 * has both, they take turns. Nothing is read ahead of its consumer but one kept message.
 */
import { asError } from '../../crdt/warp-error.ts'
import { whenAborted } from '../ports/abort-signals.ts'
import type { Cursor } from '../watch/change.ts'
import type { ChannelName } from './channel-name.ts'
import type { ChannelNews, ChannelGap, Subscription } from './channel-types.ts'
import type { KeptFeed } from './kept-feed.ts'
import { ArrivedMessage, type LiveQueue } from './live-queue.ts'

type Result = IteratorResult<ChannelNews, undefined>

const OVER: Result = { done: true, value: undefined }

interface Waiting {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export interface RunningSubscriptionParts {
  readonly name: ChannelName
  /** When it began, by the monotonic clock. */
  readonly sinceMs: number
  readonly live: LiveQueue
  /** `undefined`: nothing that it subscribes to is kept. */
  readonly kept: KeptFeed | undefined
  readonly signal: AbortSignal | undefined
  readonly malformed: () => void
  readonly onClose: (subscription: RunningSubscription) => void
}

export class RunningSubscription implements Subscription, AsyncIterator<ChannelNews, undefined> {
  readonly name: ChannelName
  readonly sinceMs: number
  readonly live: LiveQueue
  readonly #parts: RunningSubscriptionParts
  readonly #stopWaiting: () => void
  #waiting: Waiting[] = []
  /** A kept message that its consumer has not been handed. */
  #ready: ChannelNews | undefined
  /** In front of that. */
  #before: Cursor | undefined
  #failure: Error | undefined
  #isPulling = false
  /** It was the turn of the queue. */
  #wasLive = false
  #isClosed = false

  constructor(parts: RunningSubscriptionParts) {
    this.#parts = parts
    this.name = parts.name
    this.sinceMs = parts.sinceMs
    this.live = parts.live
    this.#stopWaiting = whenAborted(parts.signal, this.close)
  }

  get cursor(): Cursor | undefined {
    return this.#ready === undefined ? this.#parts.kept?.cursor : this.#before
  }

  readonly close = (): void => {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopWaiting()
    this.live.clear()
    this.#ready = undefined
    this.#parts.kept?.close()
    this.#parts.onClose(this)
    for (const { resolve } of this.#waiting.splice(0)) resolve(OVER)
  }

  /** There is something in the queue. */
  wake(): void {
    while (this.#waiting.length > 0) {
      const result = this.#take()
      if (result === undefined) return
      this.#waiting.shift()?.resolve(result)
    }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    if (this.#waiting.length === 0) {
      const result = this.#take()
      if (result !== undefined) return Promise.resolve(result)
      if (this.#failure !== undefined) return this.#fail(this.#failure)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#pull()
    })
  }

  return(): Promise<Result> {
    this.close()
    return Promise.resolve(OVER)
  }

  #take(): Result | undefined {
    if (this.#isClosed) return OVER
    const news = this.#wasLive ? (this.#takeKept() ?? this.#takeLive()) : (this.#takeLive() ?? this.#takeKept())
    return news === undefined ? undefined : { done: false, value: news }
  }

  #takeLive(): ChannelNews | undefined {
    const item = this.live.take()
    if (item === undefined) return undefined
    this.#wasLive = true
    return item instanceof ArrivedMessage ? this.#shown(item) : item
  }

  #shown(message: ArrivedMessage): ChannelNews {
    try {
      return message.shown()
    } catch {
      this.#parts.malformed()
      const gap: ChannelGap = { kind: 'gap', missedCount: 1, channel: message.channel }
      return gap
    }
  }

  #takeKept(): ChannelNews | undefined {
    const news = this.#ready
    this.#ready = undefined
    this.#wasLive = false
    return news
  }

  /** Asks the log for the next one, if somebody waits. */
  #pull(): void {
    const { kept } = this.#parts
    if (kept === undefined || this.#isPulling || this.#isClosed || this.#ready !== undefined) return
    this.#isPulling = true
    this.#before = kept.cursor
    kept.next().then(
      (result) => {
        this.#isPulling = false
        if (result.done === true) {
          this.close()
          return
        }
        if (this.#isClosed) return
        this.#ready = result.value
        this.wake()
        if (this.#waiting.length > 0) this.#pull()
      },
      (error: unknown) => {
        this.#isPulling = false
        this.#failure = asError(error)
        const first = this.#waiting.shift()
        if (first !== undefined) first.reject(this.#failure)
        if (first !== undefined) this.close()
      },
    )
  }

  #fail(error: Error): Promise<Result> {
    this.close()
    return Promise.reject(error)
  }
}
