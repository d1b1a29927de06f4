/** Commands of hashes. */
import { addExact, parseExact, shownExact } from '../../../../crdt/redis/exact.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { viewAs, write, writeEach, type KeyView } from '../../call/key-facts.ts'
import { notFloat, ReplyError } from '../../call/reply-error.ts'
import { wholeOf } from '../../call/arguments.ts'
import { chosen, chosenOne, choiceOf, namesIn, scan } from './entries.ts'
import { wholeSum } from './sums.ts'

const READ = { group: 'hash', keys: FIRST_KEY, flags: ['readonly', 'fast'] } as const
const SLOW_READ = { group: 'hash', keys: FIRST_KEY, flags: ['readonly'] } as const
const WRITE = { group: 'hash', keys: FIRST_KEY, flags: ['write', 'denyoom', 'fast'] } as const

export const HASH_COMMANDS: readonly Command[] = [
  { ...WRITE, name: 'HSET', arity: -4, since: '2.0.0', summary: 'Sets fields of a hash.', run: hset },
  { ...WRITE, name: 'HMSET', arity: -4, since: '2.0.0', summary: 'Sets fields of a hash.', run: hmset },
  { ...WRITE, name: 'HSETNX', arity: 4, since: '2.0.0', summary: 'Sets a field that is not there.', run: hsetnx },
  {
    ...WRITE,
    flags: ['write', 'fast'],
    name: 'HDEL',
    arity: -3,
    since: '2.0.0',
    summary: 'Takes fields out of a hash.',
    run: hdel,
  },
  { ...WRITE, name: 'HINCRBY', arity: 4, since: '2.0.0', summary: 'Adds a whole number to a field.', run: hincrby },
  {
    ...WRITE,
    name: 'HINCRBYFLOAT',
    arity: 4,
    since: '2.6.0',
    summary: 'Adds a decimal number to a field.',
    run: hincrbyfloat,
  },
  { ...READ, name: 'HGET', arity: 3, since: '2.0.0', summary: 'The value of a field.', run: hget },
  { ...READ, name: 'HMGET', arity: -3, since: '2.0.0', summary: 'The values of fields.', run: hmget },
  { ...SLOW_READ, name: 'HGETALL', arity: 2, since: '2.0.0', summary: 'All fields and their values.', run: hgetall },
  { ...SLOW_READ, name: 'HKEYS', arity: 2, since: '2.0.0', summary: 'The fields of a hash.', run: hkeys },
  { ...SLOW_READ, name: 'HVALS', arity: 2, since: '2.0.0', summary: 'The values of a hash.', run: hvals },
  { ...READ, name: 'HLEN', arity: 2, since: '2.0.0', summary: 'How many fields a hash has.', run: hlen },
  { ...READ, name: 'HEXISTS', arity: 3, since: '2.0.0', summary: 'Whether a hash has a field.', run: hexists },
  { ...READ, name: 'HSTRLEN', arity: 3, since: '3.2.0', summary: 'The length of a field’s value.', run: hstrlen },
  { ...SLOW_READ, name: 'HRANDFIELD', arity: -2, since: '6.2.0', summary: 'Fields by chance.', run: hrandfield },
  { ...SLOW_READ, name: 'HSCAN', arity: -3, since: '2.8.0', summary: 'Walks over the fields of a hash.', run: hscan },
]

function hashOf(call: Call, key: string | undefined): KeyView {
  return viewAs(call, key as string, 'hash')
}

function pairsOf(args: readonly string[], name: string): [field: string, value: string][] {
  if (args.length % 2 === 1) throw new ReplyError(`ERR wrong number of arguments for '${name}' command`)
  const pairs: [string, string][] = []
  for (let at = 2; at < args.length; at += 2) pairs.push([args[at] as string, args[at + 1] as string])
  return pairs
}

/** Returns how many fields are new. */
function setPairs(call: Call, args: readonly string[], name: string): number {
  const pairs = pairsOf(args, name)
  const hash = hashOf(call, args[1])
  const fields = new Set(pairs.map(([field]) => field))
  let count = 0
  for (const field of fields) if (hash.field(field) === undefined) count++
  write(call, args[1] as string, 'setFields', pairs)
  return count
}

