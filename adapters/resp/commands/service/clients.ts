/** CLIENT …: who is connected. */
import { lineOf } from '../../connections/client-line.ts'
import type { Client } from '../../connections/client.ts'
import type { Call, Command, Core } from '../../call/command.ts'
import { checkedName } from '../../call/arguments.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'

const BASE = { flags: ['noscript', 'loading', 'stale'], group: 'connection' } as const
const ADMIN = { flags: ['admin', 'noscript', 'loading', 'stale'], group: 'connection' } as const

export const CLIENT_COMMANDS: readonly Command[] = [
  {
    ...BASE,
    name: 'CLIENT ID',
    arity: 2,
    since: '5.0.0',
    summary: 'The number of this connection.',
    run: ({ reply, client }) => reply.integer(client.id),
  },
  {
    ...BASE,
    name: 'CLIENT GETNAME',
    arity: 2,
    since: '2.6.9',
    summary: 'The name of this connection.',
    run: ({ reply, client }) => reply.bulkOrNull(client.name === '' ? undefined : client.name),
  },
  {
    ...BASE,
    name: 'CLIENT SETNAME',
    arity: 3,
    since: '2.6.9',
    summary: 'Names this connection.',
    run: clientSetname,
  },
  {
    ...BASE,
    name: 'CLIENT SETINFO',
    arity: 4,
    since: '7.2.0',
    summary: 'Says which library is connected.',
    run: setInfo,
  },
  {
    ...BASE,
    name: 'CLIENT INFO',
    arity: 2,
    since: '6.2.0',
    summary: 'What is known of this connection.',
    run: ({ reply, client, nowMs }) => reply.verbatim(`${lineOf(client, nowMs)}\n`),
  },
  {
    ...ADMIN,
    name: 'CLIENT LIST',
    arity: -2,
    since: '2.4.0',
    summary: 'What is known of all connections.',
    run: list,
  },
  {
    ...ADMIN,
    name: 'CLIENT KILL',
    arity: -3,
    since: '2.4.0',
    summary: 'Ends connections.',
    run: kill,
  },
  {
    ...BASE,
    name: 'CLIENT REPLY',
    arity: 3,
    since: '3.2.0',
    summary: 'Says whether this connection wants replies.',
    run: replyMode,
  },
  {
    ...ADMIN,
    name: 'CLIENT UNBLOCK',
    arity: -3,
    since: '5.0.0',
    summary: 'Ends what another connection waits for.',
    run: unblock,
  },
  {
    ...ADMIN,
    name: 'CLIENT NO-EVICT',
    arity: 3,
    since: '7.0.0',
    summary: 'Is accepted; connections are not let go for want of memory.',
    run: clientNoEvict,
  },
  {
    ...BASE,
    name: 'CLIENT NO-TOUCH',
    arity: 3,
    since: '7.2.0',
    summary: 'Is accepted; reads do not change when a key was last used.',
    run: clientNoTouch,
  },
]

function setInfo({ reply, client }: Call, [, , attribute, value]: readonly string[]): void {
  const name = attribute!.toUpperCase()
  if (name !== 'LIB-NAME' && name !== 'LIB-VER') throw new ReplyError(`ERR Unrecognized option '${attribute!}'`)
  if (!/^[!-~]*$/.test(value!))
    throw new ReplyError(`ERR ${attribute!} cannot contain spaces, newlines or special characters.`)
  if (name === 'LIB-NAME') client.libraryName = value!
  else client.libraryVersion = value!
  reply.ok()
}

function replyMode({ reply, client }: Call, [, , mode]: readonly string[]): void {
  const wanted = mode!.toUpperCase()
  if (wanted === 'ON') {
    client.replyMode = 'on'
    reply.ok()
  } else if (wanted === 'OFF') client.replyMode = 'off'
  else if (wanted !== 'SKIP') throw syntaxError()
  else if (client.replyMode !== 'off') client.replyMode = 'skip-next'
}

function onOrOff(text: string): boolean {
  const word = text.toUpperCase()
  if (word === 'ON') return true
  if (word === 'OFF') return false
  throw syntaxError()
}

