/** What keyspace notifications call that which a command did, and in which class each event is. */
import { lowerName, type CommandFacts, type Group } from '../call/command-facts.ts'

/** `g` keys of any type, `$` strings, `l` lists, `s` sets, `h` hashes, `z` sorted sets, `t` streams, `x` ends of lives, `n` new, `m` missed. */
export type EventClass = 'g' | '$' | 'l' | 's' | 'h' | 'z' | 't' | 'x' | 'n' | 'm'

export interface KeyEvent {
  readonly eventClass: EventClass
  readonly event: string
  /** A binary string. */
  readonly key: string
}

/** What is known of a command that has run. */
export interface Ran {
  readonly command: CommandFacts
  readonly args: readonly string[]
  /** Keys that it changed, in the order of its words. */
  readonly changed: readonly string[]
  readonly isThere: (key: string) => boolean
}

const CLASSES: Readonly<Partial<Record<Group, EventClass>>> = {
  ...{ bitmap: '$', hyperloglog: '$', string: '$', list: 'l', hash: 'h', set: 's' },
  ...{ 'sorted-set': 'z', geo: 'z', stream: 't', generic: 'g' },
}
const ALWAYS_GENERIC: ReadonlySet<string> = new Set(['del', 'expire', 'persist'])
/** Of types that are gone when they are empty. */
const CONTAINERS: ReadonlySet<EventClass> = new Set<EventClass>(['l', 's', 'h', 'z'])

/** Commands whose events have another name than they. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ INCR: 'incrby', DECR: 'incrby', DECRBY: 'incrby', SETNX: 'set', GETSET: 'set' },
  ...{ SETEX: 'set', PSETEX: 'set', GETDEL: 'del', UNLINK: 'del', PEXPIRE: 'expire', EXPIREAT: 'expire' },
  ...{ PEXPIREAT: 'expire', GETEX: 'expire', HMSET: 'hset', HSETNX: 'hset', LPUSHX: 'lpush', RPUSHX: 'rpush' },
  ...{ BLPOP: 'lpop', BRPOP: 'rpop', ZINCRBY: 'zincr', BZPOPMIN: 'zpopmin', BZPOPMAX: 'zpopmax', BITOP: 'set' },
  ...{ BITFIELD: 'setbit', PFMERGE: 'pfadd', GEOADD: 'zadd', COPY: 'copy_to', SORT: 'sortstore' },
  ...{ 'XGROUP CREATE': 'xgroup-create', 'XGROUP DESTROY': 'xgroup-destroy', 'XGROUP SETID': 'xgroup-setid' },
  ...{ 'XGROUP DELCONSUMER': 'xgroup-delconsumer', 'XGROUP CREATECONSUMER': 'xgroup-createconsumer' },
}
/** Reading for a group and its like is no event. */
const SILENT: ReadonlySet<string> = new Set(['XREADGROUP', 'XACK', 'XCLAIM', 'XAUTOCLAIM'])
const LIVES: ReadonlySet<string> = new Set(['EX', 'PX', 'EXAT', 'PXAT'])

/** Commands that do two things, or whose words say which one. */
const SPECIAL: Readonly<Record<string, (ran: Ran) => readonly KeyEvent[]>> = {
  SET: (ran) =>
    setEvents(
      ran,
      ran.args.slice(3).some((word) => LIVES.has(word.toUpperCase())),
    ),
  MSET: setEach,
  MSETNX: setEach,
  SETEX: (ran) => setEvents(ran, true),
  PSETEX: (ran) => setEvents(ran, true),
  GETEX: (ran) => named(ran, ran.args[2]?.toUpperCase() === 'PERSIST' ? 'persist' : 'expire'),
  ZADD: (ran) => named(ran, ran.args.slice(2).some((word) => word.toUpperCase() === 'INCR') ? 'zincr' : 'zadd'),
  RENAME: renamed,
  RENAMENX: renamed,
  LMPOP: (ran) => named(ran, isLeft(ran.args, 2) ? 'lpop' : 'rpop'),
  BLMPOP: (ran) => named(ran, isLeft(ran.args, 3) ? 'lpop' : 'rpop'),
  ZMPOP: (ran) => named(ran, isLeft(ran.args, 2) ? 'zpopmin' : 'zpopmax'),
  BZMPOP: (ran) => named(ran, isLeft(ran.args, 3) ? 'zpopmin' : 'zpopmax'),
  LMOVE: (ran) => moved(ran, ran.args[3], ran.args[4]),
  BLMOVE: (ran) => moved(ran, ran.args[3], ran.args[4]),
  RPOPLPUSH: (ran) => moved(ran, 'RIGHT', 'LEFT'),
  BRPOPLPUSH: (ran) => moved(ran, 'RIGHT', 'LEFT'),
  SMOVE: (ran) => [...of(ran, ran.args[1]!, 'srem'), ...of(ran, ran.args[2]!, 'sadd')],
}

