/** What can be written to a stream. As `verbs.ts` says. */
import type { Encodable } from '../../encoding/encodable.ts'
import type { Prepare } from '../../strategy.ts'
import { Situation, checkBinary, refused, type Replacing } from '../situation.ts'
import type { RedisState } from '../state.ts'
import { isStreamId, type StreamId } from './stream-id.ts'
import type { MarkContent } from './stream.ts'

type Made = Encodable | undefined
type Preparing = Prepare<RedisState>

export interface StreamChange {
  readonly entries?: readonly (readonly [id: StreamId, fields: readonly string[]])[] | undefined
  /** Ids of entries that go. */
  readonly removed?: readonly StreamId[] | undefined
  /** Entries up to this one go. */
  readonly floor?: StreamId | undefined
  readonly mark?: MarkContent | undefined
  readonly replacing?: Replacing | undefined
}

/** XADD, XDEL, XTRIM, XSETID. Whether ids are in order is for the caller to see to. */
export function changeStream(
  prepare: Preparing,
  nowMs: number,
  { entries = [], removed = [], floor, mark, replacing }: StreamChange,
): Made {
  const situation = new Situation(prepare, nowMs)
  if (replacing === undefined) situation.part('stream')
  const ids = [...entries.map(([id]) => id), ...removed, ...(floor === undefined ? [] : [floor])]
  if (!ids.every(isStreamId)) throw refused('ids of streams of 16 characters')
  if (ids.length === 0 && mark === undefined) return undefined
  const added = entries.map(([id, fields]) => ({ id, fields: fields.map(checkBinary) }))
  return situation.payload({ act: { act: 'stream', entries: added, removed, floor, mark }, replacing })
}

/** Sets notes beside the entries, or takes them away. */
export function note(
  prepare: Preparing,
  nowMs: number,
  notes: readonly (readonly [name: string, value: string | undefined])[],
): Made {
  const situation = new Situation(prepare, nowMs)
  situation.part('stream')
  if (notes.length === 0 || !situation.isAlive) return undefined
  const fields = notes.map(([name, value]) => ({
    name: checkBinary(name),
    value: value === undefined ? undefined : checkBinary(value),
  }))
  return situation.payload({ act: { act: 'notes', notes: fields } })
}
