/** Commands of lists that wait until there is something. */
import { timeoutMsOf } from '../../call/arguments.ts'
import { TWO_KEYS, countedKeys, type Call, type Command } from '../../call/command.ts'
import { waitFor, waitingPop } from './blocking.ts'
import { POSITIVE_NUMKEYS, numkeysOf } from './counted.ts'
import { endOf, listOf, move, pop, popOptionsOf, replyPopped, type End, type Move } from './lists.ts'

const WAIT = { group: 'list', flags: ['write', 'blocking'] } as const
const BUT_LAST = { first: 1, last: -2, step: 1 } as const

export const LIST_WAIT_COMMANDS: readonly Command[] = [
  {
    ...WAIT,
    keys: BUT_LAST,
    name: 'BLPOP',
    arity: -3,
    since: '2.0.0',
    summary: 'As LPOP of the first list that has something; waits for one.',
    run: popping('left'),
  },
  {
    ...WAIT,
    keys: BUT_LAST,
    name: 'BRPOP',
    arity: -3,
    since: '2.0.0',
    summary: 'As RPOP of the first list that has something; waits for one.',
    run: popping('right'),
  },
  {
    ...WAIT,
    flags: ['write', 'denyoom', 'blocking'],
    keys: TWO_KEYS,
    name: 'BLMOVE',
    arity: 6,
    since: '6.2.0',
    summary: 'As LMOVE; waits for an element.',
    run: blmove,
  },
  {
    ...WAIT,
    flags: ['write', 'denyoom', 'blocking'],
    keys: TWO_KEYS,
    name: 'BRPOPLPUSH',
    arity: 4,
    since: '2.2.0',
    summary: 'As RPOPLPUSH; waits for an element.',
    run: brpoplpush,
  },
  {
    ...WAIT,
    findKeys: countedKeys(2),
    name: 'BLMPOP',
    arity: -5,
    since: '7.0.0',
    summary: 'As LMPOP; waits for elements.',
    run: blmpop,
  },
]

function popping(from: End): Command['run'] {
  return waitingPop((now, keys) => {
    const key = keys.find((one) => listOf(now, one).size > 0)
    if (key === undefined) return false
    now.reply.bulks([key, ...pop(now, key, from, 1)])
    return true
  })
}

function blmove(call: Call, [, source, target, from, to, timeout]: readonly string[]): void | Promise<void> {
  const order = { source, target, from: endOf(from), to: endOf(to) }
  return moving(call, order, timeoutMsOf(timeout as string))
}

function brpoplpush(call: Call, [, source, target, timeout]: readonly string[]): void | Promise<void> {
  return moving(call, { source, target, from: 'right', to: 'left' }, timeoutMsOf(timeout as string))
}

function moving(call: Call, order: Move, timeoutMs: number): void | Promise<void> {
  return waitFor(call, {
    keys: [order.source as string],
    timeoutMs,
    attempt: (now) => move(now, order),
    refuse: () => call.reply.null(),
  })
}

function blmpop(call: Call, args: readonly string[]): void | Promise<void> {
  const timeoutMs = timeoutMsOf(args[1] as string)
  const keys = numkeysOf(args, 2, POSITIVE_NUMKEYS)
  const { end, count } = popOptionsOf(args, 3 + keys.length)
  return waitFor(call, {
    keys,
    timeoutMs,
    attempt: (now) => replyPopped(now, keys, end, count),
  })
}
