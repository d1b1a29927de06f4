/** Which keys there are: KEYS, SCAN, DBSIZE, RANDOMKEY, and FLUSHDB. A walk over all of them goes in steps. */
import { FoldFirst } from '../../../../src/api/direct/direct-keys.ts'
import { cursorOf, scanOptionsOf } from '../../call/arguments.ts'
import type { Call, Command } from '../../call/command.ts'
import { syntaxError } from '../../call/reply-error.ts'
import { toBinary } from '../../protocol/bytes.ts'
import { globOf } from '../../protocol/glob.ts'

const READ = { flags: ['readonly'], group: 'generic' } as const
const SERVER = { flags: ['write'], group: 'server' } as const

/** Places of the table of keys that are looked at between two turns of the loop. */
const PLACES_PER_STEP = 512
/** Tries to hit a key by chance before all are looked through. */
const TRIES = 64

export const LISTING_COMMANDS: readonly Command[] = [
  { ...READ, name: 'KEYS', arity: 2, since: '1.0.0', summary: 'The keys that a pattern matches.', run: keys },
  { ...READ, name: 'SCAN', arity: -2, since: '2.8.0', summary: 'Keys, page by page.', run: scan },
  { ...READ, name: 'RANDOMKEY', arity: 1, since: '1.0.0', summary: 'Some key.', run: randomKey },
  {
    ...READ,
    group: 'server',
    name: 'DBSIZE',
    arity: 1,
    since: '1.0.0',
    summary: 'How many keys there are.',
    run: dbSize,
  },
  {
    ...SERVER,
    name: 'FLUSHDB',
    arity: -1,
    since: '1.0.0',
    summary: 'Deletes all keys that are known here.',
    run: flush,
  },
  {
    ...SERVER,
    name: 'FLUSHALL',
    arity: -1,
    since: '1.0.0',
    summary: 'Deletes all keys that are known here.',
    run: flush,
  },
]

interface Found {
  /** As Warp has it. */
  readonly name: string
  readonly kind: string
}

function keys(call: Call, [, pattern]: readonly string[]): void | Promise<void> {
  const matches = globOf(pattern!)
  const found: string[] = []
  const visit = ({ name }: Found): void => {
    const binary = toBinary(name)
    if (matches(binary)) found.push(binary)
  }
  return forEachKey(call, visit, () => call.reply.bulks(found))
}

/** A cursor is a place in the table of keys, in which keys do not move: each that stays is found once. */
function scan(call: Call, args: readonly string[]): void {
  const { match, count, type } = scanOptionsOf(args, 2, true)
  const cursor = cursorOf(args[1]!)
  const matches = match === undefined ? undefined : globOf(match)
  const { direct } = call.keys
  const page =
    cursor >= direct.placesCount ? { keys: [], next: 0 } : direct.page(cursor, Math.min(count, PLACES_PER_STEP))
  const found = page.keys
    .map((name) => foundAt(call, name))
    .filter((one) => one !== undefined && (type === undefined || type === one.kind))
    .map((one) => toBinary((one as Found).name))
    .filter((name) => matches === undefined || matches(name))
  call.reply.array(2)
  call.reply.bulk(String(page.next))
  call.reply.bulks(found)
}

function dbSize(call: Call): void | Promise<void> {
  let count = 0
  return forEachKey(
    call,
    () => count++,
    () => call.reply.integer(count),
  )
}

function flush(call: Call, args: readonly string[]): void | Promise<void> {
  const how = args[1]?.toUpperCase() ?? 'SYNC'
  if (args.length > 2 || (how !== 'SYNC' && how !== 'ASYNC')) throw syntaxError()
  return forEachKey(
    call,
    ({ name }) => call.core.changes.quietly(() => void call.keys.direct.delete(name)),
    () => {
      call.core.changes.tracking.flushed()
      call.reply.ok()
    },
  )
}

function randomKey(call: Call): void | Promise<void> {
  const { direct } = call.keys
  for (let tried = 0; tried < TRIES && direct.placesCount > 0; tried++) {
    const place = Math.floor(chance(call) * direct.placesCount)
    const name = direct.page(place, 1).keys[0]
    if (name === undefined || foundAt(call, name) === undefined) continue
    call.reply.bulk(toBinary(name))
    return
  }
  let first: string | undefined
  return forEachKey(
    call,
    ({ name }) => void (first ??= name),
    () => call.reply.bulkOrNull(first === undefined ? undefined : toBinary(first)),
  )
}

/** From 0 to 1, 1 not included. */
function chance({ core }: Call): number {
  const [a, b, c, d] = core.env.random(4) as unknown as [number, number, number, number]
  return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) / 2 ** 32
}

/**
 * Visits all keys that hold something, and then replies. What is written meanwhile may be among them or not.
 * Inside EXEC nobody may come between, so all are visited in one turn.
 */
function forEachKey(call: Call, visit: (found: Found) => unknown, reply: () => void): void | Promise<void> {
  if (call.mayWait) return inSteps(call, visit).then(reply)
  let from = 0
  do from = visitPage(call, from, visit)
  while (from > 0)
  reply()
}

async function inSteps(call: Call, visit: (found: Found) => unknown): Promise<void> {
  let from = visitPage(call, 0, visit)
  while (from > 0) {
    await call.core.env.yield()
    from = visitPage(call, from, visit)
  }
}

/** Returns where the next page begins; 0 at the end. */
function visitPage(call: Call, from: number, visit: (found: Found) => unknown): number {
  const page = call.keys.direct.page(from, PLACES_PER_STEP)
  for (const name of page.keys) {
    const found = foundAt(call, name)
    if (found !== undefined) visit(found)
  }
  return page.next
}

/** A key that takes steps to fold is there: it has a long history. */
function foundAt(call: Call, name: string): Found | undefined {
  try {
    const { kind } = call.keys.viewOf(name, call.nowMs)
    return kind === undefined ? undefined : { name, kind }
  } catch (error) {
    if (error instanceof FoldFirst) return { name, kind: 'string' }
    throw error
  }
}
