/** Messages: PUBLISH, SUBSCRIBE and their like. */
import type { Client } from '../../connections/client.ts'
import { namesOf, type SubscriptionKind } from '../../connections/pub-sub.ts'
import { ALL_KEYS, FIRST_KEY, type Call, type Command, type Core } from '../../call/command.ts'

const LISTEN = { flags: ['pubsub', 'noscript', 'loading', 'stale'], group: 'pubsub' } as const
const ASK = { flags: ['pubsub', 'loading', 'stale'], group: 'pubsub' } as const

export const PUB_SUB_COMMANDS: readonly Command[] = [
  subscribing('SUBSCRIBE', 'message', '2.0.0', 'Listens to channels.'),
  subscribing('PSUBSCRIBE', 'pmessage', '2.0.0', 'Listens to all channels that patterns match.'),
  subscribing('SSUBSCRIBE', 'smessage', '7.0.0', 'Listens to shard channels.'),
  unsubscribing('UNSUBSCRIBE', 'message', '2.0.0', 'Listens to channels no more.'),
  unsubscribing('PUNSUBSCRIBE', 'pmessage', '2.0.0', 'Listens to patterns no more.'),
  unsubscribing('SUNSUBSCRIBE', 'smessage', '7.0.0', 'Listens to shard channels no more.'),
  {
    name: 'PUBLISH',
    arity: 3,
    channels: FIRST_KEY,
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Sends a message to all who listen, at every replica.',
    run: ({ reply, core }, args) => reply.integer(core.pubSub.publish(args[1]!, args[2]!)),
  },
  {
    name: 'SPUBLISH',
    arity: 3,
    keys: { first: 1, last: 1, step: 1 },
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    group: 'pubsub',
    since: '7.0.0',
    summary: 'Sends a message to all who listen to a shard channel, at every replica.',
    run: ({ reply, core }, args) => reply.integer(core.pubSub.publish(args[1]!, args[2]!, true)),
  },
  {
    ...ASK,
    name: 'PUBSUB CHANNELS',
    arity: -2,
    since: '2.8.0',
    summary: 'The channels that clients of this replica listen to.',
    run: ({ reply, core }, args) => reply.bulks(core.pubSub.names('message', args[2])),
  },
  {
    ...ASK,
    name: 'PUBSUB SHARDCHANNELS',
    arity: -2,
    since: '7.0.0',
    summary: 'The shard channels that clients of this replica listen to.',
    run: ({ reply, core }, args) => reply.bulks(core.pubSub.names('smessage', args[2])),
  },
  {
    ...ASK,
    name: 'PUBSUB NUMPAT',
    arity: 2,
    since: '2.8.0',
    summary: 'How many patterns clients of this replica listen to.',
    run: ({ reply, core }) => reply.integer(core.pubSub.patternsCount),
  },
  {
    ...ASK,
    name: 'PUBSUB NUMSUB',
    arity: -2,
    since: '2.8.0',
    summary: 'How many clients of this replica listen to channels.',
    run: (call, args) => counts(call, 'message', args.slice(2)),
  },
  {
    ...ASK,
    name: 'PUBSUB SHARDNUMSUB',
    arity: -2,
    since: '7.0.0',
    summary: 'How many clients of this replica listen to shard channels.',
    run: (call, args) => counts(call, 'smessage', args.slice(2)),
  },
]

/** As UNSUBSCRIBE, PUNSUBSCRIBE and SUNSUBSCRIBE, without a reply. */
export function endSubscriptions(core: Core, client: Client): void {
  core.pubSub.unsubscribeAll(client)
}

function counts({ reply, core }: Call, kind: 'message' | 'smessage', names: readonly string[]): void {
  reply.array(names.length * 2)
  for (const name of names) {
    reply.bulk(name)
    reply.integer(core.pubSub.countOf(kind, name))
  }
}

function subscribing(name: string, kind: SubscriptionKind, since: string, summary: string): Command {
  const word = name.toLowerCase()
  return {
    ...LISTEN,
    ...{ name, since, summary, arity: -2 },
    ...(kind === 'pmessage' ? { patterns: ALL_KEYS } : { channels: ALL_KEYS }),
    run: (call, args) => subscribeAll(call, kind, word, args.slice(1)),
  }
}

function subscribeAll(
  { reply, client, core }: Call,
  kind: SubscriptionKind,
  word: string,
  names: readonly string[],
): void {
  for (const name of names) {
    core.pubSub.subscribe(client, kind, name)
    confirm(reply, word, name, countOf(client, kind))
  }
}

function unsubscribing(name: string, kind: SubscriptionKind, since: string, summary: string): Command {
  const word = name.toLowerCase()
  return {
    ...LISTEN,
    ...{ name, since, summary, arity: -1 },
    run: (call, args) => unsubscribeAll(call, kind, word, args.slice(1)),
  }
}

/** Without names: of all that there are; of none, one confirmation says so. */
function unsubscribeAll(
  { reply, client, core }: Call,
  kind: SubscriptionKind,
  word: string,
  names: readonly string[],
): void {
  const wanted = names.length > 0 ? names : [...namesOf(client, kind)]
  for (const name of wanted) {
    core.pubSub.unsubscribe(client, kind, name)
    confirm(reply, word, name, countOf(client, kind))
  }
  if (wanted.length === 0) confirm(reply, word, undefined, countOf(client, kind))
}

function confirm(reply: Call['reply'], word: string, name: string | undefined, count: number): void {
  reply.push(3)
  reply.bulk(word)
  reply.bulkOrNull(name)
  reply.integer(count)
}

function countOf(client: Client, kind: SubscriptionKind): number {
  return kind === 'smessage' ? client.shardChannels.size : client.subscriptionsCount
}
