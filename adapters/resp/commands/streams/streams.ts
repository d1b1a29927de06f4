/** Commands of streams: entries are added, read by their ids, and taken away. */
import { LEAST_ID, type StreamId, shownId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { MarkContent, Stream } from '../../../../crdt/redis/streams/stream.ts'
import { indexOf, wholeOf } from '../../call/arguments.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { write } from '../../call/key-facts.ts'
import { noSuchKey, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { clamped } from '../../protocol/numbers.ts'
import { entriesBackIn, entriesIn, entriesOf, streamOf, writeEntries } from './entries.ts'
import { checkNewId, idOf, newIdOf, rangeOf } from './ids.ts'
import { floorOf, trimmingOf } from './trimming.ts'

const READ = { group: 'stream', keys: FIRST_KEY, flags: ['readonly'], since: '5.0.0' } as const
const WRITE = { group: 'stream', keys: FIRST_KEY, flags: ['write', 'denyoom', 'fast'], since: '5.0.0' } as const

export const STREAM_COMMANDS: readonly Command[] = [
  { ...WRITE, name: 'XADD', arity: -5, summary: 'Adds an entry to a stream.', run: xadd },
  { ...READ, name: 'XLEN', arity: 2, summary: 'How many entries a stream has.', run: xlen },
  { ...READ, name: 'XRANGE', arity: -4, summary: 'Entries from one id to another.', run: xrange },
  { ...READ, name: 'XREVRANGE', arity: -4, summary: 'Entries from one id back to another.', run: xrevrange },
  { ...WRITE, name: 'XDEL', arity: -3, summary: 'Takes entries away by their ids.', run: xdel },
  { ...WRITE, name: 'XTRIM', arity: -4, summary: 'Takes the first entries away.', run: xtrim },
  { ...WRITE, name: 'XSETID', arity: -3, summary: 'Sets the last id of a stream.', run: xsetid },
]

function xadd(call: Call, args: readonly string[]): void {
  const key = args[1]!
  const { trimming, isMaking, next } = trimmingOf(args, 2, (word) => {
    if (word !== undefined && word !== '*' && !word.endsWith('-*')) idOf(word)
  })
  const text = args[next]
  if (text === undefined) throw syntaxError()
  const fields = args.slice(next + 1)
  if (fields.length < 2 || fields.length % 2 === 1)
    throw new ReplyError("ERR wrong number of arguments for 'xadd' command")
  checkNewId(text)
  const stream = streamOf(call, key)
  if (stream === undefined && !isMaking) {
    call.reply.null()
    return
  }
  const id = newIdOf(call, text, stream)
  const trimmed = trimming === undefined ? undefined : floorOf(stream, trimming, id)
  const mark = trimmed === undefined ? undefined : markOf(stream, { last: id, gone: trimmed.count })
  write(call, key, 'changeStream', { entries: [[id, fields]], floor: trimmed?.floor, mark })
  call.reply.bulk(shownId(id))
}

/** What is to be known of what has gone, when more goes. */
export function markOf(
  stream: Stream | undefined,
  { last, deleted = LEAST_ID, gone }: { readonly last?: StreamId; readonly deleted?: StreamId; readonly gone: number },
): MarkContent {
  const before = stream?.mark
  return {
    last: last ?? stream?.lastId ?? LEAST_ID,
    deleted: before !== undefined && before.deleted > deleted ? before.deleted : deleted,
    gone: (before?.gone ?? 0) + gone,
  }
}

function xlen(call: Call, [, key]: readonly string[]): void {
  call.reply.integer(streamOf(call, key!)?.entries.size ?? 0)
}

function xrange(call: Call, args: readonly string[]): void {
  const [, key, start, end] = args as [string, string, string, string]
  const range = rangeOf(start, end)
  const count = countOf(args)
  const stream = streamOf(call, key)
  if (count === 0 && stream !== undefined) call.reply.nullArray()
  else writeEntries(call, entriesIn(stream, range, count))
}

function xrevrange(call: Call, args: readonly string[]): void {
  const [, key, end, start] = args as [string, string, string, string]
  const range = rangeOf(start, end)
  const count = countOf(args)
  const stream = streamOf(call, key)
  if (count === 0 && stream !== undefined) call.reply.nullArray()
  else writeEntries(call, entriesBackIn(stream, range, count))
}

function countOf(args: readonly string[]): number {
  let count = Infinity
  for (let at = 4; at < args.length; at += 2) {
    if (args[at]!.toUpperCase() !== 'COUNT' || at + 1 >= args.length) throw syntaxError()
    count = Math.max(0, indexOf(args[at + 1]!))
  }
  return count
}

function xdel(call: Call, [, key, ...texts]: readonly string[]): void {
  const stream = streamOf(call, key!)
  if (stream === undefined) {
    call.reply.integer(0)
    return
  }
  const ids = new Set(texts.map(idOf))
  const found = [...ids].filter((id) => entriesOf(stream, id).length > 0)
  const count = found.reduce((sum, id) => sum + entriesOf(stream, id).length, 0)
  if (count > 0) {
    const deleted = found.reduce((greatest, id) => (id > greatest ? id : greatest))
    write(call, key!, 'changeStream', { removed: found, mark: markOf(stream, { deleted, gone: count }) })
  }
  call.reply.integer(count)
}

function xtrim(call: Call, args: readonly string[]): void {
  if (args.some((word) => word.toUpperCase() === 'NOMKSTREAM')) throw syntaxError()
  const { trimming } = trimmingOf(args, 2, (word) => {
    if (word !== undefined) throw syntaxError()
  })
  if (trimming === undefined) throw syntaxError()
  const stream = streamOf(call, args[1]!)
  const trimmed = floorOf(stream, trimming)
  if (trimmed !== undefined)
    write(call, args[1]!, 'changeStream', { floor: trimmed.floor, mark: markOf(stream, { gone: trimmed.count }) })
  call.reply.integer(trimmed?.count ?? 0)
}

function xsetid(call: Call, args: readonly string[]): void {
  const [, key, text] = args as [string, string, string]
  const last = idOf(text)
  const { added, deleted } = setIdOptionsOf(args)
  if (deleted !== undefined && last < deleted)
    throw new ReplyError('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id')
  const stream = streamOf(call, key)
  if (stream === undefined) throw noSuchKey()
  const { size } = stream.entries
  const top = stream.entries.at(size - 1)?.id
  if (top !== undefined && last < top)
    throw new ReplyError('ERR The ID specified in XSETID is smaller than the target stream top item')
  if (added !== undefined && added < size)
    throw new ReplyError('ERR The entries_added specified in XSETID is smaller than the target stream length')
  const before = stream.mark
  const gone = added === undefined ? before.gone : added - size
  const isSaid = deleted !== undefined && deleted !== LEAST_ID
  write(call, key, 'changeStream', { mark: { last, deleted: isSaid ? deleted : before.deleted, gone } })
  call.reply.ok()
}

function setIdOptionsOf(args: readonly string[]): {
  readonly added: number | undefined
  readonly deleted: StreamId | undefined
} {
  let [added, deleted]: [number?, StreamId?] = []
  for (let at = 3; at < args.length; at += 2) {
    const [word, value] = [args[at]!.toUpperCase(), args[at + 1]]
    if (value === undefined) throw syntaxError()
    if (word === 'ENTRIESADDED') {
      added = clamped(wholeOf(value))
      if (added < 0) throw new ReplyError('ERR entries_added must be positive')
    } else if (word === 'MAXDELETEDID') deleted = idOf(value)
    else throw syntaxError()
  }
  return { added, deleted }
}
