/** XREAD and XREADGROUP: entries behind those that somebody knows, of several streams; they may wait for some. */
import { LEAST_ID, GREATEST_ID, nextId, shownId, type StreamId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream, StreamEntry } from '../../../../crdt/redis/streams/stream.ts'
import { indexOf } from '../../call/arguments.ts'
import type { Call, Command } from '../../call/command.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'
import { waitFor } from '../collections/blocking.ts'
import { entriesIn, entriesOf, streamOf, writeEntries, writeEntry } from './entries.ts'
import { Group, writeNotes } from './groups.ts'
import { idOf } from './ids.ts'

const FACTS = { group: 'stream', since: '5.0.0', findKeys: streamKeys } as const

export const STREAM_READ_COMMANDS: readonly Command[] = [
  {
    ...FACTS,
    flags: ['readonly', 'blocking'],
    name: 'XREAD',
    arity: -4,
    summary: 'Entries behind ids; waits for some.',
    run: xread,
  },
  {
    ...FACTS,
    flags: ['write', 'blocking'],
    name: 'XREADGROUP',
    arity: -7,
    summary: 'Entries for a consumer of a group; waits for some.',
    run: xreadgroup,
  },
]

function streamKeys(args: readonly string[]): readonly number[] {
  const begin = args.findIndex((word, at) => at > 0 && word.toUpperCase() === 'STREAMS')
  if (begin < 0) return []
  return Array.from({ length: Math.floor((args.length - begin - 1) / 2) }, (_, i) => begin + 1 + i)
}

interface Reading {
  readonly count: number
  /** `undefined`: it does not wait. 0 is for ever. */
  readonly blockMs: number | undefined
  readonly group: readonly [group: string, consumer: string] | undefined
  readonly isAcknowledged: boolean
  readonly keys: readonly string[]
  readonly ids: readonly string[]
}

type Name = 'XREAD' | 'XREADGROUP'

interface Options {
  count: number
  blockMs?: number
  group?: readonly [group: string, consumer: string]
  isAcknowledged: boolean
}

/** How many words behind each option it takes. */
const OPTIONS: Readonly<Record<string, number>> = { BLOCK: 1, COUNT: 1, GROUP: 2, NOACK: 0 }

function readingOf(args: readonly string[], name: Name): Reading {
  const options: Options = { count: Infinity, isAcknowledged: false }
  for (let at = 1; at < args.length; at++) {
    const word = args[at]!.toUpperCase()
    const left = args.length - at - 1
    if (word === 'STREAMS' && left >= 1) return streamsOf(args.slice(at + 1), options, name)
    const taken = OPTIONS[word]
    if (taken === undefined || left < taken) throw syntaxError()
    readOption(options, word, args.slice(at + 1, at + 1 + taken), name)
    at += taken
  }
  throw syntaxError()
}

function readOption(options: Options, word: string, [one = '', other = '']: readonly string[], name: Name): void {
  if (word === 'BLOCK') options.blockMs = blockMsOf(one)
  else if (word === 'COUNT') options.count = Math.max(0, indexOf(one)) || Infinity
  else if (name === 'XREAD') throw onlyForGroups(word)
  else if (word === 'GROUP') options.group = [one, other]
  else options.isAcknowledged = true
}

function streamsOf(named: readonly string[], { blockMs, group, ...options }: Options, name: Name): Reading {
  const sign = name === 'XREAD' ? '$' : '>'
  if (named.length % 2 === 1)
    throw new ReplyError(
      `ERR Unbalanced ${name} list of streams: for each stream key an ID or '${sign}' must be specified.`,
    )
  if (name === 'XREADGROUP' && group === undefined) throw new ReplyError('ERR Missing GROUP option for XREADGROUP')
  const [keys, ids] = [named.slice(0, named.length / 2), named.slice(named.length / 2)]
  return { ...options, blockMs, group, keys, ids }
}

function onlyForGroups(option: string): ReplyError {
  return new ReplyError(`ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`)
}

function blockMsOf(text: string): number {
  const ms = parseWhole(text)
  if (typeof ms !== 'number') throw new ReplyError('ERR timeout is not an integer or out of range')
  if (ms < 0) throw new ReplyError('ERR timeout is negative')
  return ms
}

interface Found {
  readonly key: string
  readonly write: () => void
}

