/** RENAME and COPY: the whole of a key, with its life, takes the place of another one. */
import type { Registers, Raised } from '../../../../crdt/redis/registers/registers.ts'
import type { Replacing } from '../../../../crdt/redis/situation.ts'
import type { Stream } from '../../../../crdt/redis/streams/stream.ts'
import type { Call } from '../../call/command.ts'
import { viewOf, write, type KeyView } from '../../call/key-facts.ts'
import { streamOf } from '../streams/entries.ts'
import { Group, groupNote, writeNotes } from '../streams/groups.ts'

/** `from` is there. */
export function copyTo(call: Call, from: string, to: string): void {
  const view = viewOf(call, from)
  const replacing = { untilMs: view.untilMs }
  switch (view.kind) {
    case undefined:
      break
    case 'string':
      if (view.registers === undefined) write(call, to, 'put', view.text ?? '', view.untilMs)
      else write(call, to, 'raise', ranksIn(view.registers), replacing)
      break
    case 'hash':
      write(
        call,
        to,
        'setFields',
        [...namesIn(view)].map((name) => [name, view.field(name) ?? '']),
        replacing,
      )
      break
    case 'set':
      write(call, to, 'join', [...namesIn(view)], { replacing })
      break
    case 'zset':
      write(
        call,
        to,
        'setScores',
        [...namesIn(view)].map((name) => [name, view.score(name) ?? 0]),
        replacing,
      )
      break
    case 'stream':
      copyStream(call, view.stream as Stream, to, replacing)
      break
    case 'list':
      write(call, to, 'push', { to: 'right', values: [...view.elementsFrom(0)], replacing })
      break
  }
}

function ranksIn(registers: Registers): Raised[] {
  return Array.from(registers.entries(), ([place]) => ({ place, rank: registers.rank(place) }))
}

/** With what is known of entries that have gone, and the groups that this replica has. */
function copyStream(call: Call, stream: Stream, to: string, replacing: Replacing): void {
  const entries = Array.from(stream.entries.from(0), ({ id, fields }) => [id, fields] as const)
  const groups = Group.all(call, stream).map((group) => group.notesElsewhere())
  const { deleted, gone } = stream.mark
  write(call, to, 'changeStream', { entries, mark: { last: stream.lastId, deleted, gone }, replacing })
  const copied = streamOf(call, to)
  for (const { notes, name, last } of groups)
    writeNotes(call, to, new Map([...notes, ...groupNote(call, copied, name, last)]))
}

function* namesIn({ entries }: KeyView): Generator<string, void> {
  for (let place = 0; place < entries.size; place++) {
    const entry = entries.at(place)
    if (entry !== undefined) yield entry.name
  }
}
