/**
 * The port of an ordered log: an engine that keeps every record of a partition in one total order,
 * and hands that order to everybody who follows. Linearizable operations are records of it, and
 * each replica judges their conditions at their place (Schneider 1990, state machine replication).
 * The log itself knows nothing of keys or conditions, and its own compare-and-set is not used.
 * `memoryOrderedLog` (src/ports/ordered-memory) is the executable specification;
 * `adapters/conformance` holds the suite that every implementation passes.
 *
 * A log may lose answers, may keep a record twice that was appended twice, and may deliver a record
 * again. It must not reorder, and it must not lose a record that it has acknowledged, or say so:
 * `OrderedLogReader.broken`.
 */
import type { WarpError } from '../../crdt/warp-error.ts'

export interface OrderedLog {
  readonly kind: 'ordered'
  /** Names the log in events, `stats` and `capabilities`. */
  readonly name: string
  /**
   * Connects and looks whether the log can keep its promise. Rejects with `WARP_E_BROKER_UNFIT`,
   * which names the reason, where it cannot, and with `WARP_E_TRANSPORT` where nobody answers.
   * Called once for each replica.
   */
  open(receiver: OrderedLogReceiver): Promise<OrderedLogLink>
}

/** Given by the engine. Calls never throw and return quickly. */
export interface OrderedLogReceiver {
  /**
   * The log is (again) there, or is not: for health, and for whoever waits. Called on changes; a
   * link begins connected.
   */
  connected(isConnected: boolean): void
  /** Something that an operator should know. */
  report?(report: OrderedLogReport): void
}

export type OrderedLogReport =
  /** It works, and less well than asked: reconnecting, slow. Once, until that changes. */
  { readonly kind: 'order:degraded'; readonly error: WarpError }

/** What a log promises, as data: `warp.capabilities()` and the documents show it. */
export interface OrderedLogPromises {
  /** Whose word an acknowledgement is: of this process, or of a broker. */
  readonly acknowledgedBy: 'process' | 'broker'
  /**
   * What an acknowledged record outlives: nothing; the end of a server's process; the loss of power
   * of a minority of servers.
   */
  readonly survives: 'nothing' | 'kill' | 'power loss'
  /** On how many servers a record lies. */
  readonly copies: number
  /** Shortcomings that the user has accepted, by name; empty if there are none. */
  readonly accepted: readonly string[]
}

/** A record as it lies in its partition. */
export interface OrderedRecord {
  /** Its place: rises strictly within a partition, from 1. There may be holes. */
  readonly offset: number
  /** The id under which it was appended. */
  readonly id: string
  /** The log's own clock when it took the record, ms since 1970. May go back. */
  readonly timeMs: number
  /** Nobody changes them. */
  readonly bytes: Uint8Array
}

/** Names the last record that a replica has applied. */
export type Bookmark = Pick<OrderedRecord, 'offset' | 'id'>

export type AppendOutcome =
  /** It has a place for good, perhaps for the second time. */
  | { readonly kind: 'appended'; readonly offset: number }
  /** It certainly has no place and never will have by this call: too large, not allowed, not sent. */
  | { readonly kind: 'refused'; readonly error: WarpError }
  /** It may have a place, now or later: the answer was lost. Appending it again is safe. */
  | { readonly kind: 'unknown'; readonly error: WarpError }

/** Told by `follow`, in order. Calls of one reader never overlap. */
export interface OrderedLogReader {
  /**
   * The next records, one or more. The log hands over no more until the promise is settled, and
   * keeps no more than a bounded number of bytes for it meanwhile. Never throws, never rejects.
   *
   * A batch may begin again with records that were handed over before. Records at higher offsets
   * than any before come in order and without omission.
   */
  records(batch: readonly OrderedRecord[]): Promise<void> | void
  /**
   * Records behind the bookmark were trimmed: everything before `firstOffset` is gone. Nothing more
   * comes, and the partition has no reader any more: take the snapshot, and follow from its
   * bookmark. The log says `broken` where the snapshot does not reach to what is there.
   */
  trimmed(firstOffset: number): void
  /**
   * The log is not the one that the bookmark is of: recreated, rolled back, or purged of records that
   * no snapshot holds (`WARP_E_ORDER_BROKEN`). Told at the latest instead of the next record; of a
   * purge, a reader that had been handed all that went may be told nothing, for it misses nothing.
   * Nothing more comes, and the partition has no reader any more.
   */
  broken(error: WarpError): void
}