/** Replies if there is anything, and says so. Under RESP3 it is a map. */
function replied({ reply }: Call, all: readonly Found[]): boolean {
  if (all.length === 0) return false
  if (reply.protocol === 3) reply.map(all.length)
  else reply.array(all.length)
  for (const { key, write } of all) {
    if (reply.protocol === 2) reply.array(2)
    reply.bulk(key)
    write()
  }
  return true
}

function waiting(call: Call, { blockMs, keys }: Reading, attempt: (now: Call) => boolean): void | Promise<void> {
  if (blockMs !== undefined) return waitFor(call, { keys, timeoutMs: blockMs, attempt })
  if (!attempt(call)) call.reply.nullArray()
}

function xread(call: Call, args: readonly string[]): void | Promise<void> {
  const reading = readingOf(args, 'XREAD')
  const behind = reading.ids.map((text, i): StreamId => {
    const stream = streamOf(call, reading.keys[i]!)
    if (text === '>')
      throw new ReplyError(
        'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
      )
    return text === '$' ? (stream?.lastId ?? LEAST_ID) : idOf(text)
  })
  return waiting(call, reading, (now) =>
    replied(
      now,
      reading.keys.flatMap((key, i): Found[] => {
        const from = nextId(behind[i]!)
        const range = from === undefined ? undefined : { from, to: GREATEST_ID }
        const entries = range === undefined ? [] : entriesIn(streamOf(now, key), range, reading.count)
        return entries.length === 0 ? [] : [{ key, write: () => writeEntries(now, entries) }]
      }),
    ),
  )
}

function xreadgroup(call: Call, args: readonly string[]): void | Promise<void> {
  const reading = readingOf(args, 'XREADGROUP')
  const behind = reading.ids.map((text, i): StreamId | undefined => {
    const stream = streamOf(call, reading.keys[i]!)
    groupFor(call, reading, stream, reading.keys[i]!)
    if (text === '$')
      throw new ReplyError(
        'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
      )
    return text === '>' ? undefined : idOf(text)
  })
  return waiting(call, reading, (now) =>
    replied(
      now,
      reading.keys.flatMap((key, i): Found[] => {
        const from = behind[i]
        return from === undefined ? delivered(now, key, reading) : [history(now, key, reading, from)]
      }),
    ),
  )
}

function groupFor(call: Call, { group }: Reading, stream: Stream | undefined, key: string): Group {
  const [name] = group as readonly [string, string]
  const found = Group.find(call, stream, name)
  if (found !== undefined) return found
  throw new ReplyError(`NOGROUP No such key '${key}' or consumer group '${name}' in XREADGROUP with GROUP option`)
}

/** New ones, which are pending from then on. */
function delivered(call: Call, key: string, reading: Reading): Found[] {
  const group = groupFor(call, reading, streamOf(call, key), key)
  const [, consumer] = reading.group as readonly [string, string]
  const { entries, notes } = group.next(reading.count)
  if (entries.length === 0) {
    if (group.consumer(consumer) === undefined) seen(call, key, group, consumer)
    return []
  }
  group.see(notes, consumer, call.nowMs)
  if (!reading.isAcknowledged)
    for (const { id } of entries) group.pend(notes, { id, consumer, deliveredMs: call.nowMs, deliveries: 1 })
  writeNotes(call, key, notes)
  return [{ key, write: () => writeEntries(call, entries) }]
}

/** Those that are pending with the consumer already. */
function history(call: Call, key: string, reading: Reading, behind: StreamId): Found {
  const stream = streamOf(call, key)
  const group = groupFor(call, reading, stream, key)
  const [, consumer] = reading.group as readonly [string, string]
  const from = nextId(behind)
  const found: { readonly id: StreamId; readonly entry: StreamEntry | undefined }[] = []
  for (const { id, consumer: own } of from === undefined ? [] : group.pending(from)) {
    if (own !== consumer) continue
    found.push({ id, entry: entriesOf(group.stream, id)[0] })
    if (found.length >= reading.count) break
  }
  if (group.consumer(consumer) === undefined) seen(call, key, group, consumer)
  const write = (): void => {
    call.reply.array(found.length)
    for (const { id, entry } of found) {
      if (entry !== undefined) writeEntry(call, entry)
      else {
        call.reply.array(2)
        call.reply.bulk(shownId(id))
        call.reply.nullArray()
      }
    }
  }
  return { key, write }
}

function seen(call: Call, key: string, group: Group, consumer: string): void {
  const notes = new Map<string, string | undefined>()
  group.see(notes, consumer, call.nowMs)
  writeNotes(call, key, notes)
}