function list({ reply, core, nowMs }: Call, args: readonly string[]): void {
  const wanted = filterOf(args)
  const lines = [...core.clients.values()].filter(wanted).map((client) => `${lineOf(client, nowMs)}\n`)
  reply.verbatim(lines.join(''))
}

function filterOf(args: readonly string[]): (client: Client) => boolean {
  if (args.length === 2) return () => true
  const option = args[2]!.toUpperCase()
  if (option === 'TYPE' && args.length === 4) {
    const type = args[3]!.toLowerCase()
    if (!['normal', 'pubsub', 'master', 'replica', 'slave'].includes(type))
      throw new ReplyError(`ERR Unknown client type '${args[3]!}'`)
    return (client) => typeOf(client) === type
  }
  if (option !== 'ID' || args.length === 3) throw syntaxError()
  const ids = new Set(args.slice(3).map(clientIdOf))
  return ({ id }) => ids.has(id)
}

function typeOf(client: Client): string {
  return client.isSubscribed ? 'pubsub' : 'normal'
}

function clientIdOf(text: string): number {
  const id = parseWhole(text)
  if (typeof id !== 'number' || id < 1) throw new ReplyError('ERR Invalid client ID')
  return id
}

function kill(call: Call, args: readonly string[]): void {
  const { reply, core, client } = call
  if (args.length === 3) {
    const found = [...core.clients.values()].find(({ address }) => address === args[2])
    if (found === undefined) throw new ReplyError('ERR No such client')
    end(found, client)
    reply.ok()
    return
  }
  const { matches, skipsOwn } = killFilter(core, args)
  const found = [...core.clients.values()].filter((one) => matches(one) && !(skipsOwn && one === client))
  for (const one of found) end(one, client)
  reply.integer(found.length)
}

function end(one: Client, own: Client): void {
  one.outlet.close(one === own)
}

interface KillFilter {
  readonly matches: (client: Client) => boolean
  readonly skipsOwn: boolean
}

function killFilter(core: Core, args: readonly string[]): KillFilter {
  const filters: ((client: Client) => boolean)[] = []
  let skipsOwn = true
  if (args.length % 2 !== 0) throw syntaxError()
  for (let at = 2; at < args.length; at += 2) {
    const [option, value] = [args[at]!.toUpperCase(), args[at + 1]!]
    if (option === 'ID') {
      const id = clientIdOf(value)
      filters.push((client) => client.id === id)
    } else if (option === 'ADDR') filters.push(({ address }) => address === value)
    else if (option === 'LADDR') filters.push(({ localAddress }) => localAddress === value)
    else if (option === 'USER') {
      if (core.users.get(value) === undefined) throw new ReplyError(`ERR No such user '${value}'`)
      filters.push(({ user }) => user?.name === value)
    } else if (option === 'TYPE') filters.push((client) => typeOf(client) === value.toLowerCase())
    else if (option === 'SKIPME') skipsOwn = isYes(value)
    else throw syntaxError()
  }
  return { matches: (client) => filters.every((filter) => filter(client)), skipsOwn }
}

function isYes(text: string): boolean {
  const word = text.toUpperCase()
  if (word !== 'YES' && word !== 'NO') throw syntaxError()
  return word === 'YES'
}

function unblock({ reply, core }: Call, args: readonly string[]): void {
  const id = parseWhole(args[2]!)
  if (id === undefined) throw new ReplyError('ERR value is not an integer or out of range')
  const how = args[3]?.toUpperCase() ?? 'TIMEOUT'
  if (args.length > 4 || (how !== 'TIMEOUT' && how !== 'ERROR'))
    throw new ReplyError('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  const waiting = typeof id === 'number' ? core.clients.get(id)?.waiting : undefined
  reply.integer(waiting === undefined ? 0 : 1)
  waiting?.end(how === 'ERROR' ? 'UNBLOCKED client unblocked via CLIENT UNBLOCK' : undefined)
}

function clientSetname({ reply, client }: Call, args: readonly string[]): void {
  client.name = checkedName(args[2]!)
  reply.ok()
}

function clientNoEvict({ reply, client }: Call, args: readonly string[]): void {
  client.isNoEvict = onOrOff(args[2]!)
  reply.ok()
}

function clientNoTouch({ reply, client }: Call, args: readonly string[]): void {
  client.isNoTouch = onOrOff(args[2]!)
  reply.ok()
}