function hset(call: Call, args: readonly string[]): void {
  call.reply.integer(setPairs(call, args, 'hset'))
}

function hmset(call: Call, args: readonly string[]): void {
  setPairs(call, args, 'hmset')
  call.reply.ok()
}

function hsetnx(call: Call, [, key, field, value]: readonly string[]): void {
  const isNew = hashOf(call, key).field(field as string) === undefined
  if (isNew) write(call, key as string, 'setFields', [[field, value]])
  call.reply.integer(isNew ? 1 : 0)
}

function hdel(call: Call, [, key, ...fields]: readonly string[]): void {
  const hash = hashOf(call, key)
  const found = [...new Set(fields)].filter((field) => hash.field(field) !== undefined)
  writeEach(call, key as string, 'removeFields', found)
  call.reply.integer(found.length)
}

function hincrby(call: Call, [, key, field, text]: readonly string[]): void {
  const by = wholeOf(text as string)
  const before = hashOf(call, key).field(field as string)
  const sum = wholeSum(before ?? '0', by)
  if (sum === undefined) throw new ReplyError('ERR hash value is not an integer')
  write(call, key as string, 'addToField', field, by)
  call.reply.integer(sum)
}

function hincrbyfloat(call: Call, [, key, field, text]: readonly string[]): void {
  const by = parseExact(text as string)
  if (by === undefined)
    throw /^[+-]?inf(inity)?$/i.test(text as string) ? new ReplyError('ERR value is NaN or Infinity') : notFloat()
  const before = parseExact(hashOf(call, key).field(field as string) ?? '0')
  if (before === undefined) throw new ReplyError('ERR hash value is not a float')
  write(call, key as string, 'addToField', field, text)
  call.reply.bulk(shownExact(addExact(before, by)))
}

function hget(call: Call, [, key, field]: readonly string[]): void {
  call.reply.bulkOrNull(hashOf(call, key).field(field as string))
}

function hmget(call: Call, [, key, ...fields]: readonly string[]): void {
  const hash = hashOf(call, key)
  call.reply.array(fields.length)
  for (const field of fields) call.reply.bulkOrNull(hash.field(field))
}

function hgetall(call: Call, [, key]: readonly string[]): void {
  const hash = hashOf(call, key)
  call.reply.map(hash.size)
  for (const field of namesIn(hash)) writePair(call, hash, field)
}

function writePair({ reply }: Call, hash: KeyView, field: string): void {
  reply.bulk(field)
  reply.bulk(hash.field(field) ?? '')
}

function hkeys(call: Call, [, key]: readonly string[]): void {
  call.reply.bulks(namesIn(hashOf(call, key)))
}

function hvals(call: Call, [, key]: readonly string[]): void {
  const hash = hashOf(call, key)
  call.reply.bulks(namesIn(hash).map((field) => hash.field(field) ?? ''))
}

function hlen(call: Call, [, key]: readonly string[]): void {
  call.reply.integer(hashOf(call, key).size)
}

function hexists(call: Call, [, key, field]: readonly string[]): void {
  call.reply.integer(hashOf(call, key).field(field as string) === undefined ? 0 : 1)
}

function hstrlen(call: Call, [, key, field]: readonly string[]): void {
  call.reply.integer(hashOf(call, key).field(field as string)?.length ?? 0)
}

function hrandfield(call: Call, args: readonly string[]): void {
  const { reply } = call
  const choice = choiceOf(args, 'WITHVALUES')
  const hash = hashOf(call, args[1])
  if (choice === undefined) {
    reply.bulkOrNull(chosenOne(call, hash))
    return
  }
  const fields = chosen(call, hash, choice.count)
  if (!choice.isPaired) {
    reply.bulks(fields)
    return
  }
  reply.array(reply.protocol === 3 ? fields.length : fields.length * 2)
  for (const field of fields) {
    if (reply.protocol === 3) reply.array(2)
    writePair(call, hash, field)
  }
}

function hscan(call: Call, args: readonly string[]): void {
  scan(call, args, 'hash', { items: 2, write: (hash, field) => writePair(call, hash, field) })
}
