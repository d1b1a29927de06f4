/** Strings. */
import { INT64_MAX, INT64_MIN, parseWhole } from '../../protocol/numbers.ts'
import { isWarpError } from '../../../../crdt/warp-error.ts'
import { ALL_KEYS, FIRST_KEY, TWO_KEYS, type Call, type Command } from '../../call/command.ts'
import { indexOf, wholeOf } from '../../call/arguments.ts'
import { isThere, viewAs, viewOf, write } from '../../call/key-facts.ts'
import { notFloat, notWhole, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { deadlineOf, expiryOf, type Expiry } from './deadlines.ts'
import { longestCommon } from './longest-common.ts'

const READ = { flags: ['readonly', 'fast'], group: 'string', keys: FIRST_KEY } as const
const WRITE = { flags: ['write', 'denyoom', 'fast'], group: 'string', keys: FIRST_KEY } as const

/** Redis's `proto-max-bulk-len`, as it bounds a string. */

export const STRING_COMMANDS: readonly Command[] = [
  { ...READ, name: 'GET', arity: 2, since: '1.0.0', summary: 'The string of a key.', run: get },
  { ...READ, name: 'STRLEN', arity: 2, since: '2.2.0', summary: 'How many bytes a string has.', run: strlen },
  { ...READ, name: 'GETRANGE', arity: 4, since: '2.4.0', summary: 'A part of a string.', run: getRange },
  { ...READ, name: 'SUBSTR', arity: 4, since: '1.0.0', summary: 'A part of a string; use GETRANGE.', run: getRange },
  { ...READ, keys: ALL_KEYS, name: 'MGET', arity: -2, since: '1.0.0', summary: 'The strings of keys.', run: mget },
  {
    ...READ,
    flags: ['readonly'],
    keys: TWO_KEYS,
    name: 'LCS',
    arity: -3,
    since: '7.0.0',
    summary: 'The longest common subsequence of two strings.',
    run: lcs,
  },
  { ...WRITE, name: 'SET', arity: -3, since: '1.0.0', summary: 'Sets a key to a string.', run: set },
  {
    ...WRITE,
    name: 'SETNX',
    arity: 3,
    since: '1.0.0',
    summary: 'Sets a key that is not there.',
    run: (call, [, key, value]) => call.reply.integer(putIf(call, key!, value!, !isThere(call, key!)) ? 1 : 0),
  },
  { ...WRITE, name: 'SETEX', arity: 4, since: '2.0.0', summary: 'Sets a key for seconds.', run: setFor('setex', 1000) },
  {
    ...WRITE,
    name: 'PSETEX',
    arity: 4,
    since: '2.6.0',
    summary: 'Sets a key for milliseconds.',
    run: setFor('psetex', 1),
  },
  { ...WRITE, name: 'GETSET', arity: 3, since: '1.0.0', summary: 'Sets a key, and gives what it was.', run: getSet },
  { ...WRITE, name: 'GETDEL', arity: 2, since: '6.2.0', summary: 'Deletes a key, and gives what it was.', run: getDel },
  { ...WRITE, name: 'GETEX', arity: -2, since: '6.2.0', summary: 'The string of a key, and a new life.', run: getEx },
  {
    ...WRITE,
    keys: { first: 1, last: -1, step: 2 },
    name: 'MSET',
    arity: -3,
    since: '1.0.1',
    summary: 'Sets keys.',
    run: mset,
  },
  {
    ...WRITE,
    keys: { first: 1, last: -1, step: 2 },
    name: 'MSETNX',
    arity: -3,
    since: '1.0.1',
    summary: 'Sets keys if none of them is there.',
    run: msetnx,
  },
  { ...WRITE, name: 'APPEND', arity: 3, since: '2.0.0', summary: 'Puts something behind a string.', run: append },
  { ...WRITE, name: 'SETRANGE', arity: 4, since: '2.2.0', summary: 'Writes over a part of a string.', run: setRange },
  {
    ...WRITE,
    name: 'INCR',
    arity: 2,
    since: '1.0.0',
    summary: 'Adds 1 to a whole number.',
    run: (call, [, key]) => add(call, key!, 1),
  },
  {
    ...WRITE,
    name: 'DECR',
    arity: 2,
    since: '1.0.0',
    summary: 'Takes 1 from a whole number.',
    run: (call, [, key]) => add(call, key!, -1),
  },
  {
    ...WRITE,
    name: 'INCRBY',
    arity: 3,
    since: '1.0.0',
    summary: 'Adds to a whole number.',
    run: (call, [, key, by]) => add(call, key!, wholeOf(by!)),
  },
  {
    ...WRITE,
    name: 'DECRBY',
    arity: 3,
    since: '1.0.0',
    summary: 'Takes from a whole number.',
    run: (call, [, key, by]) => add(call, key!, negative(wholeOf(by!))),
  },
  { ...WRITE, name: 'INCRBYFLOAT', arity: 3, since: '2.6.0', summary: 'Adds to a number.', run: addFloat },
]

function get(call: Call, [, key]: readonly string[]): void {
  call.reply.bulkOrNull(viewAs(call, key!, 'string').text)
}

function strlen(call: Call, [, key]: readonly string[]): void {
  call.reply.integer(viewAs(call, key!, 'string').text?.length ?? 0)
}

function getRange(call: Call, [, key, from, to]: readonly string[]): void {
  const [start, end] = [indexOf(from!), indexOf(to!)]
  const text = viewAs(call, key!, 'string').text ?? ''
  call.reply.bulk(partOf(text, start, end))
}

/** From one index to another, that one too; below 0 from the end. */
function partOf(text: string, start: number, end: number): string {
  if (start < 0 && end < 0 && start > end) return ''
  const first = start < 0 ? Math.max(0, text.length + start) : start
  const last = end < 0 ? Math.max(0, text.length + end) : end
  return first > last ? '' : text.slice(first, last + 1)
}

function mget(call: Call, args: readonly string[]): void {
  call.reply.array(args.length - 1)
  for (const key of args.slice(1)) call.reply.bulkOrNull(viewOf(call, key).text)
}

/** Returns whether it was to be set. */
function putIf(call: Call, key: string, value: string, isWanted: boolean): boolean {
  if (isWanted) write(call, key, 'put', value)
  return isWanted
}

interface SetOptions {
  condition?: 'NX' | 'XX'
  isGetting?: true
  isKept?: true
  isPersisting?: true
  /** The option and its argument; the last of several that are the same counts. */
  expiry?: readonly [option: string, text: string]
}

function set(call: Call, args: readonly string[]): void {
  const { reply } = call
  const [, key, value] = args as [string, string, string]
  const options = optionsOf(args, 3, readSetOption)
  const { condition, isGetting } = options
  const life = options.isKept === true ? 'kept' : (untilOfOption(call, options, 'set') ?? Infinity)
  const before = isGetting ? viewAs(call, key, 'string') : viewOf(call, key)
  const text = isGetting ? before.text : undefined
  const isWanted = condition === undefined || (condition === 'XX') === (before.kind !== undefined)
  if (isWanted) put(call, key, value, life)
  if (isGetting) reply.bulkOrNull(text)
  else if (isWanted) reply.ok()
  else reply.null()
}

/** Options with their arguments, of which the lives are looked at when all are known. */
function optionsOf(
  args: readonly string[],
  from: number,
  read: (options: SetOptions, option: string) => boolean,
): SetOptions {
  const options: SetOptions = {}
  for (let at = from; at < args.length; at++) {
    const option = args[at]!.toUpperCase()
    if (expiryOf(option) === undefined) {
      if (!read(options, option)) throw syntaxError()
      continue
    }
    const isOnly = options.isKept !== true && options.isPersisting !== true
    const isSame = options.expiry === undefined || options.expiry[0] === option
    if (!isOnly || !isSame || at + 1 >= args.length) throw syntaxError()
    options.expiry = [option, args[++at]!]
  }
  return options
}

function untilOfOption(call: Call, { expiry }: SetOptions, command: string): number | undefined {
  if (expiry === undefined) return undefined
  const [option, text] = expiry
  return deadlineOf(call, expiryOf(option) as Expiry, text, command)
}

/** Returns whether there is such an option beside those before it. */
function readSetOption(options: SetOptions, option: string): boolean {
  if (option === 'GET') options.isGetting = true
  else if (option === 'KEEPTTL' && options.expiry === undefined) options.isKept = true
  else if ((option === 'NX' || option === 'XX') && (options.condition ?? option) === option) options.condition = option
  else return false
  return true
}

/** Sets a key with a life; one that is over already is a delete. */
function put(call: Call, key: string, value: string, life: number | 'kept'): void {
  if (life !== 'kept' && life <= call.nowMs) call.keys.delete(key)
  else write(call, key, 'put', value, life)
}

function setFor(name: string, unitMs: 1000 | 1): Command['run'] {
  return (call, [, key, life, value]) => {
    put(call, key!, value!, deadlineOf(call, { unitMs, isAbsolute: false }, life!, name))
    call.reply.ok()
  }
}

function getSet(call: Call, [, key, value]: readonly string[]): void {
  const { text } = viewAs(call, key!, 'string')
  write(call, key!, 'put', value!)
  call.reply.bulkOrNull(text)
}

function getDel(call: Call, [, key]: readonly string[]): void {
  const { text } = viewAs(call, key!, 'string')
  if (text !== undefined) call.keys.delete(key!)
  call.reply.bulkOrNull(text)
}

function getEx(call: Call, args: readonly string[]): void {
  const key = args[1]!
  const options = optionsOf(args, 2, readGetExOption)
  const { text, untilMs: before } = viewAs(call, key, 'string')
  if (text === undefined) {
    call.reply.null()
    return
  }
  const untilMs = options.isPersisting === true ? Infinity : untilOfOption(call, options, 'getex')
  call.reply.bulk(text)
  if (untilMs === undefined) return
  if (untilMs <= call.nowMs) call.keys.delete(key)
  else if (untilMs < Infinity || before < Infinity) write(call, key, 'live', untilMs)
}

function readGetExOption(options: SetOptions, option: string): boolean {
  if (option !== 'PERSIST' || options.expiry !== undefined) return false
  options.isPersisting = true
  return true
}

function mset(call: Call, args: readonly string[]): void {
  assertPairs(args, 'mset')
  for (let at = 1; at < args.length; at += 2) write(call, args[at]!, 'put', args[at + 1]!)
  call.reply.ok()
}

function msetnx(call: Call, args: readonly string[]): void {
  assertPairs(args, 'msetnx')
  for (let at = 1; at < args.length; at += 2) {
    if (!isThere(call, args[at]!)) continue
    call.reply.integer(0)
    return
  }
  for (let at = 1; at < args.length; at += 2) write(call, args[at]!, 'put', args[at + 1]!)
  call.reply.integer(1)
}

function assertPairs(args: readonly string[], command: string): void {
  if (args.length % 2 === 0) throw new ReplyError(`ERR wrong number of arguments for '${command}' command`)
}

function append(call: Call, [, key, bytes]: readonly string[]): void {
  const length = viewAs(call, key!, 'string').text?.length
  assertLength(call, (length ?? 0) + bytes!.length)
  // Of nothing an empty string is made; of a string with nothing behind it that string.
  if (length === undefined) write(call, key!, 'put', bytes!)
  else if (bytes !== '') write(call, key!, 'patch', [{ kind: 'append', bytes }])
  call.reply.integer((length ?? 0) + bytes!.length)
}

function setRange(call: Call, [, key, from, bytes]: readonly string[]): void {
  const offset = indexOf(from!)
  if (offset < 0) throw new ReplyError('ERR offset is out of range')
  const length = viewAs(call, key!, 'string').text?.length ?? 0
  if (bytes === '') {
    call.reply.integer(length)
    return
  }
  assertLength(call, offset + bytes!.length)
  write(call, key!, 'patch', [{ kind: 'overwrite', offset, bytes }])
  call.reply.integer(Math.max(length, offset + bytes!.length))
}

function assertLength({ core }: Call, bytes: number): void {
  if (bytes > core.settings.argumentBytesMax)
    throw new ReplyError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
}

function negative(by: number | bigint): number | bigint {
  if (by === INT64_MIN) throw new ReplyError('ERR decrement would overflow')
  return typeof by === 'bigint' ? -by : by === 0 ? 0 : -by
}

function add(call: Call, key: string, by: number | bigint): void {
  const before = parseWhole(viewAs(call, key, 'string').text ?? '0')
  if (before === undefined) throw notWhole()
  const after = sumOf(before, by)
  write(call, key, 'add', by)
  call.reply.integer(after)
}

/** Throws where a sum takes more than 64 bits. */
export function sumOf(one: number | bigint, other: number | bigint): number | bigint {
  if (typeof one === 'number' && typeof other === 'number') {
    const near = one + other
    if (Number.isSafeInteger(near)) return near
  }
  const sum = BigInt(one) + BigInt(other)
  if (sum > INT64_MAX || sum < INT64_MIN) throw new ReplyError('ERR increment or decrement would overflow')
  return sum
}

const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

const INFINITE = /^[+-]?inf(?:inity)?$/i

function addFloat(call: Call, [, key, by]: readonly string[]): void {
  const before = viewAs(call, key!, 'string').text
  const both = [before ?? '0', by!]
  if (!both.every((text) => DECIMAL.test(text) || INFINITE.test(text))) throw notFloat()
  if (both.some((text) => INFINITE.test(text))) throw new ReplyError('ERR increment would produce NaN or Infinity')
  try {
    write(call, key!, 'add', by!)
  } catch (error) {
    // More digits than are summed exactly.
    if (isWarpError(error, 'WARP_E_MODE') || isWarpError(error, 'WARP_E_CONFIG')) throw notFloat()
    throw error
  }
  call.reply.bulkOrNull(viewOf(call, key!).text)
}

function lcs(call: Call, args: readonly string[]): void {
  const [one, other] = [args[1]!, args[2]!].map((key) => viewOf(call, key))
  for (const view of [one, other])
    if (view!.kind !== undefined && view!.kind !== 'string')
      throw new ReplyError('ERR The specified keys must contain string values')
  longestCommon(call, [one!.text ?? '', other!.text ?? ''], args.slice(3))
}
