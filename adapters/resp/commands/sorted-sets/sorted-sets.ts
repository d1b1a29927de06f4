/** Commands of one sorted set: members and their scores. */
import type { PutMode } from '../../../../crdt/redis/cell.ts'
import { positiveOf } from '../../call/arguments.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { write, writeEach, type KeyView } from '../../call/key-facts.ts'
import { hasPeers } from '../../call/peers.ts'
import { notFloat, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { parseDouble, shownDouble } from '../../protocol/numbers.ts'
import { chosen, chosenOne, choiceOf, scan } from '../collections/entries.ts'
import { membersFrom, writeMembers, writeScored, zsetOf, type Scored } from './members.ts'
import { isBefore } from './ranges.ts'

const READ = { group: 'sorted-set', keys: FIRST_KEY, flags: ['readonly', 'fast'] } as const
const SLOW_READ = { group: 'sorted-set', keys: FIRST_KEY, flags: ['readonly'] } as const
const WRITE = { group: 'sorted-set', keys: FIRST_KEY, flags: ['write', 'denyoom', 'fast'] } as const
const TAKE = { group: 'sorted-set', keys: FIRST_KEY, flags: ['write', 'fast'] } as const

export const SORTED_SET_COMMANDS: readonly Command[] = [
  { ...WRITE, name: 'ZADD', arity: -4, since: '1.2.0', summary: 'Gives members their scores.', run: zadd },
  { ...WRITE, name: 'ZINCRBY', arity: 4, since: '1.2.0', summary: 'Adds to the score of a member.', run: zincrby },
  { ...TAKE, name: 'ZREM', arity: -3, since: '1.2.0', summary: 'Takes members out.', run: zrem },
  {
    ...TAKE,
    name: 'ZPOPMIN',
    arity: -2,
    since: '5.0.0',
    summary: 'Takes the members of the least scores; several replicas may take the same.',
    run: zpop(false),
  },
  {
    ...TAKE,
    name: 'ZPOPMAX',
    arity: -2,
    since: '5.0.0',
    summary: 'Takes the members of the greatest scores; several replicas may take the same.',
    run: zpop(true),
  },
  { ...READ, name: 'ZCARD', arity: 2, since: '1.2.0', summary: 'How many members there are.', run: zcard },
  { ...READ, name: 'ZSCORE', arity: 3, since: '1.2.0', summary: 'The score of a member.', run: zscore },
  { ...READ, name: 'ZMSCORE', arity: -3, since: '6.2.0', summary: 'The scores of members.', run: zmscore },
  { ...READ, name: 'ZRANK', arity: 3, since: '2.0.0', summary: 'The rank of a member.', run: zrank(false) },
  { ...READ, name: 'ZREVRANK', arity: 3, since: '2.0.0', summary: 'The rank from the last one.', run: zrank(true) },
  { ...SLOW_READ, name: 'ZRANDMEMBER', arity: -2, since: '6.2.0', summary: 'Members by chance.', run: zrandmember },
  { ...SLOW_READ, name: 'ZSCAN', arity: -3, since: '2.8.0', summary: 'Walks over the members.', run: zscan },
]

type Word = 'NX' | 'XX' | 'GT' | 'LT' | 'CH' | 'INCR'

interface Adding {
  readonly words: ReadonlySet<Word>
  /** Where the first score stands. */
  readonly from: number
}

const WORDS: ReadonlySet<string> = new Set<Word>(['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'])

function addingOf(args: readonly string[]): Adding {
  const words = new Set<Word>()
  let from = 2
  for (let word = args[from]?.toUpperCase(); word !== undefined && WORDS.has(word); word = args[++from]?.toUpperCase())
    words.add(word as Word)
  const left = args.length - from
  if (left === 0 || left % 2 === 1) throw syntaxError()
  if (words.has('NX') && words.has('XX'))
    throw new ReplyError('ERR XX and NX options at the same time are not compatible')
  if (['GT', 'LT', 'NX'].filter((word) => words.has(word as Word)).length > 1)
    throw new ReplyError('ERR GT, LT, and/or NX options at the same time are not compatible')
  if (words.has('INCR') && left > 2) throw new ReplyError('ERR INCR option supports a single increment-element pair')
  return { words, from }
}

function scoresOf(args: readonly string[], from: number): Scored[] {
  const scores: Scored[] = []
  for (let at = from; at < args.length; at += 2) {
    const score = parseDouble(args[at] as string)
    if (score === undefined) throw notFloat()
    scores.push({ name: args[at + 1] as string, score })
  }
  return scores
}

/** Whether a score may take the place of what is there. */
function isAllowed({ words }: Adding, before: number | undefined, after: number): boolean {
  if (before === undefined) return !words.has('XX')
  if (words.has('NX')) return false
  return !(words.has('GT') && after <= before) && !(words.has('LT') && after >= before)
}

/** What a score is meant as by those who write at the same time. */
function modeOf({ words }: Adding): PutMode {
  if (words.has('GT')) return 'max'
  return words.has('LT') ? 'min' : 'put'
}

export function zadd(call: Call, args: readonly string[]): void {
  const adding = addingOf(args)
  const scores = scoresOf(args, adding.from)
  const [, key] = args as [string, string]
  const zset = zsetOf(call, key)
  if (adding.words.has('INCR')) {
    increment(call, key, { adding, zset, by: scores[0] as Scored })
    return
  }
  const { written, added, changed } = addedTo(zset, scores, adding)
  const renewed = hasPeers(call) ? written : written.filter(({ isChanged }) => isChanged)
  const mode = modeOf(adding)
  if (renewed.length > 0)
    write(
      call,
      key,
      'setScores',
      renewed.map(({ name, score }) => [name, score, mode]),
    )
  call.reply.integer(adding.words.has('CH') ? added + changed : added)
}

interface Added {
  /** In their order; one may be there twice. */
  readonly written: readonly (Scored & { readonly isChanged: boolean })[]
  readonly added: number
  readonly changed: number
}

function addedTo(zset: KeyView, scores: readonly Scored[], adding: Adding): Added {
  const known = new Map<string, number>()
  const written: (Scored & { readonly isChanged: boolean })[] = []
  let [added, changed] = [0, 0]
  for (const { name, score } of scores) {
    const before = known.get(name) ?? zset.score(name)
    if (!isAllowed(adding, before, score)) continue
    const isChanged = before !== score
    if (before === undefined) added++
    else if (isChanged) changed++
    known.set(name, score)
    written.push({ name, score, isChanged })
  }
  return { written, added, changed }
}

function increment(
  call: Call,
  key: string,
  { adding, zset, by }: { readonly adding: Adding; readonly zset: KeyView; readonly by: Scored },
): void {
  const before = zset.score(by.name)
  const after = (before ?? 0) + by.score
  if (before !== undefined && Number.isNaN(after) && !adding.words.has('NX'))
    throw new ReplyError('ERR resulting score is not a number (NaN)')
  if (!isAllowed(adding, before, after)) {
    call.reply.null()
    return
  }
  write(call, key, 'addToScore', by.name, by.score)
  call.reply.double(after)
}

function zincrby(call: Call, args: readonly string[]): void {
  const [, key, text, name] = args
  const score = parseDouble(text as string)
  if (score === undefined) throw notFloat()
  const zset = zsetOf(call, key)
  const after = (zset.score(name as string) ?? 0) + score
  if (Number.isNaN(after)) throw new ReplyError('ERR resulting score is not a number (NaN)')
  write(call, key as string, 'addToScore', name, score)
  call.reply.double(after)
}

function zrem(call: Call, [, key, ...names]: readonly string[]): void {
  const zset = zsetOf(call, key)
  const found = [...new Set(names)].filter((name) => zset.score(name) !== undefined)
  writeEach(call, key as string, 'removeScores', found)
  call.reply.integer(found.length)
}

/** Takes members from an end. */
export function popScored(call: Call, key: string, isReverse: boolean, count: number): Scored[] {
  const zset = zsetOf(call, key)
  const taken = membersFrom(zset, { rank: isReverse ? zset.size - 1 : 0, count, isReverse })
  writeEach(
    call,
    key,
    'removeScores',
    taken.map(({ name }) => name),
  )
  return taken
}

function zpop(isReverse: boolean): Command['run'] {
  return (call, args) => {
    const [, key, count] = args
    if (args.length > 3) throw syntaxError()
    const many = count === undefined ? 1 : positiveOf(count)
    const taken = popScored(call, key as string, isReverse, many)
    if (count !== undefined) {
      writeMembers(call, taken, true)
      return
    }
    call.reply.array(taken.length * 2)
    for (const member of taken) writeScored(call.reply, member)
  }
}

function zcard(call: Call, [, key]: readonly string[]): void {
  call.reply.integer(zsetOf(call, key).size)
}

function zscore(call: Call, [, key, name]: readonly string[]): void {
  writeScore(call, zsetOf(call, key).score(name as string))
}

function writeScore({ reply }: Call, score: number | undefined): void {
  if (score === undefined) reply.null()
  else reply.double(score)
}

function zmscore(call: Call, [, key, ...names]: readonly string[]): void {
  const zset = zsetOf(call, key)
  call.reply.array(names.length)
  for (const name of names) writeScore(call, zset.score(name))
}

function zrank(isReverse: boolean): Command['run'] {
  return (call, [, key, name]) => {
    const zset = zsetOf(call, key)
    const score = zset.score(name as string)
    if (score === undefined) {
      call.reply.null()
      return
    }
    const rank = zset.members?.rankOf(isBefore({ name: name as string, score })) ?? 0
    call.reply.integer(isReverse ? zset.size - 1 - rank : rank)
  }
}

function zrandmember(call: Call, args: readonly string[]): void {
  const choice = choiceOf(args, 'WITHSCORES')
  const zset = zsetOf(call, args[1])
  if (choice === undefined) {
    call.reply.bulkOrNull(chosenOne(call, zset))
    return
  }
  const members = chosen(call, zset, choice.count).map((name) => ({ name, score: zset.score(name) ?? 0 }))
  writeMembers(call, members, choice.isPaired)
}

function zscan(call: Call, args: readonly string[]): void {
  const write = (zset: KeyView, name: string): void => {
    call.reply.bulk(name)
    call.reply.bulk(shownDouble(zset.score(name) ?? 0))
  }
  scan(call, args, 'zset', { items: 2, write })
}