/** A state of one partition, up to a record of it. */
export interface OrderedSnapshot {
  /** The last record that the state holds. */
  readonly bookmark: Bookmark
  /** Its bytes. When they are loaded they may be cut elsewhere than they were when it was saved. */
  readonly pieces: AsyncIterable<Uint8Array>
}

export interface OrderedLogLink {
  /**
   * Names this log among all others, for as long as its records are there: 8 bytes as 16 lower-case
   * hexadecimal digits, drawn when the log is made. A log that was made anew has another one.
   */
  readonly identity: string
  /**
   * One or more; does not change during the life of a log. Partitions are 0 to one less. About any
   * other one an append is `refused`, and the other calls fail, with `WARP_E_CONFIG`.
   */
  readonly partitionsCount: number
  /** The largest record. */
  readonly recordBytesMax: number
  readonly promises: OrderedLogPromises
  /**
   * Puts a record behind all that have a place. `id` has 1 to 64 visible characters of ASCII (`!` to
   * `~`); a record that is appended again must have the same id and bytes. Nobody changes `bytes`
   * before the outcome is there. Records that one link appends without waiting get places in the
   * order of the calls, but for those that are appended again. Never throws, never rejects. Refuses
   * a larger record than `recordBytesMax` with `WARP_E_LIMIT`. Without a connection it refuses with
   * `WARP_E_TRANSPORT` instead of waiting for one. Waits no longer than the log's own limit; when
   * `signal` fires, the outcome is `unknown`, or `refused` if nothing was sent.
   *
   * The outcome and the record itself, handed to this link's reader, come in either order, and
   * neither before this call has returned.
   */
  append(partition: number, id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<AppendOutcome>
  /**
   * The place of a record at or behind all records that had been acknowledged to anybody when the
   * call was made: who has applied it has seen them all (a *barrier*). 0 if there was none. Rejects
   * with `WARP_E_TRANSPORT`, `WARP_E_ABORTED`, `WARP_E_CLOSED`. Must not be answered by a server that
   * may have been deposed; a log without such an answer appends an empty record whose id begins with
   * `barrier:`, which followers are handed like any other.
   *
   * Rejects with `WARP_E_ORDER_BROKEN` where the log is not the one that the link was opened on, or
   * has not the record any more that its reader was handed last: else a replica would believe that
   * it has seen what lies before its own bookmark.
   */
  barrier(partition: number, signal?: AbortSignal): Promise<number>
  /**
   * Hands over what lies behind the bookmark, or from the beginning of the log, and then whatever
   * comes, also across reconnections, until the returned function is called: nothing is called
   * after that. At most one reader for a partition at a time; throws `WARP_E_CONFIG` for a second
   * one, and `WARP_E_CLOSED`. Never calls the reader before it has returned.
   */
  follow(partition: number, after: Bookmark | undefined, reader: OrderedLogReader): () => void
  /**
   * Keeps a state. One that was saved before stays until the new one is complete; of two that are
   * saved at the same time the one that reaches further stays, and neither is an error. Rejects with
   * `WARP_E_TRANSPORT`, with what the pieces reject with, and with `WARP_E_ORDER_BROKEN` if the
   * record of the bookmark is another one or is not there, unless it was trimmed; then the former
   * one is there.
   */
  saveSnapshot(partition: number, snapshot: OrderedSnapshot): Promise<void>
  /**
   * The one that is there. Its pieces reject when they cannot be had (any more).
   */
  loadSnapshot(partition: number): Promise<OrderedSnapshot | undefined>
  /**
   * Lets go of the records before `offset`. Refuses, by `WARP_E_CONFIG`, to go beyond the record
   * behind the snapshot that is there: who comes late would find neither.
   */
  trim(partition: number, offset: number): Promise<void>
  /**
   * Answers everything that waits with `WARP_E_CLOSED`: appends with `unknown`, or `refused` if they
   * were not sent. Ends the readers, without waiting for what they are at. May be called again.
   */
  close(): Promise<void>
}
