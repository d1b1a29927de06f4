/** Commands of sets. */
import { positiveOf } from '../../call/arguments.ts'
import { ALL_KEYS, FIRST_KEY, TWO_KEYS, countedKeys, type Call, type Command } from '../../call/command.ts'
import { viewAs, viewOf, write, writeEach, type KeyView } from '../../call/key-facts.ts'
import { syntaxError } from '../../call/reply-error.ts'
import { hasPeers } from '../../call/peers.ts'
import { CARD_NUMKEYS, cardLimitOf, numkeysOf } from './counted.ts'
import { chosen, chosenOne, choiceOf, namesIn, scan } from './entries.ts'

const READ = { group: 'set', keys: FIRST_KEY, flags: ['readonly', 'fast'] } as const
const SLOW_READ = { group: 'set', keys: FIRST_KEY, flags: ['readonly'] } as const
const WRITE = { group: 'set', keys: FIRST_KEY, flags: ['write', 'fast'] } as const
const STORE = { group: 'set', keys: ALL_KEYS, flags: ['write', 'denyoom'], arity: -3, since: '1.0.0' } as const
const MANY = { group: 'set', keys: ALL_KEYS, flags: ['readonly'], arity: -2, since: '1.0.0' } as const

export const SET_COMMANDS: readonly Command[] = [
  {
    ...WRITE,
    flags: ['write', 'denyoom', 'fast'],
    name: 'SADD',
    arity: -3,
    since: '1.0.0',
    summary: 'Puts members into a set.',
    run: sadd,
  },
  { ...WRITE, name: 'SREM', arity: -3, since: '1.0.0', summary: 'Takes members out of a set.', run: srem },
  {
    ...WRITE,
    keys: TWO_KEYS,
    name: 'SMOVE',
    arity: 4,
    since: '1.0.0',
    summary: 'Moves a member to another set.',
    run: smove,
  },
  {
    ...WRITE,
    name: 'SPOP',
    arity: -2,
    since: '1.0.0',
    summary: 'Takes members out by chance; several replicas may take the same one.',
    run: spop,
  },
  { ...READ, name: 'SCARD', arity: 2, since: '1.0.0', summary: 'How many members a set has.', run: scard },
  { ...READ, name: 'SISMEMBER', arity: 3, since: '1.0.0', summary: 'Whether a member is in.', run: sismember },
  { ...READ, name: 'SMISMEMBER', arity: -3, since: '6.2.0', summary: 'Which members are in.', run: smismember },
  { ...SLOW_READ, name: 'SMEMBERS', arity: 2, since: '1.0.0', summary: 'All members of a set.', run: smembers },
  { ...SLOW_READ, name: 'SRANDMEMBER', arity: -2, since: '1.0.0', summary: 'Members by chance.', run: srandmember },
  { ...SLOW_READ, name: 'SSCAN', arity: -3, since: '2.8.0', summary: 'Walks over the members of a set.', run: sscan },
  { ...MANY, name: 'SINTER', summary: 'The members that all the sets have.', run: combining(intersection) },
  { ...MANY, name: 'SUNION', summary: 'The members that any of the sets has.', run: combining(union) },
  { ...MANY, name: 'SDIFF', summary: 'The members of the first set that no other has.', run: combining(difference) },
  { ...STORE, name: 'SINTERSTORE', summary: 'Keeps what SINTER gives.', run: storing(intersection) },
  { ...STORE, name: 'SUNIONSTORE', summary: 'Keeps what SUNION gives.', run: storing(union) },
  { ...STORE, name: 'SDIFFSTORE', summary: 'Keeps what SDIFF gives.', run: storing(difference) },
  {
    group: 'set',
    flags: ['readonly'],
    findKeys: countedKeys(1),
    name: 'SINTERCARD',
    arity: -3,
    since: '7.0.0',
    summary: 'How many members all the sets have.',
    run: sintercard,
  },
]

function setOf(call: Call, key: string | undefined): KeyView {
  return viewAs(call, key as string, 'set')
}

function sadd(call: Call, [, key, ...members]: readonly string[]): void {
  const set = setOf(call, key)
  const all = new Set(members)
  let newCount = 0
  for (const member of all) if (!set.hasMember(member)) newCount++
  if (newCount > 0 || hasPeers(call)) write(call, key as string, 'join', members, { isRenewing: hasPeers(call) })
  call.reply.integer(newCount)
}

