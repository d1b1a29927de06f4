/**
 * Channels: messages by name, to whoever listens.
 *
 * A message of a channel that keeps nothing is numbered, handed to the subscriptions here, and sent once
 * over every transport; it is in no log. One of a channel with a `replay` is an operation of a hidden
 * key (`keys/hidden/hidden-keys.ts`) by the strategy `recent`: the log keeps it, replication brings it to
 * whoever was away, compaction trims it, and nothing of that is done here.
 */
import { encode } from '../../crdt/encoding/encoding.ts'
import { toPayload } from '../../crdt/encoding/payload.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Verb } from '../../crdt/strategy.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { compilePattern } from '../keys/pattern.ts'
import { MESSAGE_BYTES_MAX, MESSAGE_STREAMS_MAX } from '../limits.ts'
import type { Env } from '../ports/env.ts'
import type { MessageTalkPort, Publisher, ToldHead } from '../ports/talk/message-talk.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Receipt, WriteOptions } from '../store/write-road/receipt.ts'
import type { Writer } from '../store/write-road/writer.ts'
import type { WatchHub } from '../watch/watch.ts'
import { Arrivals } from './arrivals.ts'
import { channelName, keyOf, type ChannelName } from './channel-name.ts'
import { checkCursor, checkedWish, checkPublish, type DeclaredChannels, type Wish } from './channel-options.ts'
import type {
  Channel,
  ChannelCounts,
  ChannelEvent,
  Published,
  PublishOptions,
  SubscribeOptions,
  Subscription,
} from './channel-types.ts'
import { KeptFeed } from './kept-feed.ts'
import { Listeners } from './listeners.ts'
import { ArrivedMessage, LiveQueue } from './live-queue.ts'
import { MissedTeller } from './missed-teller.ts'
import { Numbering } from './numbering.ts'
import { RunningSubscription } from './running-subscription.ts'
import { UnlikeReplicas } from './unlike-replicas.ts'

export interface ChannelsParts {
  readonly declared: DeclaredChannels
  readonly env: Env
  readonly store: KeyStore
  readonly writer: Writer
  readonly watches: WatchHub
  /** `undefined`: there are no transports. */
  readonly talk: MessageTalkPort | undefined
  readonly self: () => ReplicaId
  readonly observe: (event: ChannelEvent) => void
}

export class Channels {
  readonly #parts: ChannelsParts
  readonly #numbering = new Numbering(MESSAGE_STREAMS_MAX)
  readonly #listeners = new Listeners()
  readonly #arrivals: Arrivals
  readonly #teller: MissedTeller
  readonly #unlike: UnlikeReplicas
  readonly #counts = { published: 0, missed: 0, dropped: 0, malformed: 0 }

