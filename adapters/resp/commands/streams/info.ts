/** XINFO: what is to be known of a stream, and of the groups that this replica has. */
import { LEAST_ID, shownId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream } from '../../../../crdt/redis/streams/stream.ts'
import { indexOf } from '../../call/arguments.ts'
import type { Call, Command } from '../../call/command.ts'
import { noSuchKey, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { entriesIn, streamOf, writeEntries, writeEntry } from './entries.ts'
import { Group, type Pending } from './groups.ts'
import { rangeOf } from './ids.ts'

const FACTS = { group: 'stream', keys: { first: 2, last: 2, step: 1 }, flags: ['readonly'], since: '5.0.0' } as const
const ENTRIES_SHOWN = 10

export const STREAM_INFO_COMMANDS: readonly Command[] = [
  { ...FACTS, name: 'XINFO STREAM', arity: -3, summary: 'What a stream is made of.', run: ofStream },
  { ...FACTS, name: 'XINFO GROUPS', arity: 3, summary: 'The groups of a stream, of this replica.', run: ofGroups },
  { ...FACTS, name: 'XINFO CONSUMERS', arity: 4, summary: 'The consumers of a group.', run: ofConsumers },
]

/** Throws where there is no key. */
function existing(call: Call, key: string): Stream {
  const stream = streamOf(call, key)
  if (stream === undefined) throw noSuchKey()
  return stream
}

type Writes = readonly (readonly [name: string, write: () => void])[]

function writeMap({ reply }: Call, pairs: Writes): void {
  reply.map(pairs.length)
  for (const [name, write] of pairs) {
    reply.bulk(name)
    write()
  }
}

function ofStream(call: Call, args: readonly string[]): void {
  const { reply } = call
  const stream = existing(call, args[2]!)
  const count = fullCountOf(args)
  const { entries, mark, lastId } = stream
  const first = entries.at(0)
  const facts: Writes = [
    ['length', () => reply.integer(entries.size)],
    ['radix-tree-keys', () => reply.integer(entries.size)],
    ['radix-tree-nodes', () => reply.integer(entries.size + 1)],
    ['last-generated-id', () => reply.bulk(shownId(lastId))],
    ['max-deleted-entry-id', () => reply.bulk(shownId(mark.deleted))],
    ['entries-added', () => reply.integer(mark.gone + entries.size)],
    ['recorded-first-entry-id', () => reply.bulk(shownId(first?.id ?? LEAST_ID))],
  ]
  const groups = Group.all(call, stream)
  if (count !== undefined) {
    const shown = entriesIn(stream, rangeOf('-', '+'), count)
    writeMap(call, [
      ...facts,
      ['entries', () => writeEntries(call, shown)],
      ['groups', () => writeFullGroups(call, groups, count)],
    ])
    return
  }
  const last = entries.at(entries.size - 1)
  const entry = (one: typeof first) => (): void => (one === undefined ? reply.null() : writeEntry(call, one))
  writeMap(call, [
    ...facts,
    ['groups', () => reply.integer(groups.length)],
    ['first-entry', entry(first)],
    ['last-entry', entry(last)],
  ])
}

/** How many entries `FULL` shows; `undefined` without it. */
function fullCountOf(args: readonly string[]): number | undefined {
  if (args.length === 3) return undefined
  if (args[3]!.toUpperCase() !== 'FULL') throw syntaxError()
  if (args.length === 4) return ENTRIES_SHOWN
  if (args.length !== 6 || args[4]!.toUpperCase() !== 'COUNT') throw syntaxError()
  const count = indexOf(args[5]!)
  return count <= 0 ? Infinity : count
}

function writeFullGroups(call: Call, groups: readonly Group[], count: number): void {
  const { reply } = call
  reply.array(groups.length)
  for (const group of groups) {
    const pending = [...group.pending()]
    writeMap(call, [
      ...positionOf(call, group),
      ['pel-count', () => reply.integer(pending.length)],
      ['pel', () => writePendings(call, pending.slice(0, count), true)],
      ['consumers', () => writeFullConsumers(call, group, pending, count)],
    ])
  }
}

function positionOf({ reply }: Call, group: Group): Writes {
  const added = group.stream.mark.gone + group.stream.entries.size
  return [
    ['name', () => reply.bulk(group.name)],
    ['last-delivered-id', () => reply.bulk(shownId(group.lastId))],
    ['entries-read', () => reply.integer(added - group.lag)],
    ['lag', () => reply.integer(group.lag)],
  ]
}

function writeFullConsumers(call: Call, group: Group, pending: readonly Pending[], count: number): void {
  const { consumers } = group
  call.reply.array(consumers.length)
  for (const { name, seenMs } of consumers) {
    const own = pending.filter(({ consumer }) => consumer === name)
    writeMap(call, [
      ['name', () => call.reply.bulk(name)],
      ['seen-time', () => call.reply.integer(seenMs)],
      ['pel-count', () => call.reply.integer(own.length)],
      ['pel', () => writePendings(call, own.slice(0, count), false)],
    ])
  }
}

function writePendings({ reply }: Call, all: readonly Pending[], hasConsumer: boolean): void {
  reply.array(all.length)
  for (const { id, consumer, deliveredMs, deliveries } of all) {
    reply.array(hasConsumer ? 4 : 3)
    reply.bulk(shownId(id))
    if (hasConsumer) reply.bulk(consumer)
    reply.integer(deliveredMs)
    reply.integer(deliveries)
  }
}

function ofGroups(call: Call, [, , key]: readonly string[]): void {
  const groups = Group.all(call, existing(call, key!))
  call.reply.array(groups.length)
  for (const group of groups) {
    const [name, ...position] = positionOf(call, group)
    writeMap(call, [
      name!,
      ['consumers', () => call.reply.integer(group.consumers.length)],
      ['pending', () => call.reply.integer([...group.pending()].length)],
      ...position,
    ])
  }
}

function ofConsumers(call: Call, [, , key, name]: readonly string[]): void {
  const group = Group.find(call, existing(call, key!), name!)
  if (group === undefined) throw new ReplyError(`NOGROUP No such consumer group '${name!}' for key name '${key!}'`)
  const pending = [...group.pending()]
  const { consumers } = group
  call.reply.array(consumers.length)
  for (const { name: own, seenMs } of consumers)
    writeMap(call, [
      ['name', () => call.reply.bulk(own)],
      ['pending', () => call.reply.integer(pending.filter(({ consumer }) => consumer === own).length)],
      ['idle', () => call.reply.integer(Math.max(0, call.nowMs - seenMs))],
    ])
}