function srem(call: Call, [, key, ...members]: readonly string[]): void {
  const set = setOf(call, key)
  const found = [...new Set(members)].filter((member) => set.hasMember(member))
  writeEach(call, key as string, 'leave', found)
  call.reply.integer(found.length)
}

function smove(call: Call, [, source, target, member]: readonly string[]): void {
  const from = viewOf(call, source as string)
  if (from.kind === undefined) {
    call.reply.integer(0)
    return
  }
  const isIn = setOf(call, source).hasMember(member as string)
  const isThere = setOf(call, target).hasMember(member as string)
  if (isIn && source !== target) {
    call.keys.together(() => {
      // In this order: if the second one is refused the member is there twice, and not gone.
      if (!isThere || hasPeers(call)) write(call, target as string, 'join', [member])
      write(call, source as string, 'leave', member)
    })
  }
  call.reply.integer(isIn ? 1 : 0)
}

function spop(call: Call, args: readonly string[]): void {
  const [, key, count] = args
  if (args.length > 3) throw syntaxError()
  const many = count === undefined ? 1 : positiveOf(count)
  const members = chosen(call, setOf(call, key), many)
  writeEach(call, key as string, 'leave', members)
  if (count === undefined) call.reply.bulkOrNull(members[0])
  else writeSet(call, members)
}

function writeSet({ reply }: Call, members: readonly string[]): void {
  reply.set(members.length)
  for (const member of members) reply.bulk(member)
}

function scard(call: Call, [, key]: readonly string[]): void {
  call.reply.integer(setOf(call, key).size)
}

function sismember(call: Call, [, key, member]: readonly string[]): void {
  call.reply.integer(setOf(call, key).hasMember(member as string) ? 1 : 0)
}

function smismember(call: Call, [, key, ...members]: readonly string[]): void {
  const set = setOf(call, key)
  call.reply.array(members.length)
  for (const member of members) call.reply.integer(set.hasMember(member) ? 1 : 0)
}

function smembers(call: Call, [, key]: readonly string[]): void {
  writeSet(call, namesIn(setOf(call, key)))
}

function srandmember(call: Call, args: readonly string[]): void {
  const choice = choiceOf(args)
  const set = setOf(call, args[1])
  if (choice === undefined) call.reply.bulkOrNull(chosenOne(call, set))
  else call.reply.bulks(chosen(call, set, choice.count))
}

function sscan(call: Call, args: readonly string[]): void {
  scan(call, args, 'set', { items: 1, write: (_set, member) => call.reply.bulk(member) })
}

type Combine = (sets: readonly KeyView[]) => string[]

function intersection(sets: readonly KeyView[], limit = Infinity): string[] {
  const [least, ...others] = [...sets].sort((a, b) => a.size - b.size)
  const common: string[] = []
  for (const member of least === undefined ? [] : namesIn(least)) {
    if (common.length >= limit) break
    if (others.every((other) => other.hasMember(member))) common.push(member)
  }
  return common
}

function union(sets: readonly KeyView[]): string[] {
  return [...new Set(sets.flatMap(namesIn))]
}

function difference([first, ...others]: readonly KeyView[]): string[] {
  if (first === undefined) return []
  return namesIn(first).filter((member) => !others.some((other) => other.hasMember(member)))
}

function combining(combine: Combine): Command['run'] {
  return (call, [, ...keys]) => writeSet(call, combine(keys.map((key) => setOf(call, key))))
}

function storing(combine: Combine): Command['run'] {
  return (call, [, target, ...keys]) => {
    const members = combine(keys.map((key) => setOf(call, key)))
    if (members.length > 0) write(call, target as string, 'join', members, { replacing: {} })
    else if (viewOf(call, target as string).kind !== undefined) call.keys.delete(target as string)
    call.reply.integer(members.length)
  }
}

function sintercard(call: Call, args: readonly string[]): void {
  const keys = numkeysOf(args, 1, CARD_NUMKEYS)
  const limit = cardLimitOf(args, 2 + keys.length)
  call.reply.integer(
    intersection(
      keys.map((key) => setOf(call, key)),
      limit,
    ).length,
  )
}
