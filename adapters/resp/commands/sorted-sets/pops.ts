/** Commands that take members from the first of several sorted sets that has some, and may wait for one. */
import { timeoutMsOf } from '../../call/arguments.ts'
import { countedKeys, type Call, type Command } from '../../call/command.ts'
import { viewOf } from '../../call/key-facts.ts'
import { syntaxError } from '../../call/reply-error.ts'
import { POSITIVE_NUMKEYS, numkeysOf, popCountOf } from '../collections/counted.ts'
import { waitFor, waitingPop } from '../collections/blocking.ts'
import { writePairs, writeScored, zsetOf, type Scored } from './members.ts'
import { popScored } from './sorted-sets.ts'

const WAIT = { group: 'sorted-set', flags: ['write', 'blocking', 'fast'] } as const
const BUT_LAST = { first: 1, last: -2, step: 1 } as const

export const SORTED_SET_POP_COMMANDS: readonly Command[] = [
  {
    ...WAIT,
    flags: ['write'],
    findKeys: countedKeys(1),
    name: 'ZMPOP',
    arity: -4,
    since: '7.0.0',
    summary: 'Takes members from the first sorted set that has some.',
    run: zmpop,
  },
  {
    ...WAIT,
    keys: BUT_LAST,
    name: 'BZPOPMIN',
    arity: -3,
    since: '5.0.0',
    summary: 'As ZPOPMIN of the first sorted set that has members; waits for one.',
    run: bzpop(false),
  },
  {
    ...WAIT,
    keys: BUT_LAST,
    name: 'BZPOPMAX',
    arity: -3,
    since: '5.0.0',
    summary: 'As ZPOPMAX of the first sorted set that has members; waits for one.',
    run: bzpop(true),
  },
  {
    ...WAIT,
    flags: ['write', 'blocking'],
    findKeys: countedKeys(2),
    name: 'BZMPOP',
    arity: -5,
    since: '7.0.0',
    summary: 'As ZMPOP; waits for members.',
    run: bzmpop,
  },
]

interface Pop {
  readonly keys: readonly string[]
  readonly isReverse: boolean
  readonly count: number
}

/** Takes from the first that has members, and says which it is. */
function popFirst(call: Call, { keys, isReverse, count }: Pop): { key: string; members: Scored[] } | undefined {
  const key = keys.find((one) => zsetOf(call, one).size > 0)
  return key === undefined ? undefined : { key, members: popScored(call, key, isReverse, count) }
}

/** What stands from `numkeys` on, which stands at that place. */
function popOf(args: readonly string[], place: number): Pop {
  const keys = numkeysOf(args, place, POSITIVE_NUMKEYS)
  const from = place + 1 + keys.length
  const end = args[from]?.toUpperCase()
  if (end !== 'MIN' && end !== 'MAX') throw syntaxError()
  return { keys, isReverse: end === 'MAX', count: popCountOf(args, from + 1) }
}

function replyPopped(call: Call, pop: Pop): boolean {
  const popped = popFirst(call, pop)
  if (popped === undefined) return false
  call.reply.array(2)
  call.reply.bulk(popped.key)
  writePairs(call, popped.members)
  return true
}

function zmpop(call: Call, args: readonly string[]): void {
  if (!replyPopped(call, popOf(args, 1))) call.reply.nullArray()
}

function bzmpop(call: Call, args: readonly string[]): void | Promise<void> {
  const timeoutMs = timeoutMsOf(args[1] as string)
  const pop = popOf(args, 2)
  return waitFor(call, {
    keys: pop.keys,
    timeoutMs,
    attempt: (now) => hasAny(now, pop.keys) && replyPopped(now, pop),
  })
}

function bzpop(isReverse: boolean): Command['run'] {
  return waitingPop((now, keys) => {
    const popped = popFirst(now, { keys, isReverse, count: 1 })
    if (popped?.members[0] === undefined) return false
    now.reply.array(3)
    now.reply.bulk(popped.key)
    writeScored(now.reply, popped.members[0])
    return true
  })
}

function hasAny(call: Call, keys: readonly string[]): boolean {
  return keys.some((key) => viewOf(call, key).kind === 'zset')
}