  constructor(parts: ChannelsParts) {
    this.#parts = parts
    this.#teller = new MissedTeller(parts.env, parts.observe)
    this.#arrivals = new Arrivals(parts.env, {
      arrived: (publisher, { channel, timeMs, bytes }) =>
        this.#deliver(channel, { publisher: publisher.replica, timeMs }, bytes),
      missed: (publisher, channel, missedCount) => this.#missed(publisher, channel, missedCount),
    })
    this.#unlike = new UnlikeReplicas({
      ...{ store: parts.store, observe: parts.observe },
      patternOf: (channel) => parts.declared.patternOf(channel),
      isListenedTo: (channel) => this.#listeners.has(channel),
      arrived: (channel, facts, bytes) => this.#deliver(channel, facts, bytes),
      malformed: () => this.#counts.malformed++,
    })
    parts.talk?.connect({
      message: (publisher, message) => {
        if (parts.declared.isKept(message.channel)) this.#unlike.notKeptThere(publisher.replica, message.channel)
        if (this.#listeners.has(message.channel)) this.#arrivals.message(publisher, message)
      },
      head: (publisher, head) => this.#head(publisher, head),
      heads: () => this.#numbering.heads(parts.env.monotonic()),
      lastHeads: (countMax) => this.#numbering.lastHeads(countMax, parts.env.monotonic()),
    })
  }

  /** Throws `WARP_E_PATTERN`, `WARP_E_LIMIT`. */
  channel(text: string): Channel {
    const name = channelName(text)
    return {
      name: text,
      publish: (payload, options) => this.#publish(name, payload, options),
      subscribe: (options) => this.#subscribe(name, options),
    }
  }

  counts(): ChannelCounts {
    const { published, missed, dropped, malformed } = this.#counts
    let pendingCount = 0
    for (const { live } of this.#listeners.all()) pendingCount += live.count
    return {
      ...{ subscriptionsCount: this.#listeners.count, publishedCount: published, pendingCount },
      ...{ receivedCount: this.#arrivals.receivedCount, repeatedCount: this.#arrivals.repeatedCount },
      ...{ missedCount: missed, droppedCount: dropped, malformedCount: malformed },
      heldCount: this.#arrivals.heldCount,
    }
  }

  /** Ends the subscriptions. */
  close(): void {
    for (const subscription of [...this.#listeners.all()]) subscription.close()
    this.#arrivals.forget(() => false)
  }

  #publish({ exact, text }: ChannelName, payload: unknown, options: PublishOptions = {}): Promise<Published> {
    const { store, declared } = this.#parts
    const { turns } = store
    try {
      store.assertOpen()
      if (exact === undefined) throw publishedToPattern(text)
      const isKept = declared.isKept(exact)
      checkPublish(exact, options, isKept)
      const bytes = encoded(exact, payload)
      if (isKept) return this.#keep(exact, bytes, options).then((receipt) => this.#published(receipt))
      this.#send(exact, bytes)
      turns.spend(1, bytes.length)
      return turns.settled(this.#published(undefined))
    } catch (error) {
      return turns.rejected(error as Error)
    }
  }

  #published(receipt: Receipt | undefined): Published {
    this.#counts.published++
    return { receipt }
  }

  #keep(channel: string, bytes: Uint8Array, options: WriteOptions): Promise<Receipt> {
    const { store, writer } = this.#parts
    const key = keyOf(channel)
    const keyspace = store.registeredAt(key, store.keys.find(key))
    const append = (keyspace.strategy.verbs as { readonly append: Verb<unknown> }).append
    return writer.verb({ key, keyspace, slot: store.keys.find(key) }, append, [bytes], options)
  }

  #send(channel: string, bytes: Uint8Array): void {
    const { talk, env, self } = this.#parts
    const timeMs = env.now()
    talk?.tell({ ...this.#numbering.next(channel, env.monotonic()), timeMs, bytes })
    this.#deliver(channel, { publisher: self(), timeMs }, bytes)
  }

  #deliver(channel: string, facts: { publisher: ReplicaId; timeMs: number }, bytes: Uint8Array): void {
    let message: ArrivedMessage | undefined
    for (const subscription of this.#listeners.of(channel)) {
      message ??= new ArrivedMessage({ kind: 'message', channel, ...facts }, bytes)
      const { live } = subscription
      const before = live.droppedCount
      if (live.push(message)) {
        const droppedCount = live.droppedCount - before
        this.#counts.dropped += droppedCount
        this.#teller.missed('slow', subscription.name.text, droppedCount)
      }
      subscription.wake()
    }
  }

  #missed({ replica }: Publisher, channel: string, missedCount: number | undefined): void {
    this.#counts.missed += missedCount ?? 0
    this.#teller.missed('lost', channel, missedCount ?? 0)
    for (const subscription of this.#listeners.of(channel)) {
      subscription.live.gap(channel, replica, missedCount)
      subscription.wake()
    }
  }

  #head(publisher: Publisher, head: ToldHead): void {
    let isListenedTo = false
    let sinceMs = Infinity
    for (const subscription of this.#listeners.of(head.channel)) {
      isListenedTo = true
      sinceMs = Math.min(sinceMs, subscription.sinceMs)
    }
    if (!isListenedTo) return
    this.#arrivals.head(publisher, head, sinceMs < this.#parts.env.monotonic() - head.agoMs)
  }

  #subscribe(name: ChannelName, options?: SubscribeOptions): Subscription {
    const { store, declared, env } = this.#parts
    store.assertOpen()
    const wish = checkedWish(options)
    const mayKeep = name.exact === undefined ? declared.mayKeep(name.text) : declared.isKept(name.exact)
    if (wish.from !== undefined && !mayKeep) throw resumesNothing(name.text)
    checkCursor(wish.from)
    const subscription: RunningSubscription = new RunningSubscription({
      ...{ name, sinceMs: env.monotonic(), signal: wish.signal },
      live: new LiveQueue(wish),
      kept: mayKeep ? this.#keptFeed(name, wish) : undefined,
      malformed: () => this.#counts.malformed++,
      onClose: () => this.#closed(subscription),
    })
    if (wish.signal?.aborted === true) subscription.close()
    else {
      this.#listeners.add(subscription)
      this.#unlike.follow()
    }
    return subscription
  }

  #keptFeed(name: ChannelName, { from, pendingCountMax, replayMax }: Wish): KeptFeed {
    const { store, watches, declared } = this.#parts
    const options = { pendingCountMax, ...(from === undefined ? {} : { from }) }
    const key = name.exact === undefined ? undefined : keyOf(name.exact)
    const pattern = keyOf(name.text)
    return new KeptFeed({
      ...{ store, key, replayMax },
      watch: key === undefined ? watches.watch(pattern, options) : watches.watchKey(key, options),
      matches: compilePattern(pattern).matches,
      keptForMs: (channel) => declared.keptForMs(channel),
      malformed: () => this.#counts.malformed++,
    })
  }

  #closed(subscription: RunningSubscription): void {
    this.#listeners.remove(subscription)
    if (this.#listeners.count === 0) this.#unlike.rest()
    const { exact } = subscription.name
    const isListenedTo = (channel: string): boolean => this.#listeners.has(channel)
    this.#arrivals.forget(isListenedTo, exact === undefined ? undefined : [exact])
  }
}

function encoded(channel: string, payload: unknown): Uint8Array {
  const bytes = encode(toPayload(payload, 'publish'))
  if (bytes.length <= MESSAGE_BYTES_MAX) return bytes
  throw new WarpError(
    'WARP_E_LIMIT',
    `a message of ${bytes.length} bytes for the channel '${channel}' exceeds ${MESSAGE_BYTES_MAX}; publish it in several, ` +
      'or set a key and publish its name',
    { details: { channel, bytes: bytes.length, limit: MESSAGE_BYTES_MAX } },
  )
}

function publishedToPattern(text: string): WarpError {
  return new WarpError(
    'WARP_E_PATTERN',
    `publish: '${text}' is a pattern, and a message goes to one channel; name it, with a \\ before a * or ? of its name`,
    { details: { pattern: text } },
  )
}

function resumesNothing(text: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `subscribe: '${text}' keeps no messages, so there is nothing to go on from; leave from out, or declare a replay in ` +
      'openWarp({ channels })',
    { details: { option: 'from' } },
  )
}
