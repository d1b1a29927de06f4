/**
 * The frames that replicas exchange, in format 2. Big endian; numbers are LEB128 varints below
 * 2^53.
 *
 *     frame            = format:u8 kind:u8 sender:8 session:u32 body
 *     digest           = 1: flags:u8 applied:vector floor:vector stable:vector heard:ids retired:ends [ number:varint ] rest
 *     operations       = 2: flags:u8 number:varint record*
 *     record           = 0:u32 kind:u8 bytes:u24 0:u64 envelope                     a record of the log, see below
 *     request          = 3: number:varint count:varint (replica:8 from:varint to:varint)*
 *     snapshot-request = 4: transfer:u32 acknowledged:varint from:varint count:varint
 *     snapshot-chunk   = 5: flags:u8 transfer:u32 offer:u32 index:varint [ vector ] length:varint bytes
 *     digest-change    = 6: flags:u8 anchor:varint count:varint applied:vector floor:vector stable:vector rest
 *     hello            = 7: flags:u8 highest:u8 written:u8 name:text zone:text [ more:u8 [ region:text count:u8 region:text* ] ] rest
 *     wanted           = 8: count:varint (replica:8 level:u8 through:varint)*
 *     held             = 9: count:varint (replica:8 memory:varint logged:varint durable:varint)*
 *     confirmation     = 10: replica:8 applied:varint own:varint stable:varint rest
 *     roll-call        = 11: anchor:varint acknowledged:varint stable:varint announced:varint
 *                        count:varint (index:varint sequence:varint)* rest
 *     load-request     = 14: number:varint flags:u8 key:text need:vector rest
 *     load-fill        = 15: number:varint flags:u8 [ begin:vector leftMs:varint count:varint tag:text* [ bytes ] [ row ] ] rest
 *     row              = flags:u8 meta:bytes token:bytes known:vector
 *     bytes            = length:varint byte*
 *     rows-stored      = 16: count:varint (key:text vector)*
 *     holdings-wanted  = 17: number:varint flags:u8 ( pattern:text from:varint | count:varint (key:text)* ) rest
 *     holdings-told    = 18: number:varint flags:u8 [ keys | copies ] rest
 *     keys             = next:varint count:varint (key:text)*
 *     copies           = begin:vector looked:varint count:varint (index:varint flags:u8 leftMs:varint count:varint tag:text* [ bytes ] [ row ])*
 *     lease-wanted     = 19: number:varint count:varint (lease:text)* rest
 *     lease-left       = 20: number:varint count:varint (lease:text replica:8 sequence:varint leftMs:varint)* rest
 *     message          = 21: head timeMs:varint bytes rest
 *     message-heads    = 22: count:varint (head agoMs:varint)* rest
 *     head             = channel:text stream:varint number:varint
 *     members          = 23: count:varint member* rest
 *     member           = replica:8 flags:u8 format:u8 silentMs:varint name:text zone:text region:text through:varint
 *                        acknowledged:vector stable:vector ended:ends
 *     vector           = count:varint (replica:8 sequence:varint)*      ascending by replica, sequences from 1
 *     ids              = count:varint (replica:8)*
 *     ends             = count:varint (replica:8 sequence:varint)*      as a vector, sequences from 0
 *     text             = bytes:varint utf8
 *
 * `session` is drawn anew each time that a replica starts, so that a restart is noticed. The `rest`
 * of a digest, a change, a hello, a confirmation, a roll call and of the frames of loads belongs to later versions; kinds that
 * are not known are counted and left alone. A `digest-change` goes to those only that say in their
 * hello that they read it, and so do confirmations, roll calls, and what is said of leases, copies and channels. A hello is written in the oldest
 * format that is read anywhere, and its body keeps its meaning, because it says which formats its
 * sender reads. `members` is broadcast by relays; a build that knows of no regions counts it and leaves
 * it alone. Anything else out of place is `WARP_E_PROTOCOL`, with the
 * offset and never the content: the frame is dropped, the replica goes on. Every count is checked
 * against the bytes that are there before anything is allocated for it. Test vectors:
 * docs/wire-format.md.
 *
 * Operations are carried as the records that they are in the log: the 16 bytes in front of an
 * envelope are the space of a record's header. Only kind and length mean something here. Checksum
 * and back-pointer belong to one log and are the receiver's to fill in; a sender may leave its own,
 * so whoever reads a frame ignores them.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { HoldingsTold, HoldingsWanted } from '../../ports/talk/copy-talk.ts'
import type { LoadAnswer, LoadAsked, StoredRow } from '../../ports/talk/load-talk.ts'
import type { LeaseLeft } from '../../ports/talk/lease-times.ts'
import type { SentMessage, ToldHead } from '../../ports/talk/message-talk.ts'
import type { AckLevel } from '../../store/write-road/acknowledgement.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'

export const FRAME_KIND = {
  digest: 1,
  operations: 2,
  request: 3,
  snapshotRequest: 4,
  snapshotChunk: 5,
  /** What has risen since a digest that the receiver holds: 20 bytes when nothing has. */
  digestChange: 6,
  hello: 7,
  wanted: 8,
  held: 9,
  confirmation: 10,
  rollCall: 11,
  // 12 and 13 are of builds that told what is left of leases unasked.
  loadRequest: 14,
  loadFill: 15,
  rowsStored: 16,
  holdingsWanted: 17,
  holdingsTold: 18,
  leaseWanted: 19,
  leaseLeft: 20,
  message: 21,
  messageHeads: 22,
  /** What a relay has heard of members that its hearers do not hear themselves. */
  members: 23,
} as const
export const FRAME_HEADER_BYTES = 14

