/** CONFIG: settings by their names in Redis. What can be set while the server runs is few; the rest says so. */
import type { Call, Command, Core } from '../../call/command.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { globOf } from '../../protocol/glob.ts'
import { parseWhole } from '../../protocol/numbers.ts'

const ADMIN = { flags: ['admin', 'noscript', 'loading', 'stale'], group: 'server' } as const

export const CONFIG_COMMANDS: readonly Command[] = [
  {
    ...ADMIN,
    name: 'CONFIG GET',
    arity: -3,
    since: '2.0.0',
    summary: 'Settings by their names in Redis, those that there are.',
    run: configGet,
  },
  {
    ...ADMIN,
    name: 'CONFIG SET',
    arity: -4,
    since: '2.0.0',
    summary: 'Changes settings, those that can be while the server runs, until it closes.',
    run: configSet,
  },
  {
    ...ADMIN,
    name: 'CONFIG RESETSTAT',
    arity: 2,
    since: '2.0.0',
    summary: 'Has the counts of INFO begin at 0 again.',
    run: resetCounts,
  },
  {
    ...ADMIN,
    name: 'CONFIG REWRITE',
    arity: 2,
    since: '2.8.0',
    summary: 'Is refused: there is no file of settings.',
    run(): void {
      throw new ReplyError('ERR The server is running without a config file')
    },
  },
]

interface Parameter {
  readonly get: (core: Core) => string
  /** Checks a text, and returns what makes it so. Throws `ReplyError` with what is wrong alone. */
  readonly set?: (core: Core, text: string) => () => void
}

const SLOW_COMMANDS_MAX = 10_000
const SECONDS_MAX = 86_400

const PARAMETERS: Readonly<Record<string, Parameter>> = {
  appendfsync: fixed('everysec'),
  appendonly: { get: ({ warp }) => (warp.capabilities().persistent ? 'yes' : 'no') },
  databases: fixed('1'),
  'latency-monitor-threshold': {
    get: ({ slowLog }) => String(slowLog.latencyMs),
    set({ slowLog }, text) {
      const ms = wholeBetween(text, 0, Number.MAX_SAFE_INTEGER)
      return () => (slowLog.latencyMs = ms)
    },
  },
  maxclients: {
    get: ({ settings }) => String(settings.clientsMax),
    set(core, text) {
      const count = wholeBetween(text, 1, 1_000_000)
      return () => (core.settings.clientsMax = count)
    },
  },
  maxmemory: fixed('0'),
  'maxmemory-policy': fixed('noeviction'),
  'notify-keyspace-events': {
    get: ({ changes }) => changes.notifications.text,
    set({ changes }, text) {
      const flags = changes.notifications.parse(text)
      return () => changes.notifications.choose(flags)
    },
  },
  'proto-max-bulk-len': { get: ({ settings }) => String(settings.argumentBytesMax) },
  save: fixed(''),
  'slowlog-log-slower-than': {
    get: ({ slowLog }) => String(slowLog.slowerThanUs),
    set({ slowLog }, text) {
      const us = wholeBetween(text, -1, Number.MAX_SAFE_INTEGER)
      return () => (slowLog.slowerThanUs = us)
    },
  },
  'slowlog-max-len': {
    get: ({ slowLog }) => String(slowLog.entriesMax),
    set({ slowLog }, text) {
      const count = wholeBetween(text, 0, SLOW_COMMANDS_MAX)
      return () => (slowLog.entriesMax = count)
    },
  },
  timeout: {
    get: ({ settings }) => String(Math.ceil(settings.idleMs / 1000)),
    set(core, text) {
      const seconds = wholeBetween(text, 0, SECONDS_MAX)
      return () => (core.settings.idleMs = seconds * 1000)
    },
  },
}

function fixed(text: string): Parameter {
  return { get: () => text }
}

/** As a whole number within bounds. Throws `ReplyError`. */
function wholeBetween(text: string, min: number, max: number): number {
  const value = parseWhole(text)
  if (value === undefined) throw new ReplyError("argument couldn't be parsed into an integer")
  if (value < min || value > max) throw new ReplyError(`argument must be between ${min} and ${max} inclusive`)
  return Number(value)
}

function configGet({ reply, core }: Call, args: readonly string[]): void {
  const patterns = args.slice(2).map((pattern) => globOf(pattern.toLowerCase()))
  const found = Object.entries(PARAMETERS).filter(([name]) => patterns.some((matches) => matches(name)))
  reply.map(found.length)
  for (const [name, { get }] of found) {
    reply.bulk(name)
    reply.bulk(get(core))
  }
}

/** All of them or none. */
function configSet({ reply, core }: Call, args: readonly string[]): void {
  if (args.length % 2 !== 0) throw new ReplyError('ERR syntax error')
  const all = new Map<string, () => void>()
  for (let at = 2; at < args.length; at += 2) {
    const [given, text] = [args[at]!, args[at + 1]!]
    const name = given.toLowerCase()
    const known = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined
    if (known === undefined)
      throw new ReplyError(`ERR Unknown option or number of arguments for CONFIG SET - '${given}'`)
    if (all.has(name)) throw failed(given, 'duplicate parameter')
    all.set(name, checked(core, given, [known, text]))
  }
  for (const make of all.values()) make()
  reply.ok()
}

function checked(core: Core, name: string, [{ set }, text]: readonly [Parameter, string]): () => void {
  if (set === undefined) throw failed(name, "can't set immutable config")
  try {
    return set(core, text)
  } catch (error) {
    throw error instanceof ReplyError ? failed(name, error.text) : error
  }
}

function failed(name: string, why: string): ReplyError {
  return new ReplyError(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`)
}

function resetCounts({ reply, core }: Call): void {
  for (const name of Object.keys(core.counts) as (keyof typeof core.counts)[]) core.counts[name] = 0
  reply.ok()
}
