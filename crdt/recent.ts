/**
 * The newest entries of a log: what a channel keeps of its messages for those who come late.
 *
 * Of all operations the greatest in canonical order stay, within a count, within a time before the
 * greatest of them, and within an amount of bytes; an entry is bytes that somebody else encodes. A
 * greatest so many of a union is the same in whatever order the parts are joined. Of bytes that is not
 * so: what was dropped here counts no more, and an older entry that arrives late would find room. So
 * the state remembers the greatest stamp that it has dropped, its *floor*, and takes in nothing at or
 * below it. What is dropped of a part is dropped of the whole, for sums and times only grow; so all
 * orders come to one floor [1].
 *
 * State: the entries in canonical order, and the floor. Operations commute. It cannot be deleted: an
 * entry goes when newer ones push it out, or when the key's life is over.
 * Cost: O(log entries) to find the place of one, O(entries behind it) to put it there. A late entry
 * is rarely far from the end.
 *
 * When not to use it: for entries that have to stay, or that are removed one by one (`list`, `set`).
 *
 * 1. P. Almeida, A. Shoker, C. Baquero: Delta State Replicated Data Types. 2018, section 4.
 */
import type { Encodable } from './encoding/encodable.ts'
import { malformedPayload } from './encoding/payload.ts'
import {
  expectArray,
  expectCount,
  expectReplica,
  fromChunks,
  malformedState,
  toChunks,
} from './encoding/stored-state.ts'
import { isUint8Array } from './encoding/encoding-scalars.ts'
import type { Prepare, Strategy } from './strategy.ts'
import { compareStamps, HLC_LOGICAL_STEPS, type Stamp } from './time/hlc.ts'

export interface RecentEntry extends Stamp {
  readonly bytes: Uint8Array
}

/** What stays: so many entries, those of so many milliseconds before the newest, so many bytes of them. */
export interface RecentBounds {
  readonly countMax: number
  readonly forMs: number
  readonly bytesMax: number
}

export interface RecentState {
  /** In canonical order. */
  readonly entries: RecentEntry[]
  bytesCount: number
  /** The greatest that has been dropped. */
  floor: Stamp | undefined
}

export type RecentVerbs = {
  readonly append: (prepare: Prepare<RecentState>, bytes: Uint8Array) => Encodable | undefined
}

export type Recent = Strategy<readonly RecentEntry[], RecentState, Encodable, RecentVerbs>

const KIND = 'recent'

/** Infinite bounds do not bind. */
export function recent({ countMax, forMs, bytesMax }: RecentBounds): Recent {
  const bounds = { countMax, forMs, bytesMax }
  return {
    kind: KIND,
    code: 14,
    foldsAs: `${KIND} ${countMax} ${forMs} ${bytesMax}`,
    piecesOf: ({ entries }) => entries.length,
    fold: 'any',
    deletes: 'refused',
    initial: () => ({ entries: [], bytesCount: 0, floor: undefined }),
    apply(state, { hlc, replica, sequence, payload }) {
      if (!isBytes(payload)) throw malformedPayload(KIND)
      insert(state, { hlc, replica, sequence, bytes: payload })
      trim(state, bounds)
      return state
    },
    read: ({ entries }) => (entries.length === 0 ? undefined : [...entries]),
    isEmpty: ({ entries }) => entries.length === 0,
    encodeState: ({ entries, floor }) => [
      floor === undefined ? [] : [floor.hlc, floor.replica, floor.sequence],
      toChunks(entries.map((entry) => [entry.hlc, entry.replica, entry.sequence, entry.bytes])),
    ],
    decodeState,
    verbs: { append: (_prepare, bytes) => bytes },
  }
}

function insert(state: RecentState, entry: RecentEntry): void {
  const { entries, floor } = state
  if (floor !== undefined && compareStamps(entry, floor) <= 0) return
  let at = entries.length
  while (at > 0 && compareStamps(entries[at - 1]!, entry) > 0) at--
  entries.splice(at, 0, entry)
  state.bytesCount += entry.bytes.length
}

function trim(state: RecentState, { countMax, forMs, bytesMax }: RecentBounds): void {
  const { entries } = state
  const newest = entries.at(-1)
  if (newest === undefined) return
  const since = newest.hlc - forMs * HLC_LOGICAL_STEPS
  let dropped = 0
  const isTooMuch = (entry: RecentEntry): boolean =>
    entries.length - dropped > countMax || state.bytesCount > bytesMax || entry.hlc < since
  for (let entry = entries[0]; entry !== undefined && isTooMuch(entry); entry = entries[dropped]) {
    state.bytesCount -= entry.bytes.length
    const { hlc, replica, sequence } = entry
    state.floor = { hlc, replica, sequence }
    dropped++
  }
  if (dropped > 0) entries.splice(0, dropped)
}

function decodeState(encoded: Encodable): RecentState {
  const [floor, chunks] = expectArray(encoded)
  const entries = fromChunks(chunks ?? []).map(decodeEntry)
  return {
    entries,
    bytesCount: entries.reduce((sum, { bytes }) => sum + bytes.length, 0),
    floor: decodeFloor(expectArray(floor)),
  }
}

function decodeFloor([hlc, replica, sequence]: readonly Encodable[]): Stamp | undefined {
  if (hlc === undefined) return undefined
  return { hlc: expectCount(hlc), replica: expectReplica(replica), sequence: expectCount(sequence) }
}

function decodeEntry(encoded: Encodable): RecentEntry {
  const [hlc, replica, sequence, bytes] = expectArray(encoded)
  if (!isBytes(bytes)) throw malformedState('an entry without bytes')
  return { hlc: expectCount(hlc), replica: expectReplica(replica), sequence: expectCount(sequence), bytes }
}

function isBytes(value: Encodable | undefined): value is Uint8Array {
  return typeof value === 'object' && value !== null && isUint8Array(value)
}
