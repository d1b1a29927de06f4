/** Commands about the connection itself. */
import { CLIENT_COMMANDS } from './clients.ts'
import { lineOf } from '../../connections/client-line.ts'
import { TRACKING_COMMANDS } from './tracking.ts'
import type { Call, Command } from '../../call/command.ts'
import { endSubscriptions } from './pub-sub.ts'
import { checkedName } from '../../call/arguments.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'
import { DEFAULT_USER } from '../../access/users.ts'
import { REDIS_VERSION } from './versions.ts'
import { forgetTransaction } from './transactions.ts'

const UNKNOWN_USER = 'WRONGPASS invalid username-password pair or user is disabled.'
const HELLO_NEEDS_AUTH =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time'

export const CONNECTION_COMMANDS: readonly Command[] = [
  {
    name: 'PING',
    arity: -1,
    flags: ['fast'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Says that the server is there.',
    run: ping,
  },
  {
    name: 'ECHO',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Gives back what it is given.',
    run: ({ reply }, [, text]) => reply.bulk(text!),
  },
  {
    name: 'AUTH',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Says who is connected.',
    run: auth,
  },
  {
    name: 'HELLO',
    arity: -1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
    group: 'connection',
    since: '6.0.0',
    summary: 'Chooses the protocol, and says who is connected.',
    run: hello,
  },
  {
    name: 'SELECT',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Chooses the database: there is number 0 alone.',
    run: select,
  },
  {
    name: 'RESET',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy', 'unqueued'],
    group: 'connection',
    since: '6.2.0',
    summary: 'Makes the connection what it was when it began.',
    run: reset,
  },
  {
    name: 'QUIT',
    arity: -1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy', 'unqueued'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Ends the connection when all replies have been sent.',
    run: quit,
  },
  ...CLIENT_COMMANDS,
  ...TRACKING_COMMANDS,
]

function ping({ reply, client }: Call, args: readonly string[]): void {
  if (args.length > 2) throw new ReplyError("ERR wrong number of arguments for 'ping' command")
  const [, text] = args
  if (reply.protocol === 2 && client.isSubscribed) reply.bulks(['pong', text ?? ''])
  else if (text === undefined) reply.simple('PONG')
  else reply.bulk(text)
}

function auth(call: Call, args: readonly string[]): void {
  if (args.length > 3) throw syntaxError()
  const { core } = call
  if (args.length === 2 && !core.users.hasDefaultPassword)
    throw new ReplyError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  const [name, password] = args.length === 2 ? [DEFAULT_USER, args[1]!] : [args[1]!, args[2]!]
  authenticate(call, name, password)
  call.reply.ok()
}

function authenticate({ core, client, nowMs }: Call, name: string, password: string): void {
  const user = core.users.find(name, password)
  if (user === undefined) {
    const refusal = { reason: 'auth', context: 'toplevel', object: 'AUTH', userName: name } as const
    core.refusals.add(refusal, lineOf(client, nowMs), nowMs)
    throw new ReplyError(UNKNOWN_USER)
  }
  client.user = user
}

interface Hello {
  readonly protocol: 2 | 3 | undefined
  readonly credentials: readonly [string, string] | undefined
  readonly name: string | undefined
}

function hello(call: Call, args: readonly string[]): void {
  const { client, reply, core } = call
  const wanted = helloOf(args)
  if (wanted.credentials !== undefined) authenticate(call, ...wanted.credentials)
  if (client.user === undefined) throw new ReplyError(HELLO_NEEDS_AUTH)
  if (wanted.name !== undefined) client.name = wanted.name
  if (wanted.protocol !== undefined) reply.protocol = wanted.protocol
  if (wanted.protocol === 2) core.changes.tracking.off(client)
  reply.map(7)
  reply.bulk('server')
  reply.bulk('redis')
  reply.bulk('version')
  reply.bulk(REDIS_VERSION)
  reply.bulk('proto')
  reply.integer(reply.protocol)
  reply.bulk('id')
  reply.integer(client.id)
  reply.bulk('mode')
  reply.bulk('standalone')
  reply.bulk('role')
  reply.bulk('master')
  reply.bulk('modules')
  reply.array(0)
}

function helloOf(args: readonly string[]): Hello {
  let [credentials, name]: [(readonly [string, string])?, string?] = []
  const protocol = args[1] === undefined ? undefined : protocolOf(args[1])
  for (let at = 2; at < args.length; at++) {
    const option = args[at]!.toUpperCase()
    const rest = args.length - 1 - at
    if (option === 'AUTH' && rest >= 2) {
      credentials = [args[at + 1]!, args[at + 2]!]
      at += 2
    } else if (option === 'SETNAME' && rest >= 1) name = checkedName(args[++at]!)
    else throw new ReplyError(`ERR Syntax error in HELLO option '${args[at]!}'`)
  }
  return { protocol, credentials, name }
}

function protocolOf(text: string): 2 | 3 {
  const version = parseWhole(text)
  if (version === undefined) throw new ReplyError('ERR Protocol version is not an integer or out of range')
  if (version === 2 || version === 3) return version
  throw new ReplyError('NOPROTO unsupported protocol version')
}

function select({ reply }: Call, [, text]: readonly string[]): void {
  const index = parseWhole(text!)
  if (index === undefined) throw new ReplyError('ERR value is not an integer or out of range')
  if (index > 2_147_483_647 || index < -2_147_483_648)
    throw new ReplyError('ERR value is out of range, value must between -2147483648 and 2147483647')
  if (index !== 0) throw new ReplyError('ERR DB index is out of range')
  reply.ok()
}

function reset({ reply, client, core }: Call): void {
  forgetTransaction(client)
  endSubscriptions(core, client)
  core.changes.tracking.off(client)
  core.monitors.remove(client)
  client.name = ''
  client.replyMode = 'on'
  client.isNoEvict = false
  client.isNoTouch = false
  client.user = core.users.anonymous
  reply.protocol = 2
  reply.simple('RESET')
}

function quit({ reply, client }: Call): void {
  reply.ok()
  client.outlet.close(true)
}