/** In the order in which they are told. */
export function eventsOf(ran: Ran): readonly KeyEvent[] {
  const { name } = ran.command
  if (ran.changed.length === 0 || SILENT.has(name)) return []
  return SPECIAL[name]?.(ran) ?? named(ran, NAMES[name] ?? lowerName(ran.command))
}

/** What is told of a key that changed by no command of a client here: what it holds now says which. */
export function eventOfKind(key: string, kind: string | undefined): KeyEvent {
  const [eventClass, event] = BY_KIND[kind ?? ''] ?? (['g', 'del'] as const)
  return { eventClass, event, key }
}

const BY_KIND: Readonly<Record<string, readonly [EventClass, string]>> = {
  string: ['$', 'set'],
  list: ['l', 'rpush'],
  set: ['s', 'sadd'],
  hash: ['h', 'hset'],
  zset: ['z', 'zadd'],
  stream: ['t', 'xadd'],
}

function named(ran: Ran, event: string): readonly KeyEvent[] {
  return ran.changed.flatMap((key) => eventsOfKey(ran, key, event))
}

/** The same of one key, if it was changed. */
function of(ran: Ran, key: string, event: string): readonly KeyEvent[] {
  return ran.changed.includes(key) ? eventsOfKey(ran, key, event) : []
}

function eventsOfKey({ command, isThere }: Ran, key: string, event: string): readonly KeyEvent[] {
  const gone: KeyEvent = { eventClass: 'g', event: 'del', key }
  const ofCommand = event === 'sortstore' ? 'l' : (CLASSES[command.group] ?? 'g')
  const eventClass = ALWAYS_GENERIC.has(event) ? 'g' : ofCommand
  const own = { eventClass, event, key }
  if (isThere(key)) return [own]
  // What was stored is nothing, or a life had ended before it began: that is a delete.
  if (event.endsWith('store') || event === 'expire') return [gone]
  return CONTAINERS.has(eventClass) ? [own, gone] : [own]
}

function setEvents(ran: Ran, hasLife: boolean): readonly KeyEvent[] {
  return ran.changed.flatMap((key): readonly KeyEvent[] => [
    { eventClass: '$', event: 'set', key },
    ...(hasLife ? [{ eventClass: 'g', event: 'expire', key } as const] : []),
  ])
}

/** A key that is named twice is set twice. */
function setEach({ args, changed }: Ran): readonly KeyEvent[] {
  return args
    .filter((key, place) => place % 2 === 1 && changed.includes(key))
    .map((key) => ({ eventClass: '$', event: 'set', key }))
}

function renamed({ args, changed }: Ran): readonly KeyEvent[] {
  if (changed.length < 2) return []
  return [
    // What was there before is another key.
    { eventClass: 'n', event: 'new', key: args[2]! },
    { eventClass: 'g', event: 'rename_from', key: args[1]! },
    { eventClass: 'g', event: 'rename_to', key: args[2]! },
  ]
}

/** The push comes before the pop. */
function moved(ran: Ran, from: string | undefined, to: string | undefined): readonly KeyEvent[] {
  const [source, target] = [ran.args[1]!, ran.args[2]!]
  const pushed: KeyEvent = { eventClass: 'l', event: to?.toUpperCase() === 'LEFT' ? 'lpush' : 'rpush', key: target }
  if (ran.changed.length === 0) return []
  return [pushed, ...of(ran, source, from?.toUpperCase() === 'LEFT' ? 'lpop' : 'rpop')]
}

/** LEFT or MIN behind `numkeys` at that place. */
function isLeft(args: readonly string[], place: number): boolean {
  const word = args[place + Number(args[place - 1])]?.toUpperCase()
  return word === 'LEFT' || word === 'MIN'
}
