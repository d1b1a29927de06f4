/** Commands of ranges of a sorted set. */
import { FIRST_KEY, TWO_KEYS, type Call, type Command } from '../../call/command.ts'
import { viewOf, write, writeEach } from '../../call/key-facts.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { pairsOf, writeMembers, zsetOf } from './members.ts'
import { countIn, limitOf, membersIn, ranksOf, type Limit, type Range, type RangeKind } from './ranges.ts'

const READ = { group: 'sorted-set', keys: FIRST_KEY, flags: ['readonly'] } as const
const COUNT = { group: 'sorted-set', keys: FIRST_KEY, flags: ['readonly', 'fast'], arity: 4 } as const
const REMOVE = { group: 'sorted-set', keys: FIRST_KEY, flags: ['write'], arity: 4 } as const

export const SORTED_SET_RANGE_COMMANDS: readonly Command[] = [
  { ...READ, name: 'ZRANGE', arity: -4, since: '1.2.0', summary: 'The members of a range.', run: zrange },
  {
    ...READ,
    name: 'ZREVRANGE',
    arity: -4,
    since: '1.2.0',
    summary: 'The members of ranks, from the last one.',
    run: ranging('rank', true),
  },
  {
    ...READ,
    name: 'ZRANGEBYSCORE',
    arity: -4,
    since: '1.0.5',
    summary: 'The members of scores.',
    run: ranging('score', false),
  },
  {
    ...READ,
    name: 'ZREVRANGEBYSCORE',
    arity: -4,
    since: '2.2.0',
    summary: 'The members of scores, the greatest first.',
    run: ranging('score', true),
  },
  {
    ...READ,
    name: 'ZRANGEBYLEX',
    arity: -4,
    since: '2.8.9',
    summary: 'The members of names, where all have one score.',
    run: ranging('name', false),
  },
  {
    ...READ,
    name: 'ZREVRANGEBYLEX',
    arity: -4,
    since: '2.8.9',
    summary: 'The members of names, the last first, where all have one score.',
    run: ranging('name', true),
  },
  {
    ...READ,
    keys: TWO_KEYS,
    flags: ['write', 'denyoom'],
    name: 'ZRANGESTORE',
    arity: -5,
    since: '6.2.0',
    summary: 'Keeps the members of a range.',
    run: zrangestore,
  },
  { ...COUNT, name: 'ZCOUNT', since: '2.0.0', summary: 'How many members have such scores.', run: counting('score') },
  { ...COUNT, name: 'ZLEXCOUNT', since: '2.8.9', summary: 'How many members have such names.', run: counting('name') },
  { ...REMOVE, name: 'ZREMRANGEBYRANK', since: '2.0.0', summary: 'Takes ranks out.', run: removing('rank') },
  { ...REMOVE, name: 'ZREMRANGEBYSCORE', since: '1.2.0', summary: 'Takes scores out.', run: removing('score') },
  { ...REMOVE, name: 'ZREMRANGEBYLEX', since: '2.8.9', summary: 'Takes names out.', run: removing('name') },
]

interface Asked {
  readonly range: Range
  readonly hasScores: boolean
}

interface Fixed {
  readonly kind?: RangeKind
  readonly isReverse?: boolean
  readonly isStored?: boolean
}

interface Options {
  /** Each may be said once. */
  kind: RangeKind | undefined
  isReverse: boolean | undefined
  hasScores: boolean
  limit: Limit | undefined
}

/** What stands from the bounds on, which stand at that place. */
function askedOf(args: readonly string[], place: number, fixed: Fixed): Asked {
  const { kind = 'rank', isReverse = false, hasScores, limit } = optionsOf(args, place + 2, fixed)
  const isRank = kind === 'rank'
  // -1 is as good as none.
  if (limit !== undefined && limit.said !== -1 && isRank)
    throw new ReplyError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  if (hasScores && kind === 'name')
    throw new ReplyError('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  const [first, last] = [args[place] as string, args[place + 1] as string]
  // In reverse the greater bound comes first.
  const bounds = isReverse && !isRank ? ([last, first] as const) : ([first, last] as const)
  const ranks = ranksOf(kind, bounds, isReverse)
  const { offset, count } = isRank || limit === undefined ? { offset: 0, count: Infinity } : limit
  return { range: { ranks, isReverse, offset, count }, hasScores }
}

function optionsOf(args: readonly string[], from: number, { kind, isReverse, isStored }: Fixed): Options {
  const options: Options = { kind, isReverse, hasScores: false, limit: undefined }
  for (let at = from; at < args.length; at++) {
    const word = (args[at] as string).toUpperCase()
    if (word === 'WITHSCORES' && isStored !== true) options.hasScores = true
    else if (word === 'LIMIT' && at + 2 < args.length) options.limit = limitOf(args[++at], args[++at])
    else if (!isSwitch(options, word)) throw syntaxError()
  }
  return options
}

function isSwitch(options: Options, word: string): boolean {
  const isDirection = word === 'REV'
  if (isDirection ? options.isReverse !== undefined : options.kind !== undefined) return false
  if (isDirection) options.isReverse = true
  else if (word === 'BYSCORE') options.kind = 'score'
  else if (word === 'BYLEX') options.kind = 'name'
  else return false
  return true
}

function reply(call: Call, key: string | undefined, { range, hasScores }: Asked): void {
  writeMembers(call, membersIn(range, zsetOf(call, key)), hasScores)
}

function zrange(call: Call, args: readonly string[]): void {
  reply(call, args[1], askedOf(args, 2, {}))
}

function ranging(kind: RangeKind, isReverse: boolean): Command['run'] {
  return (call, args) => reply(call, args[1], askedOf(args, 2, { kind, isReverse }))
}

function zrangestore(call: Call, args: readonly string[]): void {
  const [, target, source] = args as [string, string, string]
  const { range } = askedOf(args, 3, { isStored: true })
  const members = membersIn(range, zsetOf(call, source))
  if (members.length > 0) write(call, target, 'setScores', pairsOf(members), {})
  else if (viewOf(call, target).kind !== undefined) call.keys.delete(target)
  call.reply.integer(members.length)
}

function counting(kind: RangeKind): Command['run'] {
  return (call, [, key, first, last]) => {
    const ranks = ranksOf(kind, [first as string, last as string], false)
    call.reply.integer(countIn(ranks, zsetOf(call, key)))
  }
}

function removing(kind: RangeKind): Command['run'] {
  return (call, [, key, first, last]) => {
    const ranks = ranksOf(kind, [first as string, last as string], false)
    const members = membersIn({ ranks, isReverse: false, offset: 0, count: Infinity }, zsetOf(call, key))
    writeEach(
      call,
      key as string,
      'removeScores',
      members.map(({ name }) => name),
    )
    call.reply.integer(members.length)
  }
}
