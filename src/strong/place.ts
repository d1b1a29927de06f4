/**
 * What a replica keeps of a partition beside its keys: how far it has come, and whose commands have
 * been judged. It stands in the log beside the operations of each command, in one group with them.
 */
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { expectArray, expectCount, expectText } from '../../crdt/encoding/stored-state.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import { Authors } from './authors.ts'

export class Place {
  /** Which log it is a place in. */
  identity = ''
  /** The last record of which everything has been judged. 0: none. */
  offset = 0
  id = ''
  /** The time of the log: the latest of any record's so far. */
  timeMs = 0
  /** The stamp of the last operation. */
  hlc: Hlc = 0
  /** How many operations the partition has given. */
  sequence = 0
  authors: Authors = new Authors()
  /** Records since the last snapshot that was saved. */
  recordsCount = 0
  /** The bytes of these. */
  recordsBytes = 0

  encode(): Uint8Array {
    const { identity, offset, id, timeMs, hlc, sequence, authors, recordsCount, recordsBytes } = this
    return encode([1, identity, offset, id, timeMs, hlc, sequence, authors.encode(), recordsCount, recordsBytes])
  }

  /** Throws `WARP_E_PROTOCOL`. */
  static decode(bytes: Uint8Array): Place {
    const [, identity, offset, id, timeMs, hlc, sequence, authors, recordsCount, recordsBytes] = expectArray(
      decode(bytes),
    )
    const place = new Place()
    place.identity = expectText(identity)
    place.offset = expectCount(offset)
    place.id = expectText(id)
    place.timeMs = expectCount(timeMs)
    place.hlc = expectCount(hlc)
    place.sequence = expectCount(sequence)
    place.authors = Authors.decode(authors)
    place.recordsCount = expectCount(recordsCount)
    place.recordsBytes = expectCount(recordsBytes)
    return place
  }
}

/** What the strong half of a replica tells of itself: how the log is, and how far this replica is behind it. */
export interface OrderCounts {
  /** The log's. */
  readonly name: string
  readonly isConnected: boolean
  /** For how long it has been away, ms; 0 while it is there. */
  readonly awayMs: number
  /** Strong keys are refused, or a partition of them stands still, until somebody does something. */
  readonly isFailing: boolean
  readonly partitions: readonly OrderPartitionCounts[]
}

export interface OrderPartitionCounts {
  readonly partition: number
  /** The last record that has been judged here; 0: none. */
  readonly offset: number
  /**
   * So many places the log is further, as far as is known here: by what it has handed over, by records of this
   * replica and by barriers. Some may be empty.
   */
  readonly lagCount: number
  /** Strong writes that wait for their verdict. */
  readonly waitingCount: number
  /** Records that this replica has appended. */
  readonly appendedCount: number
  /** Appends that were refused. A log that is away refuses them all, and they are tried again. */
  readonly refusedCount: number
  /** Appends whose answer was lost; they are tried again. */
  readonly unansweredCount: number
}
