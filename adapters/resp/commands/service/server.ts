/** Commands about the server: INFO, COMMAND, CONFIG GET and their like. */
import { categoriesOf } from '../../access/categories.ts'
import { keyPlaces, lowerName } from '../../call/command-facts.ts'
import { globOf } from '../../protocol/glob.ts'
import { type Call, type Command } from '../../call/command.ts'
import { infoText } from './info.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'

const NO_KEYS = { first: 0, last: 0, step: 0 }
const BASE = { flags: ['loading', 'stale'], group: 'server' } as const

export const SERVER_COMMANDS: readonly Command[] = [
  { ...BASE, name: 'COMMAND', arity: -1, since: '2.8.13', summary: 'All commands.', run: commandAll },
  {
    ...BASE,
    name: 'COMMAND COUNT',
    arity: 2,
    since: '2.8.13',
    summary: 'How many commands there are.',
    run: ({ reply, core }) => reply.integer(core.table.names.length),
  },
  { ...BASE, name: 'COMMAND INFO', arity: -2, since: '2.8.13', summary: 'What commands take.', run: commandInfo },
  { ...BASE, name: 'COMMAND DOCS', arity: -2, since: '7.0.0', summary: 'What commands are for.', run: commandDocs },
  { ...BASE, name: 'COMMAND LIST', arity: -2, since: '7.0.0', summary: 'The names of commands.', run: commandList },
  {
    ...BASE,
    name: 'COMMAND GETKEYS',
    arity: -3,
    since: '2.8.13',
    summary: 'Which words of a request are keys.',
    run: commandKeys,
  },
  {
    ...BASE,
    name: 'INFO',
    arity: -1,
    since: '1.0.0',
    summary: 'How the server is, by sections; section `warp` says how it replicates and merges.',
    run: (call, args) => call.reply.verbatim(infoText(call, args.slice(1))),
  },
  {
    ...BASE,
    name: 'TIME',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    since: '2.6.0',
    summary: 'The time of this server: seconds, and microseconds beyond them.',
    run: ({ reply, nowMs }) => reply.bulks([String(Math.floor(nowMs / 1000)), String((nowMs % 1000) * 1000)]),
  },
  {
    name: 'ROLE',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    group: 'server',
    since: '2.8.12',
    summary: 'Says `master`: every replica takes writes.',
    run: role,
  },
]

function commandAll({ reply, core }: Call): void {
  const { table } = core
  reply.array(table.names.length)
  for (const name of table.names) infoOf({ reply, core }, name)
}

function commandInfo({ reply, core }: Call, args: readonly string[]): void {
  const names = args.length > 2 ? args.slice(2) : core.table.names
  reply.array(names.length)
  for (const name of names) infoOf({ reply, core }, name)
}

/** What COMMAND INFO says of one; nothing, of what is no command. */
function infoOf({ reply, core }: Pick<Call, 'reply' | 'core'>, name: string): void {
  const subs = core.table.subcommands(name).filter((one) => one.name.includes(' '))
  const [word, sub] = name.split('|') as [string, string | undefined]
  const found = core.table.find(word, sub)
  if (found === undefined && subs.length === 0) {
    reply.nullArray()
    return
  }
  const { flags = [], keys = NO_KEYS, arity = -2 } = found ?? {}
  reply.array(10)
  reply.bulk(found === undefined ? name.toLowerCase() : lowerName(found))
  reply.integer(arity)
  simples(
    reply,
    flags.filter((flag) => flag !== 'unqueued'),
  )
  reply.integer(keys.first)
  reply.integer(keys.last)
  reply.integer(keys.step)
  simples(reply, found === undefined ? [] : categoriesOf(found).map((one) => `@${one}`))
  reply.array(0)
  reply.array(0)
  reply.array(subs.length)
  for (const one of subs) infoOf({ reply, core }, lowerName(one))
}

function simples(reply: Call['reply'], words: readonly string[]): void {
  reply.set(words.length)
  for (const word of words) reply.simple(word)
}

function commandDocs({ reply, core }: Call, args: readonly string[]): void {
  const { table } = core
  const wanted = args.length > 2 ? args.slice(2).map((name) => name.toUpperCase()) : table.names
  const known = wanted.filter((name) => table.find(name, undefined) !== undefined || table.isContainer(name))
  reply.map(known.length)
  for (const name of known) {
    reply.bulk(name.toLowerCase())
    docsOf({ reply, core }, name)
  }
}

function docsOf({ reply, core }: Pick<Call, 'reply' | 'core'>, name: string): void {
  const [word, sub] = name.split(' ') as [string, string | undefined]
  const subs = sub === undefined ? core.table.subcommands(name).filter((one) => one.name.includes(' ')) : []
  const found = core.table.find(word, sub) ?? subs[0]
  if (found === undefined) return
  reply.map(subs.length > 0 ? 4 : 3)
  reply.bulk('summary')
  reply.bulk(found.name === name ? found.summary : `A container of ${String(subs.length)} commands.`)
  reply.bulk('since')
  reply.bulk(found.since)
  reply.bulk('group')
  reply.bulk(found.group)
  if (subs.length === 0) return
  reply.bulk('subcommands')
  reply.map(subs.length)
  for (const one of subs) {
    reply.bulk(lowerName(one))
    docsOf({ reply, core }, one.name)
  }
}

function commandList({ reply, core }: Call, args: readonly string[]): void {
  const { table } = core
  if (args.length === 2) {
    reply.bulks(table.names.map((name) => name.toLowerCase()))
    return
  }
  const [by, value] = [args[3]?.toUpperCase(), args[4]?.toLowerCase()]
  if (args[2]!.toUpperCase() !== 'FILTERBY' || value === undefined || args.length > 5) throw syntaxError()
  const named = (command: Command): string => lowerName(command)
  if (by === 'PATTERN') {
    const matches = globOf(value)
    reply.bulks(table.all.map(named).filter((name) => matches(name)))
  } else if (by === 'ACLCAT') {
    reply.bulks(table.all.filter((command) => categoriesOf(command).includes(value)).map(named))
  } else if (by === 'MODULE') reply.bulks([])
  else throw syntaxError()
}

function commandKeys({ reply, core }: Call, args: readonly string[]): void {
  const request = args.slice(2)
  const found = core.table.find(request[0]!, request[1])
  if (found === undefined) throw new ReplyError('ERR Invalid command specified')
  const { arity } = found
  if (arity > 0 ? request.length !== arity : request.length < -arity)
    throw new ReplyError('ERR Invalid number of arguments specified for command')
  const places = keyPlaces(found, request)
  if (places.length === 0) throw new ReplyError('ERR The command has no key arguments')
  reply.bulks(places.map((place) => request[place]!))
}

function role({ reply }: Call): void {
  reply.array(3)
  reply.bulk('master')
  reply.integer(0)
  reply.array(0)
}
