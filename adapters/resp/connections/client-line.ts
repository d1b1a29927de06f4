/** What is known of a connection, in the words of Redis. */
import { lowerName } from '../call/command-facts.ts'
import type { Client } from './client.ts'

/** A line of CLIENT LIST. */
export function lineOf(client: Client, nowMs: number): string {
  const { outlet, gathered } = client
  const pairs: readonly (readonly [string, string | number])[] = [
    ['id', client.id],
    ['addr', client.address],
    ['laddr', client.localAddress],
    ['fd', -1],
    ['name', client.name],
    ['age', Math.floor((nowMs - client.beganMs) / 1000)],
    ['idle', Math.floor(Math.max(0, nowMs - client.lastMs) / 1000)],
    ['flags', flagsOf(client)],
    ['db', 0],
    ['sub', client.channels.size],
    ['psub', client.patterns.size],
    ['ssub', client.shardChannels.size],
    ['multi', gathered === undefined ? -1 : gathered.requests.length],
    ['qbuf', outlet.heldBytes],
    ['omem', outlet.pendingBytes],
    ['tot-mem', outlet.heldBytes + outlet.pendingBytes],
    ['cmd', lowerName({ name: client.lastCommand })],
    ['user', client.user?.name ?? '(none)'],
    ['redir', client.tracking?.redirect ?? -1],
    ['resp', outlet.reply.protocol],
    ['lib-name', client.libraryName],
    ['lib-ver', client.libraryVersion],
  ]
  return pairs.map(([name, value]) => `${name}=${value}`).join(' ')
}

function flagsOf(client: Client): string {
  const flags =
    (client.gathered === undefined ? '' : 'x') +
    (client.waiting === undefined ? '' : 'b') +
    (client.isSubscribed ? 'P' : '') +
    (client.tracking === undefined ? '' : 't') +
    (client.tracking?.isBroken === true ? 'R' : '') +
    (client.tracking?.mode === 'broadcast' ? 'B' : '')
  return flags === '' ? 'N' : flags
}