/** Ranges in one request. What does not fit is asked for by the next one. */
export const REQUEST_RANGES_MAX = 1024
/** Chunks that one snapshot request may ask for. */
export const SNAPSHOT_WINDOW_MAX = 16

/**
 * Entries in one frame that asks for acknowledgements or gives them: ids of one replica, present
 * and former, at three levels.
 */
export const ACKNOWLEDGEMENTS_MAX = 64

/** Leases in one frame that asks how long they have left, or says so. */
export const LEASES_PER_FRAME_MAX = 1024

/** Rows in one frame that says what they hold. */
export const ROWS_PER_FRAME_MAX = 256

/** Entries of vectors in one frame that tells of members, about; one member's are never parted. */
export const MEMBER_ENTRIES_PER_FRAME = 4096

/** Keys in one frame that lists what is held, or asks for it. */
export const HELD_KEYS_PER_FRAME_MAX = 1024

export const CHUNK_FLAG = { last: 1, vector: 2, refused: 4 } as const

export interface Sender {
  readonly replica: ReplicaId
  readonly session: number
}

/**
 * What the sender has applied, compacted and knows to be stable, which replicas it hears, and which
 * ids have come to an end.
 */
export interface Digest {
  /** In reply to a digest; not replied to. */
  readonly reply: boolean
  readonly applied: VersionVector
  readonly floor: VersionVector
  /**
   * Acknowledged by all members that the sender knows. Nobody compacts what any member has not
   * announced here.
   */
  readonly stable: VersionVector
  /** Replicas that have perhaps written nothing, but read, and therefore count for stability. */
  readonly heard: readonly ReplicaId[]
  /**
   * Ids that have come to an end, ascending, and the last sequence of each that counts (see
   * src/operation/retired-ids.ts).
   */
  readonly retired: VectorEntries
}

/** The vectors of a digest, or of each what has risen in it. */
export type DigestVectors = Pick<Digest, 'applied' | 'floor' | 'stable'>

/** What the sender's digest is now: the one with the number `anchor`, and what has risen since. */
export interface DigestChange {
  readonly reply: boolean
  /** The sender wants the receiver's digest; `'whole'`: it holds none to which a change applies. */
  readonly asks: 'nothing' | 'change' | 'whole'
  readonly anchor: number
  /** How often the sender's digest has changed since: of two changes the greater one is later. */
  readonly count: number
  /** What it announces is all that it has applied, so that it need not say so entry by entry. */
  readonly announcesAll: boolean
  readonly risen: DigestVectors
}

