/** ACL: users, and what they may do. */
import { CATEGORIES, categoriesOf } from '../../access/categories.ts'
import type { LoggedRefusal } from '../../access/refusals.ts'
import { refusedTo, type Refused } from '../../access/verdict.ts'
import type { User } from '../../access/user.ts'
import { lowerName } from '../../call/command-facts.ts'
import type { Call, Command } from '../../call/command.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'

const ANYBODY = { flags: ['noscript', 'loading', 'stale'], group: 'server', since: '6.0.0' } as const
const ADMIN = { ...ANYBODY, flags: ['admin', 'noscript', 'loading', 'stale'] } as const

export const ACL_COMMANDS: readonly Command[] = [
  {
    ...ANYBODY,
    name: 'ACL WHOAMI',
    arity: 2,
    summary: 'The user of this connection.',
    run: ({ reply, client }) => reply.bulkOrNull(client.user?.name),
  },
  {
    ...ANYBODY,
    name: 'ACL CAT',
    arity: -2,
    summary: 'The categories of commands, or the commands of one.',
    run: categories,
  },
  {
    ...ANYBODY,
    name: 'ACL GENPASS',
    arity: -2,
    summary: 'A password by chance, of so many bits.',
    run: generatePassword,
  },
  {
    ...ADMIN,
    name: 'ACL USERS',
    arity: 2,
    summary: 'The users that there are.',
    run: ({ reply, core }) => reply.bulks(core.users.all.map(({ name }) => name)),
  },
  {
    ...ADMIN,
    name: 'ACL LIST',
    arity: 2,
    summary: 'The users that there are, by rules that make them.',
    run: ({ reply, core }) => reply.bulks(core.users.all.map(({ line }) => line)),
  },
  { ...ADMIN, name: 'ACL GETUSER', arity: 3, summary: 'What a user may do.', run: getUser },
  {
    ...ADMIN,
    name: 'ACL SETUSER',
    arity: -3,
    summary: 'Makes or changes a user of this server, by rules, until the server closes.',
    run: setUser,
  },
  {
    ...ADMIN,
    name: 'ACL DELUSER',
    arity: -3,
    summary: 'Removes users, and ends their connections.',
    run: deleteUsers,
  },
  { ...ADMIN, name: 'ACL LOG', arity: -2, summary: 'What was refused to whom.', run: log },
  {
    ...ADMIN,
    name: 'ACL DRYRUN',
    arity: -4,
    since: '7.0.0',
    summary: 'Says whether a user may run a command.',
    run: dryRun,
  },
]

function categories({ reply, core }: Call, args: readonly string[]): void {
  const [, , category] = args
  if (args.length > 3) throw subcommandArity('cat')
  if (category === undefined) {
    reply.bulks(CATEGORIES)
    return
  }
  const wanted = category.toLowerCase()
  if (!CATEGORIES.includes(wanted)) throw new ReplyError(`ERR Unknown category '${category}'`)
  reply.bulks(core.table.all.filter((command) => categoriesOf(command).includes(wanted)).map(lowerName))
}

const BITS_MAX = 4096
const BITS = 256

function generatePassword({ reply, core }: Call, args: readonly string[]): void {
  if (args.length > 3) throw subcommandArity('genpass')
  const bits = args[2] === undefined ? BITS : parseWhole(args[2])
  if (bits === undefined) throw new ReplyError('ERR value is not an integer or out of range')
  if (bits <= 0 || bits > BITS_MAX)
    throw new ReplyError(
      `ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to ${BITS_MAX}`,
    )
  const digits = Math.ceil(Number(bits) / 4)
  const bytes = core.env.random(Math.ceil(digits / 2))
  reply.bulk(Buffer.from(bytes).toString('hex').slice(0, digits))
}

function getUser({ reply, core }: Call, [, , name]: readonly string[]): void {
  const user = core.users.get(name!)
  if (user === undefined) {
    reply.null()
    return
  }
  const { isOn, hasNoPassword, hashes } = user.facts
  const flags = [isOn ? 'on' : 'off', ...(hasNoPassword ? ['nopass'] : [])]
  reply.map(6)
  reply.bulk('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulk(flag)
  reply.bulk('passwords')
  reply.bulks(hashes)
  reply.bulk('commands')
  reply.bulk(user.commandsText)
  reply.bulk('keys')
  reply.bulk(user.keysText)
  reply.bulk('channels')
  reply.bulk(user.channelsText)
  reply.bulk('selectors')
  reply.array(0)
}

function setUser(call: Call, args: readonly string[]): void {
  const user = call.core.users.set(args[2]!, args.slice(3))
  // Who listens to what it may no more is sent away.
  for (const client of call.core.clients.values()) {
    if (client.user !== user) continue
    const isHeld =
      [...client.channels, ...client.shardChannels].every((one) => user.mayUseChannel(one)) &&
      [...client.patterns].every((one) => user.mayListen(one))
    if (!isHeld) client.outlet.close(client === call.client)
  }
  call.reply.ok()
}

function deleteUsers({ reply, core, client: own }: Call, args: readonly string[]): void {
  let count = 0
  for (const name of args.slice(2)) {
    const user = core.users.remove(name)
    if (user === undefined) continue
    count++
    for (const client of core.clients.values()) if (client.user === user) client.outlet.close(client === own)
  }
  reply.integer(count)
}

const SHOWN = 10

function log(call: Call, args: readonly string[]): void {
  const { reply, core } = call
  if (args.length > 3) throw subcommandArity('log')
  const [, , how] = args
  if (how?.toUpperCase() === 'RESET') {
    core.refusals.forget()
    reply.ok()
    return
  }
  const count = how === undefined ? SHOWN : parseWhole(how)
  if (count === undefined) throw new ReplyError('ERR value is not an integer or out of range')
  const shown = core.refusals.all.slice(0, Math.max(0, Number(count)))
  reply.array(shown.length)
  for (const one of shown) writeRefusal(call, one)
}

function writeRefusal({ reply, nowMs }: Call, refusal: LoggedRefusal): void {
  const { count, reason, context, object, userName, createdMs, updatedMs, client, id } = refusal
  reply.map(10)
  reply.bulk('count')
  reply.integer(count)
  for (const [name, text] of Object.entries({ reason, context, object, username: userName })) {
    reply.bulk(name)
    reply.bulk(text)
  }
  reply.bulk('age-seconds')
  reply.double((nowMs - createdMs) / 1000)
  reply.bulk('client-info')
  reply.bulk(client)
  for (const [name, value] of [
    ['entry-id', id],
    ['timestamp-created', createdMs],
    ['timestamp-last-updated', updatedMs],
  ] as const) {
    reply.bulk(name)
    reply.integer(value)
  }
}

function dryRun({ reply, core }: Call, args: readonly string[]): void {
  const [, , name, ...request] = args as [string, string, string, ...string[]]
  const user = core.users.get(name)
  if (user === undefined) throw new ReplyError(`ERR User '${name}' not found`)
  const [word, sub] = request as [string, string | undefined]
  const command = core.table.find(word, sub)
  if (command === undefined) throw new ReplyError(`ERR Command '${word}' not found`)
  const refused = refusedTo(user, command, request)
  if (refused === undefined) reply.ok()
  else reply.bulk(dryText(user, refused))
}

function dryText({ name }: User, { reason, object }: Refused): string {
  return reason === 'command'
    ? `User ${name} has no permissions to run the '${object}' command`
    : `User ${name} has no permissions to access the '${object}' ${reason}`
}

function subcommandArity(sub: string): ReplyError {
  return new ReplyError(`ERR wrong number of arguments for 'acl|${sub}' command`)
}
