/** Streams, their entries, and how they are replied. */
import { shownId, type StreamId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream, StreamEntry } from '../../../../crdt/redis/streams/stream.ts'
import type { Call } from '../../call/command.ts'
import { viewAs } from '../../call/key-facts.ts'
import type { IdRange } from './ids.ts'

/** `undefined` where there is no key. */
export function streamOf(call: Call, key: string): Stream | undefined {
  return viewAs(call, key, 'stream').stream
}

/** Entries of a range from its beginning on. */
export function entriesIn(stream: Stream | undefined, { from, to }: IdRange, count: number): StreamEntry[] {
  const found: StreamEntry[] = []
  if (stream === undefined || count <= 0) return found
  for (const entry of stream.entries.from(stream.rankOf(from))) {
    if (entry.id > to) break
    if (found.push(entry) >= count) break
  }
  return found
}

/** The same from its end on. */
export function entriesBackIn(stream: Stream | undefined, { from, to }: IdRange, count: number): StreamEntry[] {
  const found: StreamEntry[] = []
  if (stream === undefined || count <= 0) return found
  const last = stream.entries.rankOf(({ id }) => id <= to) - 1
  for (const entry of stream.entries.backFrom(last)) {
    if (entry.id < from) break
    if (found.push(entry) >= count) break
  }
  return found
}

/** Whether there is an entry of that id. */
export function entriesOf(stream: Stream, id: StreamId): StreamEntry[] {
  return entriesIn(stream, { from: id, to: id }, Infinity)
}

export function writeEntries(call: Call, entries: readonly StreamEntry[]): void {
  call.reply.array(entries.length)
  for (const entry of entries) writeEntry(call, entry)
}

export function writeEntry({ reply }: Call, { id, fields }: StreamEntry): void {
  reply.array(2)
  reply.bulk(shownId(id))
  reply.bulks(fields)
}