/** Operations `from` to `to`, both included, of one replica. */
export interface OperationRange {
  readonly replica: ReplicaId
  readonly from: number
  readonly to: number
}

export interface SnapshotRequest {
  /** Chosen by the asking replica, another one for each transfer. */
  readonly transfer: number
  /** Chunks before this one have arrived and may be forgotten. */
  readonly acknowledged: number
  /** The first chunk wanted, and how many. */
  readonly from: number
  readonly count: number
}

export interface SnapshotChunk {
  readonly transfer: number
  /**
   * Goes up with each snapshot that the sender makes: chunks of two of them are not parts of one.
   */
  readonly offer: number
  readonly index: number
  readonly last: boolean
  /** There is no such transfer (any more), or too many of them; ask again later with a new one. */
  readonly refused: boolean
  /** With index 0: what the snapshot holds. */
  readonly vector: VersionVector | undefined
  readonly bytes: Uint8Array
}

/** Who a replica is for people, where it runs, and what it can read. */
export interface Hello {
  /** The sender does not know who the receiver is, and asks for its hello. */
  readonly asks: boolean
  /**
   * Whether its log outlives its process: then it can hold operations at the levels `logged` and
   * `durable`.
   */
  readonly isPersistent: boolean
  /** The highest format that it reads and writes. */
  readonly highest: number
  /** The highest format of anything that it knows to have been written in this cluster. */
  readonly written: number
  /** Whether it reads the changes of digests; it gets whole ones otherwise. */
  readonly readsChanges: boolean
  /** Whether it reads confirmations and roll calls, and sends them. */
  readonly readsConfirmations: boolean
  /** Whether it knows of leases, and of how long they have left. */
  readonly readsLeases: boolean
  /** Whether it loads for others that ask. */
  readonly answersLoads: boolean
  /** Whether it tells of copies that it holds. */
  readonly tellsCopies: boolean
  /** Whether it reads messages of channels. */
  readonly readsMessages: boolean
  /** A relay that carries nothing for now: it starts, or takes over a state. Nobody counts on it. */
  readonly carriesNothing: boolean
  /** For people; empty if it has none. */
  readonly name: string
  /** Empty if it says none. */
  readonly zone: string
  /** Its region; empty: it knows of none. */
  readonly region: string
  /** The regions on whose transports it sits, its own among them, if it is a relay; else none. */
  readonly relayed: readonly string[]
}

/**
 * The sender waits until the receiver holds the operations of `replica` through `through` at
 * `level`.
 */
export interface WantedAcknowledgement {
  readonly replica: ReplicaId
  readonly level: AckLevel
  readonly through: number
}

/**
 * How far the sender holds the operations of `replica`, at each level; 0: not at all, or not at
 * that level.
 */
export type HeldOperations = { readonly replica: ReplicaId } & Readonly<Record<AckLevel, number>>

/** How far the sender has the operations of `replica`, which is the receiver. */
export interface Confirmation {
  readonly replica: ReplicaId
  readonly applied: number
  /** The last operation of the sender itself by then: those before it may not have seen the others. */
  readonly own: number
  /** How many of them the sender announces as stable. */
  readonly stable: number
}

/**
 * How far those have the sender's operations whom its digest with the number `anchor` names as
 * heard, by their own words.
 */
export interface RollCall {
  readonly anchor: number
  /** All of them have acknowledged the operations up to this one. */
  readonly acknowledged: number
  /** The sender announces the operations up to this one. */
  readonly stable: number
  /** All of them have announced the operations up to this one. */
  readonly announced: number
  /**
   * The last operations of those themselves by then, by their places in the digest's list; without
   * those that the digest says to have been applied.
   */
  readonly through: readonly (readonly [index: number, sequence: number])[]
}

