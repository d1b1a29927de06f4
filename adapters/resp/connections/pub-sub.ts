/**
 * Messages: a client's channels and patterns are subscriptions of `warp.channel`, one for all clients that
 * want the same, so what is published at any replica arrives at the clients of all.
 *
 * Patterns of Redis know classes of characters, and those of Warp do not: what Warp's pattern lets through
 * is looked at again.
 */
import type { Channel, Subscription } from '../../../src/index.ts'
import { binaryOf, bytesOf, toBinary, toText } from '../protocol/bytes.ts'
import { globOf, type Glob } from '../protocol/glob.ts'
import { ReplyError } from '../call/reply-error.ts'
import type { Client } from './client.ts'

/** What is used of an engine. */
export interface ChannelEngine {
  channel(name: string): Channel
}

/** Channels of SPUBLISH are other ones than those of PUBLISH. */
const SHARD_PREFIX = 'redis-shard:'

/** What may wait for one subscription before messages are missed. */
const WAITING = { pendingCountMax: 1_000_000, pendingBytesMax: 64 * 1024 * 1024 }

export type SubscriptionKind = 'message' | 'pmessage' | 'smessage'

interface Listened {
  readonly clients: Set<Client>
  readonly subscription: Subscription
}

export class PubSub {
  readonly #engine: ChannelEngine
  readonly #failed: (error: unknown) => void
  readonly #listened = {
    message: new Map<string, Listened>(),
    pmessage: new Map<string, Listened>(),
    smessage: new Map<string, Listened>(),
  }
  readonly #globs = new Map<string, Glob>()

  constructor(engine: ChannelEngine, failed: (error: unknown) => void) {
    this.#engine = engine
    this.#failed = failed
  }

  /** Names are binary strings. Throws `ReplyError` and what `warp.channel` throws. */
  subscribe(client: Client, kind: SubscriptionKind, name: string): void {
    const names = namesOf(client, kind)
    if (names.has(name)) return
    const all = this.#listened[kind]
    const listened = all.get(name) ?? this.#listen(kind, name)
    listened.clients.add(client)
    names.add(name)
  }

  unsubscribe(client: Client, kind: SubscriptionKind, name: string): void {
    if (!namesOf(client, kind).delete(name)) return
    const listened = this.#listened[kind].get(name)
    if (listened === undefined) return
    listened.clients.delete(client)
    if (listened.clients.size > 0) return
    this.#listened[kind].delete(name)
    this.#globs.delete(name)
    listened.subscription.close()
  }

  unsubscribeAll(client: Client): void {
    for (const kind of ['message', 'pmessage', 'smessage'] as const)
      for (const name of [...namesOf(client, kind)]) this.unsubscribe(client, kind, name)
  }

  /** Returns how many subscriptions of this replica's clients it is for. */
  publish(name: string, payload: string, isShard = false): number {
    const channel = this.#engine.channel(escaped((isShard ? SHARD_PREFIX : '') + channelText(name)))
    channel.publish(toText(payload) ?? bytesOf(payload)).catch(this.#failed)
    if (isShard) return this.#listened.smessage.get(name)?.clients.size ?? 0
    let count = this.#listened.message.get(name)?.clients.size ?? 0
    for (const [pattern, { clients }] of this.#listened.pmessage) if (this.#globOf(pattern)(name)) count += clients.size
    return count
  }

  /** Sends a message to the clients of this replica alone, at once. Binary strings. */
  deliver(channel: string, payload: string): void {
    const { message, pmessage } = this.#listened
    const exact = message.get(channel)
    if (exact !== undefined) tell(exact.clients, { kind: 'message', name: channel, channel, payload })
    for (const [name, { clients }] of pmessage)
      if (this.#globOf(name)(channel)) tell(clients, { kind: 'pmessage', name, channel, payload })
  }

  /** Channels that clients of this replica subscribe to, by name. */
  names(kind: 'message' | 'smessage', pattern: string | undefined): string[] {
    const all = [...this.#listened[kind].keys()]
    return pattern === undefined ? all : all.filter(globOf(pattern))
  }

  countOf(kind: 'message' | 'smessage', name: string): number {
    return this.#listened[kind].get(name)?.clients.size ?? 0
  }

  get patternsCount(): number {
    return this.#listened.pmessage.size
  }

  close(): void {
    for (const all of Object.values(this.#listened)) {
      for (const { subscription } of all.values()) subscription.close()
      all.clear()
    }
  }

  #listen(kind: SubscriptionKind, name: string): Listened {
    const asked =
      kind === 'pmessage' ? widened(name) : escaped((kind === 'smessage' ? SHARD_PREFIX : '') + channelText(name))
    const listened = { clients: new Set<Client>(), subscription: this.#engine.channel(asked).subscribe(WAITING) }
    this.#listened[kind].set(name, listened)
    void this.#deliver(kind, name, listened).catch(this.#failed)
    return listened
  }

  async #deliver(kind: SubscriptionKind, name: string, { clients, subscription }: Listened): Promise<void> {
    for await (const news of subscription) {
      if (news.kind !== 'message') {
        // Who has missed messages is told so as Redis tells it: the connection ends.
        for (const client of [...clients]) client.outlet.close(false)
        continue
      }
      if (kind === 'pmessage' && news.channel.startsWith(SHARD_PREFIX)) continue
      const channel = kind === 'pmessage' ? toBinary(news.channel) : name
      if (kind === 'pmessage' && !this.#globOf(name)(channel)) continue
      const payload = shownPayload(news.payload)
      tell(clients, { kind, name, channel, payload })
    }
  }

  #globOf(pattern: string): Glob {
    const known = this.#globs.get(pattern)
    if (known !== undefined) return known
    const glob = globOf(pattern)
    this.#globs.set(pattern, glob)
    return glob
  }
}

interface Message {
  readonly kind: SubscriptionKind
  /** Of what was subscribed to. */
  readonly name: string
  readonly channel: string
  readonly payload: string
}

function tell(clients: Iterable<Client>, { kind, name, channel, payload }: Message): void {
  for (const client of clients) {
    client.outlet.push((reply) => {
      reply.push(kind === 'pmessage' ? 4 : 3)
      reply.bulk(kind)
      if (kind === 'pmessage') reply.bulk(name)
      reply.bulk(channel)
      reply.bulk(payload)
    })
  }
}

export function namesOf(client: Client, kind: SubscriptionKind): Set<string> {
  if (kind === 'message') return client.channels
  return kind === 'pmessage' ? client.patterns : client.shardChannels
}

function channelText(name: string): string {
  const text = toText(name)
  if (text === undefined)
    throw new ReplyError('ERR the name of a channel is no UTF-8, and names of channels are text here')
  return text
}

/** A channel's name, as a pattern that matches it alone. */
function escaped(name: string): string {
  return name.replace(/[*?\\]/g, '\\$&')
}

/** A pattern of Warp that lets through at least what the pattern of Redis does. */
function widened(pattern: string): string {
  const text = channelText(pattern)
  const wide = text.replace(/\\([\s\S])|\[[^\]]*\]?|[?*]/g, (_, literal: string | undefined) =>
    literal === undefined ? '*' : escaped(literal),
  )
  return wide.replace(/\*+/g, '*')
}

/** What others publish may be any value: as JSON where it is neither text nor bytes. */
function shownPayload(payload: unknown): string {
  if (typeof payload === 'string') return toBinary(payload)
  if (payload instanceof Uint8Array) return binaryOf(payload)
  return toBinary(JSON.stringify(payload) ?? 'null')
}
