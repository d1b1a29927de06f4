/** XGROUP and XACK: groups of consumers, which are of this replica, and what they have done. */
import { LEAST_ID, type StreamId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream } from '../../../../crdt/redis/streams/stream.ts'
import { wholeOf } from '../../call/arguments.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { write } from '../../call/key-facts.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { streamOf } from './entries.ts'
import { Group, groupNote, writeNotes, type Notes } from './groups.ts'
import { idOf } from './ids.ts'
import { markOf } from './streams.ts'

const GROUP = { group: 'stream', keys: { first: 2, last: 2, step: 1 }, flags: ['write'], since: '5.0.0' } as const

export const STREAM_GROUP_COMMANDS: readonly Command[] = [
  {
    ...GROUP,
    flags: ['write', 'denyoom'],
    name: 'XGROUP CREATE',
    arity: -5,
    summary: 'Makes a group of consumers, of this replica.',
    run: create,
  },
  { ...GROUP, name: 'XGROUP SETID', arity: -5, summary: 'Sets how far a group is.', run: setId },
  { ...GROUP, name: 'XGROUP DESTROY', arity: 4, summary: 'Takes a group away.', run: destroy },
  {
    ...GROUP,
    flags: ['write', 'denyoom'],
    name: 'XGROUP CREATECONSUMER',
    arity: 5,
    since: '6.2.0',
    summary: 'Makes a consumer of a group.',
    run: createConsumer,
  },
  { ...GROUP, name: 'XGROUP DELCONSUMER', arity: 5, summary: 'Takes a consumer away.', run: deleteConsumer },
  {
    group: 'stream',
    keys: FIRST_KEY,
    flags: ['write', 'fast'],
    name: 'XACK',
    arity: -4,
    since: '5.0.0',
    summary: 'Says that entries are done.',
    run: xack,
  },
]

/** Throws where there is none. */
export function groupOf(call: Call, key: string, name: string): Group {
  const group = Group.find(call, streamOf(call, key), name)
  if (group === undefined) throw new ReplyError(`NOGROUP No such key '${key}' or consumer group '${name}'`)
  return group
}

function needsKey(): ReplyError {
  return new ReplyError(
    'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
  )
}

/** Throws where there is no stream, or no such group. */
function ownGroupOf(call: Call, key: string, name: string): Group {
  const stream = streamOf(call, key)
  if (stream === undefined) throw needsKey()
  const group = Group.find(call, stream, name)
  if (group === undefined) throw new ReplyError(`NOGROUP No such consumer group '${name}' for key name '${key}'`)
  return group
}

function create(call: Call, args: readonly string[]): void {
  const [, , key, name, text] = args as [string, string, string, string, string]
  const isMaking = createOptionsOf(args)
  let stream = streamOf(call, key)
  if (stream === undefined && !isMaking) throw needsKey()
  const from = placeOf(text, stream)
  if (stream === undefined) {
    write(call, key, 'changeStream', { mark: markOf(undefined, { last: LEAST_ID, gone: 0 }) })
    stream = streamOf(call, key)
  }
  if (Group.find(call, stream, name) !== undefined) throw new ReplyError('BUSYGROUP Consumer Group name already exists')
  writeNotes(call, key, groupNote(call, stream, name, from))
  call.reply.ok()
}

/** Whether a stream is made where there is none. `ENTRIESREAD` is looked at only: what is left is counted. */
function createOptionsOf(args: readonly string[], mayMake = true): boolean {
  let isMaking = false
  for (let at = 5; at < args.length; at++) {
    const word = args[at]!.toUpperCase()
    if (word === 'MKSTREAM' && mayMake) isMaking = true
    else if (word === 'ENTRIESREAD' && at + 1 < args.length) {
      if (wholeOf(args[++at]!) < -1) throw new ReplyError('ERR value for ENTRIESREAD must be positive or -1')
    } else
      throw new ReplyError(`ERR unknown subcommand or wrong number of arguments for '${args[1]!}'. Try XGROUP HELP.`)
  }
  return isMaking
}

/** `$` is the last one. */
function placeOf(text: string, stream: Stream | undefined): StreamId | undefined {
  return text === '$' ? (stream?.lastId ?? LEAST_ID) : idOf(text)
}

function setId(call: Call, args: readonly string[]): void {
  const [, , key, name, text] = args as [string, string, string, string, string]
  createOptionsOf(args, false)
  const { stream } = ownGroupOf(call, key, name)
  writeNotes(call, key, groupNote(call, stream, name, placeOf(text, stream)))
  call.reply.ok()
}

function destroy(call: Call, [, , key, name]: readonly string[]): void {
  const stream = streamOf(call, key!)
  if (stream === undefined) throw needsKey()
  const group = Group.find(call, stream, name!)
  if (group !== undefined) writeNotes(call, key!, group.destroy())
  call.reply.integer(group === undefined ? 0 : 1)
}

function createConsumer(call: Call, [, , key, name, consumer]: readonly string[]): void {
  const group = ownGroupOf(call, key!, name!)
  const isNew = group.consumer(consumer!) === undefined
  const notes: Notes = new Map()
  if (isNew) group.see(notes, consumer!, call.nowMs)
  writeNotes(call, key!, notes)
  call.reply.integer(isNew ? 1 : 0)
}

function deleteConsumer(call: Call, [, , key, name, consumer]: readonly string[]): void {
  const group = ownGroupOf(call, key!, name!)
  const notes: Notes = new Map()
  let count = 0
  for (const { id, consumer: own } of group.pending()) {
    if (own !== consumer) continue
    count++
    group.settle(notes, id)
  }
  if (group.consumer(consumer!) !== undefined) group.forget(notes, consumer!)
  writeNotes(call, key!, notes)
  call.reply.integer(count)
}

function xack(call: Call, [, key, name, ...texts]: readonly string[]): void {
  const group = Group.find(call, streamOf(call, key!), name!)
  if (group === undefined) {
    call.reply.integer(0)
    return
  }
  const notes: Notes = new Map()
  let count = 0
  for (const id of new Set(texts.map(idOf))) {
    if (group.pendingAt(id) === undefined) continue
    count++
    group.settle(notes, id)
  }
  writeNotes(call, key!, notes)
  call.reply.integer(count)
}