/** What a relay has heard of one member, in that member's words. */
export interface MemberRow {
  readonly replica: ReplicaId
  readonly isPersistent: boolean
  /** It is known to be down: nobody need wait for it to have been silent for long. */
  readonly isDown: boolean
  /** The highest format that it reads. */
  readonly format: number
  /** Since the relay, or who told the relay, heard it. */
  readonly silentMs: number
  readonly name: string
  readonly zone: string
  readonly region: string
  /** The last operation of its own when it acknowledged that. */
  readonly through: number
  /** What has risen in what it has acknowledged, and in what it has announced. */
  readonly acknowledged: VersionVector
  readonly stable: VersionVector
  /** Ids that have ended for it, and all of whose operations up to there it has. */
  readonly ended: VectorEntries
}

export interface LeaseWantedFrame {
  /** The asker's, for the answer. */
  readonly number: number
  readonly leases: readonly string[]
}

export interface LeaseLeftFrame {
  readonly number: number
  readonly lefts: readonly LeaseLeft[]
}

export interface LoadRequestFrame extends LoadAsked {
  /** The asker's, for the answer. */
  readonly number: number
}

export interface LoadFillFrame {
  readonly number: number
  readonly answer: LoadAnswer
}

export interface HoldingsWantedFrame {
  /** The asker's, for the answer. */
  readonly number: number
  readonly wanted: HoldingsWanted
}

export interface HoldingsToldFrame {
  readonly number: number
  readonly told: HoldingsTold
}

export interface OperationsFrame {
  readonly kind: 'operations'
  readonly sender: Sender
  /** The request that this answers; 0 when it was sent unasked. */
  readonly number: number
  /** Nothing more comes in answer to that request. */
  readonly end: boolean
  readonly bytes: Uint8Array
  /** Start and end of each envelope in `bytes`, in turn. */
  readonly bounds: readonly number[]
}

export type Frame =
  | ({ readonly kind: 'digest'; readonly sender: Sender; readonly number: number } & Digest)
  | ({ readonly kind: 'digest-change'; readonly sender: Sender } & DigestChange)
  | OperationsFrame
  | {
      readonly kind: 'request'
      readonly sender: Sender
      readonly number: number
      readonly ranges: readonly OperationRange[]
    }
  | ({ readonly kind: 'snapshot-request'; readonly sender: Sender } & SnapshotRequest)
  | ({ readonly kind: 'snapshot-chunk'; readonly sender: Sender } & SnapshotChunk)
  | ({ readonly kind: 'hello'; readonly sender: Sender } & Hello)
  | { readonly kind: 'wanted'; readonly sender: Sender; readonly wanted: readonly WantedAcknowledgement[] }
  | { readonly kind: 'held'; readonly sender: Sender; readonly held: readonly HeldOperations[] }
  | ({ readonly kind: 'confirmation'; readonly sender: Sender } & Confirmation)
  | ({ readonly kind: 'roll-call'; readonly sender: Sender } & RollCall)
  | ({ readonly kind: 'lease-wanted'; readonly sender: Sender } & LeaseWantedFrame)
  | ({ readonly kind: 'lease-left'; readonly sender: Sender } & LeaseLeftFrame)
  | ({ readonly kind: 'load-request'; readonly sender: Sender } & LoadRequestFrame)
  | ({ readonly kind: 'load-fill'; readonly sender: Sender } & LoadFillFrame)
  | { readonly kind: 'rows-stored'; readonly sender: Sender; readonly rows: readonly StoredRow[] }
  | ({ readonly kind: 'holdings-wanted'; readonly sender: Sender } & HoldingsWantedFrame)
  | ({ readonly kind: 'holdings-told'; readonly sender: Sender } & HoldingsToldFrame)
  | { readonly kind: 'message'; readonly sender: Sender; readonly message: SentMessage }
  | { readonly kind: 'message-heads'; readonly sender: Sender; readonly heads: readonly ToldHead[] }
  | { readonly kind: 'members'; readonly sender: Sender; readonly members: readonly MemberRow[] }
  | { readonly kind: 'unknown'; readonly sender: Sender; readonly code: number }

export function malformedFrame(what: string, offset: number): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed frame: ${what}, at byte ${offset}`, { details: { offset } })
}
