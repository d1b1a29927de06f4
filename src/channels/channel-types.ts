/** Channels as their users see them: types only. */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Receipt, SettleOptions } from '../store/write-road/receipt.ts'
import type { Cursor } from '../watch/change.ts'

/** What the channels that match a pattern do with their messages. All replicas say the same. */
export interface ChannelOptions {
  /** Which of their messages are kept. Default: none. */
  readonly replay?: Replay
}

/**
 * The newest messages of each channel are kept in the log: so many, or those of so long, or both. Of
 * more than 8 MiB the oldest go.
 */
export type Replay =
  | {
      /** From 1 to 10,000. */
      readonly count: number
      readonly forMs?: number
    }
  | {
      /** Milliseconds, from 1 to 3,155,760,000,000: by the clocks of publishers. */
      readonly forMs: number
      readonly count?: number
    }

/** Pattern of channels → what they do with their messages. The most specific pattern wins. */
export type ChannelMap = Readonly<Record<string, ChannelOptions>>

export interface ChannelMessage<Payload = unknown> {
  readonly kind: 'message'
  readonly channel: string
  /** Plain objects are frozen, and shared by all subscribers of this process. */
  readonly payload: Payload
  /** Who published it. */
  readonly publisher: ReplicaId
  /** Milliseconds since 1970 by the publisher's clock. */
  readonly timeMs: number
  /**
   * Behind this message, of a kept one: give it as `from` to go on there. Absent of one that is not
   * kept, and while kept ones are replayed.
   */
  readonly cursor?: Cursor
}

/**
 * Messages were missed: the consumer fell behind, some were lost on their way, or it resumes from
 * before what is kept. What is kept can be read afresh with `replay: true`.
 */
export interface ChannelGap {
  readonly kind: 'gap'
  /** How many messages it will not see; `undefined` if that is not known. */
  readonly missedCount: number | undefined
  /** The one channel in which they were missed; absent if there may be several. */
  readonly channel?: string
  /** Whose they were; absent if that is not known. */
  readonly publisher?: ReplicaId
  /** As of a message; absent where nothing is kept. */
  readonly cursor?: Cursor
}

/** A union that may grow; a consumer skips a kind that it does not know. */
export type ChannelNews<Payload = unknown> = ChannelMessage<Payload> | ChannelGap

export interface SubscribeOptions {
  /** Continues behind this cursor of an earlier message, or of `Subscription.cursor`. Where messages are kept. */
  readonly from?: Cursor
  /**
   * Begins with what is kept of each channel: all of it, or the newest so many messages. Not with
   * `from`. Default: from now on.
   */
  readonly replay?: true | number
  /** Messages held for a slow consumer before it is told of a gap. Default 1,024. */
  readonly pendingCountMax?: number
  /** Bytes of messages that are not kept, held for a slow consumer. Default 16 MiB. */
  readonly pendingBytesMax?: number
  /** Ends the subscription: the iteration finishes without an error. */
  readonly signal?: AbortSignal
}

/**
 * A running subscription. It runs from the call on. Leaving a `for await` loop closes it. One consumer.
 * If the log cannot be read (`WARP_E_LOG_CORRUPT`, `WARP_E_STORAGE`) it throws that and ends.
 */
export interface Subscription<Payload = unknown> extends AsyncIterable<ChannelNews<Payload>> {
  /**
   * Behind all that its consumer has been shown of what is kept; `undefined` where nothing is, and
   * while kept messages are replayed.
   */
  readonly cursor: Cursor | undefined
  /** Ends the iteration. Idempotent. */
  close(): void
}

/** As of writes, where messages are kept; elsewhere only `signal`. */
export type PublishOptions = SettleOptions

export interface Published {
  /** How safe the message is, where it is kept; `undefined` where it is not: then it has been sent, once. */
  readonly receipt: Receipt | undefined
}

/** A channel, or all that match a pattern. Costs next to nothing to make. */
export interface Channel<Payload = unknown> {
  /** As it was asked for. */
  readonly name: string
  /**
   * Publishes to every subscriber, here and at the replicas that can be reached now. Payloads are
   * encoded as values of keys are. Rejects with `WARP_E_PATTERN` if this is a pattern, `WARP_E_LIMIT`
   * (1 MiB), `WARP_E_UNENCODABLE`, `WARP_E_ABORTED`, `WARP_E_CLOSED`, and as writes do where messages
   * are kept; with `WARP_E_CONFIG` for `ack` and `acks` where they are not.
   *
   *     await warp.channel('chat:room1').publish({ from: 'zoe', text: 'hello' })
   */
  publish(payload: Payload, options?: PublishOptions): Promise<Published>
  /**
   * Messages from now on, each publisher's in their order. Throws `WARP_E_CONFIG`, `WARP_E_CLOSED`.
   *
   *     for await (const news of warp.channel('chat:*').subscribe({ replay: 20 }))
   *       if (news.kind === 'message') console.log(news.channel, news.payload)
   */
  subscribe(options?: SubscribeOptions): Subscription<Payload>
}

/** Counts of channels, since open unless said otherwise. */
export interface ChannelCounts {
  /** Running now. */
  readonly subscriptionsCount: number
  /** Messages published here, kept ones included. */
  readonly publishedCount: number
  /** Messages of others that came and that somebody here subscribes to; kept ones are operations, and not counted. */
  readonly receivedCount: number
  /** Of these, those that came again (over another transport, say), or after they had been told as missed. */
  readonly repeatedCount: number
  /** Messages that never came, or too late. */
  readonly missedCount: number
  /** Messages that a slow consumer was not shown, counted for each of them; kept ones are in gaps of their own. */
  readonly droppedCount: number
  /** Messages whose bytes are no payload. */
  readonly malformedCount: number
  /** Messages that wait now for one before them. */
  readonly heldCount: number
  /** Messages that wait now for slow consumers, those in the log not counted. */
  readonly pendingCount: number
}

/**
 * Messages that are not kept were missed: lost on their way, or by a slow consumer. At most once in ten seconds
 * for each reason.
 */
export interface MessagesMissed {
  readonly kind: 'messages:missed'
  readonly reason: 'lost' | 'slow'
  /** Since the last such event; those of which nobody knows the number are not in it. */
  readonly missedCount: number
  /** The last channel, or pattern that was subscribed to, in which it happened. */
  readonly channel: string
}

/**
 * A replica keeps the messages of a channel, and another one does not: what is kept is not the whole. Declare the
 * channel alike on all replicas. Once for each peer and pattern; `channel` is the first one in which it was noticed.
 */
export interface ChannelsDiffer {
  readonly kind: 'channel:differs'
  readonly channel: string
  /** The peer. */
  readonly replica: ReplicaId
  /** What this replica declares. */
  readonly here: 'kept' | 'not kept'
  /** What the peer declares. */
  readonly there: 'kept' | 'not kept'
}

export type ChannelEvent = MessagesMissed | ChannelsDiffer
