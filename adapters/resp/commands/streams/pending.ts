/** XPENDING, XCLAIM, XAUTOCLAIM: entries that were delivered, and are not said to be done. */
import { LEAST_ID, shownId, type StreamId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { StreamEntry } from '../../../../crdt/redis/streams/stream.ts'
import { indexOf, wholeOf } from '../../call/arguments.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { clamped, parseWhole } from '../../protocol/numbers.ts'
import { entriesOf, writeEntries } from './entries.ts'
import { groupOf } from './group-commands.ts'
import { writeNotes, type Group, type Notes, type Pending } from './groups.ts'
import { idOf, rangeOf, type IdRange } from './ids.ts'

const FACTS = { group: 'stream', keys: FIRST_KEY } as const
const CLAIMED = 100
const LOOKED_AT = 10
/** Of Redis, which multiplies it by the size of an id. */
const COUNT_MAX = 2n ** 59n - 1n

export const STREAM_PENDING_COMMANDS: readonly Command[] = [
  {
    ...FACTS,
    flags: ['readonly'],
    name: 'XPENDING',
    arity: -3,
    since: '5.0.0',
    summary: 'Entries that were delivered and are not done.',
    run: xpending,
  },
  {
    ...FACTS,
    flags: ['write', 'fast'],
    name: 'XCLAIM',
    arity: -6,
    since: '5.0.0',
    summary: 'Gives entries that are pending to another consumer.',
    run: xclaim,
  },
  {
    ...FACTS,
    flags: ['write', 'fast'],
    name: 'XAUTOCLAIM',
    arity: -6,
    since: '6.2.0',
    summary: 'Gives entries that have been pending for long to another consumer.',
    run: xautoclaim,
  },
]

function xpending(call: Call, args: readonly string[]): void {
  const [, key, name] = args as [string, string, string]
  if (args.length === 3) {
    summarize(call, groupOf(call, key, name))
    return
  }
  const { idleMs, range, count, consumer } = askedOf(args)
  const found: Pending[] = []
  for (const pending of groupOf(call, key, name).pending(range.from)) {
    if (pending.id > range.to || found.length >= count) break
    const isMeant = consumer === undefined || pending.consumer === consumer
    if (isMeant && call.nowMs - pending.deliveredMs >= idleMs) found.push(pending)
  }
  call.reply.array(found.length)
  for (const pending of found) writePending(call, pending)
}

interface Asked {
  readonly idleMs: number
  readonly range: IdRange
  readonly count: number
  readonly consumer: string | undefined
}

function askedOf(args: readonly string[]): Asked {
  const isIdle = args[3]!.toUpperCase() === 'IDLE'
  const [start, end, said, consumer, ...more] = args.slice(isIdle ? 5 : 3)
  if (start === undefined || end === undefined || said === undefined || more.length > 0) throw syntaxError()
  const idleMs = isIdle ? clamped(wholeOf(args[4]!)) : 0
  return { idleMs, count: indexOf(said), range: rangeOf(start, end), consumer }
}

function writePending({ reply, nowMs }: Call, { id, consumer, deliveredMs, deliveries }: Pending): void {
  reply.array(4)
  reply.bulk(shownId(id))
  reply.bulk(consumer)
  reply.integer(Math.max(0, nowMs - deliveredMs))
  reply.integer(deliveries)
}

function summarize({ reply }: Call, group: Group): void {
  const counts = new Map<string, number>()
  let [first, last]: StreamId[] = []
  for (const { id, consumer } of group.pending()) {
    first ??= id
    last = id
    counts.set(consumer, (counts.get(consumer) ?? 0) + 1)
  }
  const all = [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
  reply.array(4)
  reply.integer(all.reduce((sum, [, count]) => sum + count, 0))
  for (const id of [first, last]) reply.bulkOrNull(id === undefined ? undefined : shownId(id))
  if (all.length === 0) {
    reply.nullArray()
    return
  }
  reply.array(all.length)
  for (const [consumer, count] of all) reply.bulks([consumer, String(count)])
}

interface ClaimOptions {
  readonly deliveredMs: number
  readonly deliveries: number | undefined
  readonly isForced: boolean
  readonly isIdOnly: boolean
}

function xclaim(call: Call, args: readonly string[]): void {
  const [, key, name, consumer, idle] = args as [string, string, string, string, string]
  const group = groupOf(call, key, name)
  const idleMs = idleOf(idle, 'XCLAIM')
  let at = 5
  while (at < args.length && parseable(args[at]!)) at++
  const ids = args.slice(5, at).map(idOf)
  const options = claimOptionsOf(call, args.slice(at))
  const notes: Notes = new Map()
  const claimed: StreamEntry[] = []
  for (const id of ids) {
    const known = group.pendingAt(id)
    const entries = entriesOf(group.stream, id)
    if (entries.length === 0) {
      if (known !== undefined) group.settle(notes, id)
      continue
    }
    if (known === undefined ? !options.isForced : call.nowMs - known.deliveredMs < idleMs) continue
    group.pend(notes, claimOf(id, known, consumer, options))
    claimed.push(...entries)
  }
  if (claimed.length > 0) group.see(notes, consumer, call.nowMs)
  writeNotes(call, key, notes)
  writeClaimed(call, claimed, options.isIdOnly)
}

function claimOf(id: StreamId, known: Pending | undefined, consumer: string, options: ClaimOptions): Pending {
  const before = known?.deliveries ?? 1
  const deliveries = options.deliveries ?? (options.isIdOnly || known === undefined ? before : before + 1)
  return { id, consumer, deliveredMs: options.deliveredMs, deliveries }
}

function writeClaimed(call: Call, entries: readonly StreamEntry[], isIdOnly: boolean): void {
  if (isIdOnly) call.reply.bulks(entries.map(({ id }) => shownId(id)))
  else writeEntries(call, entries)
}

function parseable(text: string): boolean {
  try {
    idOf(text)
    return true
  } catch {
    return false
  }
}

function idleOf(text: string, command: string): number {
  const ms = parseWhole(text)
  if (ms === undefined) throw new ReplyError(`ERR Invalid min-idle-time argument for ${command}`)
  return Math.max(0, clamped(ms))
}

function claimOptionsOf(call: Call, words: readonly string[]): ClaimOptions {
  const options = { deliveredMs: call.nowMs, isForced: false, isIdOnly: false }
  let deliveries: number | undefined
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!.toUpperCase()
    if (word === 'FORCE') options.isForced = true
    else if (word === 'JUSTID') options.isIdOnly = true
    else {
      const value = words[++at]
      if (value === undefined) throw new ReplyError(`ERR Unrecognized XCLAIM option '${words[at - 1]!}'`)
      if (word === 'IDLE') options.deliveredMs = Math.min(call.nowMs, call.nowMs - numberOf(value, 'IDLE'))
      else if (word === 'TIME') options.deliveredMs = Math.min(call.nowMs, numberOf(value, 'TIME'))
      else if (word === 'RETRYCOUNT') deliveries = numberOf(value, 'RETRYCOUNT')
      else if (word === 'LASTID') idOf(value)
      else throw new ReplyError(`ERR Unrecognized XCLAIM option '${words[at - 1]!}'`)
    }
  }
  return { ...options, deliveries }
}

function numberOf(text: string, option: string): number {
  const value = parseWhole(text)
  if (value === undefined) throw new ReplyError(`ERR Invalid ${option} option argument for XCLAIM`)
  return clamped(value)
}

function xautoclaim(call: Call, args: readonly string[]): void {
  const [, key, name, consumer, idle, start] = args as [string, string, string, string, string, string]
  const idleMs = idleOf(idle, 'XAUTOCLAIM')
  const { from } = rangeOf(start, '+')
  const { count, isIdOnly } = autoOptionsOf(args)
  const group = groupOf(call, key, name)
  const notes: Notes = new Map()
  const [claimed, gone]: [StreamEntry[], StreamId[]] = [[], []]
  const options = { deliveredMs: call.nowMs, deliveries: undefined, isForced: false, isIdOnly }
  let [next, left, lookedAt]: [StreamId, number, number] = [LEAST_ID, count, count * LOOKED_AT]
  for (const pending of group.pending(from)) {
    if (left === 0 || lookedAt === 0) {
      next = pending.id
      break
    }
    lookedAt--
    const entries = entriesOf(group.stream, pending.id)
    if (entries.length === 0) {
      group.settle(notes, pending.id)
      gone.push(pending.id)
      left--
    } else if (call.nowMs - pending.deliveredMs >= idleMs) {
      group.pend(notes, claimOf(pending.id, pending, consumer, options))
      claimed.push(...entries)
      left--
    }
  }
  if (claimed.length > 0 || group.consumer(consumer) === undefined) group.see(notes, consumer, call.nowMs)
  writeNotes(call, key, notes)
  call.reply.array(3)
  call.reply.bulk(shownId(next))
  writeClaimed(call, claimed, isIdOnly)
  call.reply.bulks(gone.map(shownId))
}

function autoOptionsOf(args: readonly string[]): { readonly count: number; readonly isIdOnly: boolean } {
  let [count, isIdOnly] = [CLAIMED, false]
  for (let at = 6; at < args.length; at++) {
    const word = args[at]!.toUpperCase()
    if (word === 'JUSTID') isIdOnly = true
    else if (word === 'COUNT' && at + 1 < args.length) {
      const whole = parseWhole(args[++at]!)
      if (whole === undefined || whole < 1 || whole > COUNT_MAX) throw new ReplyError('ERR COUNT must be > 0')
      count = clamped(whole)
    } else throw syntaxError()
  }
  return { count, isIdOnly }
}
