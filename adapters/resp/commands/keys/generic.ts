/** Keys of any type: whether they are there, and what becomes of them. */
import { ALL_KEYS, FIRST_KEY, TWO_KEYS, type Call, type Command } from '../../call/command.ts'
import { wholeOf } from '../../call/arguments.ts'
import { isThere, viewOf, write } from '../../call/key-facts.ts'
import { noSuchKey, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { untilOf, type Expiry } from './deadlines.ts'
import { copyTo } from './copies.ts'
import { encodingOf } from './encodings.ts'

const READ = { flags: ['readonly', 'fast'], group: 'generic', keys: FIRST_KEY } as const
const WRITE = { flags: ['write', 'fast'], group: 'generic', keys: FIRST_KEY } as const
const SECONDS: Expiry = { unitMs: 1000, isAbsolute: false }
const MILLISECONDS: Expiry = { unitMs: 1, isAbsolute: false }
const AT = { isAbsolute: true } as const

export const GENERIC_COMMANDS: readonly Command[] = [
  { ...WRITE, keys: ALL_KEYS, name: 'DEL', arity: -2, since: '1.0.0', summary: 'Deletes keys.', run: del },
  { ...WRITE, keys: ALL_KEYS, name: 'UNLINK', arity: -2, since: '4.0.0', summary: 'Deletes keys.', run: del },
  { ...READ, keys: ALL_KEYS, name: 'EXISTS', arity: -2, since: '1.0.0', summary: 'How many are there.', run: exists },
  { ...READ, keys: ALL_KEYS, name: 'TOUCH', arity: -2, since: '3.2.1', summary: 'How many are there.', run: exists },
  {
    ...READ,
    name: 'TYPE',
    arity: 2,
    since: '1.0.0',
    summary: 'The type of a key.',
    run: (call, [, key]) => call.reply.simple(viewOf(call, key!).kind ?? 'none'),
  },
  expire('EXPIRE', SECONDS, '1.0.0', 'Has a key live for seconds.'),
  expire('PEXPIRE', MILLISECONDS, '2.6.0', 'Has a key live for milliseconds.'),
  expire('EXPIREAT', { ...SECONDS, ...AT }, '1.2.0', 'Has a key live until then, in seconds.'),
  expire('PEXPIREAT', { ...MILLISECONDS, ...AT }, '2.6.0', 'Has a key live until then, in milliseconds.'),
  life('TTL', SECONDS, '1.0.0', 'How many seconds a key has to live.'),
  life('PTTL', MILLISECONDS, '2.6.0', 'How many milliseconds a key has to live.'),
  life('EXPIRETIME', { ...SECONDS, ...AT }, '7.0.0', 'When a key ends, in seconds.'),
  life('PEXPIRETIME', { ...MILLISECONDS, ...AT }, '7.0.0', 'When a key ends, in milliseconds.'),
  { ...WRITE, name: 'PERSIST', arity: 2, since: '2.2.0', summary: 'Has a key live for ever.', run: persist },
  {
    ...WRITE,
    keys: TWO_KEYS,
    name: 'RENAME',
    arity: 3,
    since: '1.0.0',
    summary: 'Gives a key another name.',
    run: rename,
  },
  {
    ...WRITE,
    keys: TWO_KEYS,
    name: 'RENAMENX',
    arity: 3,
    since: '1.0.0',
    summary: 'Gives a key another name that is free.',
    run: renameNx,
  },
  { ...WRITE, keys: TWO_KEYS, name: 'COPY', arity: -3, since: '6.2.0', summary: 'Copies a key.', run: copy },
  {
    ...READ,
    keys: { first: 2, last: 2, step: 1 },
    name: 'OBJECT ENCODING',
    arity: 3,
    since: '2.2.3',
    summary: 'How Redis would hold a key.',
    run: (call, args) => call.reply.bulkOrNull(encodingOf(viewOf(call, args[2]!))),
  },
  {
    ...READ,
    keys: { first: 2, last: 2, step: 1 },
    name: 'OBJECT REFCOUNT',
    arity: 3,
    since: '2.2.3',
    summary: 'Says 1 of a key that is there.',
    run: refCount,
  },
]

function del(call: Call, args: readonly string[]): void {
  let count = 0
  for (const key of args.slice(1)) if (isThere(call, key) && call.keys.delete(key)) count++
  call.reply.integer(count)
}

function exists(call: Call, args: readonly string[]): void {
  call.reply.integer(args.slice(1).filter((key) => isThere(call, key)).length)
}

interface ExpireOptions {
  readonly NX: boolean
  readonly XX: boolean
  readonly GT: boolean
  readonly LT: boolean
}

function expire(name: string, expiry: Expiry, since: string, summary: string): Command {
  return { ...WRITE, ...{ name, since, summary, arity: -3 }, run: (call, args) => prolong(call, args, expiry) }
}

function prolong(call: Call, args: readonly string[], expiry: Expiry): void {
  const { reply, keys, nowMs } = call
  const [name, key, amount] = args as [string, string, string]
  const options = expireOptionsOf(args.slice(3))
  const untilMs = untilOf(call, expiry, wholeOf(amount), name.toLowerCase())
  const view = viewOf(call, key)
  if (view.kind === undefined || !isMeant(options, view.untilMs, untilMs)) {
    reply.integer(0)
    return
  }
  if (untilMs <= nowMs) keys.delete(key)
  else write(call, key, 'live', untilMs)
  reply.integer(1)
}

/** A key that lives for ever lives longer than any other. */
function isMeant({ NX, XX, GT, LT }: ExpireOptions, before: number, untilMs: number): boolean {
  const isMortal = before !== Infinity
  return !((NX && isMortal) || (XX && !isMortal) || (GT && untilMs <= before) || (LT && untilMs >= before))
}

function expireOptionsOf(words: readonly string[]): ExpireOptions {
  const options = { NX: false, XX: false, GT: false, LT: false }
  for (const word of words) {
    const name = word.toUpperCase()
    if (!Object.hasOwn(options, name)) throw new ReplyError(`ERR Unsupported option ${word}`)
    options[name as keyof ExpireOptions] = true
  }
  const { NX, XX, GT, LT } = options
  if (NX && (XX || GT || LT))
    throw new ReplyError('ERR NX and XX, GT or LT options at the same time are not compatible')
  if (GT && LT) throw new ReplyError('ERR GT and LT options at the same time are not compatible')
  return options
}

function life(name: string, expiry: Expiry, since: string, summary: string): Command {
  return { ...READ, ...{ name, since, summary, arity: 2 }, run: (call, [, key]) => lifeLeft(call, key!, expiry) }
}

function lifeLeft(call: Call, key: string, { unitMs, isAbsolute }: Expiry): void {
  const { kind, untilMs } = viewOf(call, key)
  if (kind === undefined) call.reply.integer(-2)
  else if (untilMs === Infinity) call.reply.integer(-1)
  else if (isAbsolute) call.reply.integer(Math.floor(untilMs / unitMs))
  else call.reply.integer(Math.floor((untilMs - call.nowMs + (unitMs === 1 ? 0 : 500)) / unitMs))
}

function persist(call: Call, [, key]: readonly string[]): void {
  const { kind, untilMs } = viewOf(call, key!)
  const isMortal = kind !== undefined && untilMs !== Infinity
  if (isMortal) write(call, key!, 'live', Infinity)
  call.reply.integer(isMortal ? 1 : 0)
}

function rename(call: Call, [, from, to]: readonly string[]): void {
  if (!isThere(call, from!)) throw noSuchKey()
  if (from !== to) {
    copyTo(call, from!, to!)
    call.keys.delete(from!)
  }
  call.reply.ok()
}

function renameNx(call: Call, [, from, to]: readonly string[]): void {
  if (!isThere(call, from!)) throw noSuchKey()
  if (isThere(call, to!)) {
    call.reply.integer(0)
    return
  }
  copyTo(call, from!, to!)
  call.keys.delete(from!)
  call.reply.integer(1)
}

function copy(call: Call, args: readonly string[]): void {
  const [, from, to] = args as [string, string, string]
  const isReplacing = copyOptionsOf(args)
  if (from === to) throw new ReplyError('ERR source and destination objects are the same')
  if (!isThere(call, from) || (isThere(call, to) && !isReplacing)) {
    call.reply.integer(0)
    return
  }
  copyTo(call, from, to)
  call.reply.integer(1)
}

/** Whether what is there is replaced. */
function copyOptionsOf(args: readonly string[]): boolean {
  let isReplacing = false
  for (let at = 3; at < args.length; at++) {
    const option = args[at]!.toUpperCase()
    if (option === 'REPLACE') isReplacing = true
    else if (option === 'DB' && at + 1 < args.length) {
      if (wholeOf(args[++at]!) !== 0) throw new ReplyError('ERR DB index is out of range')
    } else throw syntaxError()
  }
  return isReplacing
}

function refCount(call: Call, args: readonly string[]): void {
  if (isThere(call, args[2]!)) call.reply.integer(1)
  else call.reply.null()
}
