/** WARP.…: what Redis does not know: the history of keys, and who replicates. Answers are JSON. */
import { foundValue } from '../../../../src/control/questions/reading.ts'
import { EXPLAIN, LOG } from '../../../../src/control/questions/history.ts'
import type { Asked } from '../../../../src/control/question.ts'
import { indexOf } from '../../call/arguments.ts'
import { nameOf } from '../../call/command-keys.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { toBinary } from '../../protocol/bytes.ts'

const BASE = { flags: ['readonly', 'noscript', 'no_multi'], group: 'warp', since: '0.1.0', keys: FIRST_KEY } as const
const ITEMS_DEFAULT = 100
const ITEMS_MAX = 10_000

export const WARP_COMMANDS: readonly Command[] = [
  {
    ...BASE,
    name: 'WARP.LOG',
    arity: -2,
    summary: 'The newest operations of a key that this replica holds, in the order in which it took them in.',
    run: log,
  },
  {
    ...BASE,
    name: 'WARP.EXPLAIN',
    arity: -2,
    summary: 'Which operations made the value of a key, and what became of each.',
    run: explain,
  },
  {
    ...BASE,
    name: 'WARP.AT',
    arity: 3,
    summary: 'The value of a key at a moment, in milliseconds since 1970.',
    run: valueAt,
  },
  {
    ...BASE,
    flags: ['readonly', 'noscript'],
    name: 'WARP.STRATEGY',
    arity: 2,
    summary: 'The name of the strategy by which a key merges.',
    run: ({ reply, keys }, [, key]) => reply.bulk(keys.strategy(key!)),
  },
  {
    flags: ['readonly', 'noscript'],
    group: 'warp',
    since: '0.1.0',
    name: 'WARP.PEERS',
    arity: 1,
    summary: 'The replicas that this one hears.',
    run: ({ reply, core }) => reply.bulks(core.warp.peers().map(json)),
  },
]

async function log(call: Call, args: readonly string[]): Promise<void> {
  const limit = limitOf(args)
  const items: string[] = []
  for await (const item of LOG.answer(call.core.warp, { key: nameOf(args[1]!), fromVersion: 1 }, asked())) {
    items.push(json(item))
    if (items.length > limit) items.shift()
  }
  call.reply.bulks(items)
}

async function explain(call: Call, args: readonly string[]): Promise<void> {
  const parameters = { key: nameOf(args[1]!), limit: limitOf(args) }
  const items: string[] = []
  for await (const item of EXPLAIN.answer(call.core.warp, parameters, asked())) items.push(json(item))
  call.reply.bulks(items)
}

async function valueAt(call: Call, args: readonly string[]): Promise<void> {
  const value = await call.core.warp.getAt(nameOf(args[1]!), { timeMs: indexOf(args[2]!) })
  call.reply.bulk(json(foundValue(value)))
}

/** Nobody gives it up, and nothing is sent to it. */
function asked(): Asked {
  return { signal: new AbortController().signal, input: nothing() }
}

async function* nothing(): AsyncGenerator<string> {
  // Ends at once.
}

function limitOf(args: readonly string[]): number {
  if (args.length > 3) throw new ReplyError('ERR syntax error')
  const limit = args[2] === undefined ? ITEMS_DEFAULT : indexOf(args[2])
  if (limit < 1 || limit > ITEMS_MAX) throw new ReplyError(`ERR give a count from 1 to ${ITEMS_MAX}`)
  return limit
}

function json(item: unknown): string {
  return toBinary(JSON.stringify(item))
}
