/**
 * Every bound in the engine, each with the reason for its size. What exceeds one is refused with a
 * typed error at the border (`WARP_E_LIMIT` from callers, `WARP_E_PROTOCOL` from peers and disks)
 * before anything has been stored or sent.
 *
 * Bounds hold for what comes from the network too, so all replicas of a cluster must agree on them.
 */

/**
 * Bytes of a key in UTF-8. Keys stay in memory for as long as they live, and every operation
 * carries its own.
 */
export const KEY_BYTES_MAX: number = 1024

/**
 * Bytes of one encoded payload. Four fit a frame, and copying one costs well under a millisecond.
 */
export const VALUE_BYTES_MAX: number = 1024 * 1024

/**
 * Bytes of one encoded payload of a document (`yjs`, `automerge`): what one `change` writes, or what
 * a client brings with its first update, cannot be split over several keys. As much as fits a frame
 * with key, vectors and fields.
 */
export const DOCUMENT_BYTES_MAX: number = 3 * 1024 * 1024

/**
 * Bytes of one frame between replicas. The largest operation is the largest document payload,
 * key, fields and two full version vectors (3 MiB + 1 KiB + 3 × 64 KiB). That leaves room to batch
 * smaller ones, and bounds what a peer can make us hold.
 */
export const FRAME_BYTES_MAX: number = 4 * 1024 * 1024

/**
 * Bytes of the encoded state of one key. Compaction writes a large one in several records, and holds
 * it in memory as a whole while it is read back. The operations of a key whose state takes more stay
 * in the log, and `compaction:refused` names it.
 */
export const STATE_BYTES_MAX: number = 256 * 1024 * 1024

/**
 * Levels of arrays and objects inside one payload, far above what people write and far below the
 * call stack's depth; and entries of one of them, as many as the largest payload holds at 16 bytes
 * each. Kept by the encoding, hence stated there.
 */
export { ENCODED_DEPTH_MAX, ENCODED_ENTRIES_MAX } from '../crdt/encoding/encoding-limits.ts'

/**
 * Operations in one batch: at 0.4 µs each to admit, one batch holds the event loop for about 4 ms.
 */
export const BATCH_OPERATIONS_MAX: number = 10_000

/**
 * Keys that one `setMany` sets: they are encoded and become visible in one piece, in well under 10
 * ms.
 */
export const SET_MANY_MAX: number = 1000

/**
 * Bytes of the records that one `setMany` writes: they are encoded in one piece, at about a
 * millisecond per MiB.
 */
export const SET_MANY_BYTES_MAX: number = 4 * 1024 * 1024

/**
 * Writes that wait until their keys have been folded, in steps: with parameters of some hundred
 * bytes a few dozen MB.
 */
export const WAITING_WRITES_MAX: number = 100_000

/**
 * Segments that were freed and wait to be used again: 16 MiB at most, for a log takes one after the
 * other.
 */
export const SEGMENTS_FREE_MAX: number = 2

/**
 * Entries of one version vector: at most 16 bytes each (id 8, sequence 8), so 64 KiB, and that many
 * replicas.
 */
export const VECTOR_ENTRIES_MAX: number = 4096

/**
 * Members at one time from which on it is told that there are many: a quarter of what a version
 * vector takes, so that there is time to do something about it.
 */
export const MEMBERS_MANY: number = 1024

/**
 * Ids that have ended and are remembered: 30 bytes each, 2 MB. At 20,000 deploys a month those of
 * three months; beyond, ids that end stay in version vectors.
 */
export const ENDED_IDS_MAX: number = 65_536

/**
 * First names of operations that were issued again, and are remembered: intervals, some 25 bytes
 * each, 400 kB in each meta record. Of more the oldest are forgotten.
 */
export const FIRST_NAMES_MAX: number = 16_384

/** Peers that are remembered, and names of replicas: as many as a version vector has entries. */
export const PEERS_MAX: number = 4096

/** Regions in which one replica sits: its hello names them, and it takes part in all. */
export const REGIONS_PER_RELAY_MAX: number = 16

/** Bytes in UTF-8 of a name, a zone or a region: people read them, and every hello carries them. */
export const HELLO_TEXT_BYTES_MAX: number = 256

/** Key patterns of one engine. A key's first use asks each of them at most once. */
export const PATTERNS_MAX: number = 10_000

/**
 * UTF-16 units of a key pattern as written, escapes included. Bounds a match to nine words per
 * character.
 */
export const PATTERN_LENGTH_MAX: number = 256

/** Bytes of the fields of one operation: as much as one more version vector. */
export const FIELDS_BYTES_MAX: number = 64 * 1024

/**
 * Invalidations of each kind, by key, pattern and tag, that are remembered to judge copies by. Beyond
 * it the older half is forgotten, and copies that began before are loaded again. A copy that is read
 * after so many of patterns looks through all of them, once: some 0.1 ms.
 */
export const REMEMBERED_INVALIDATIONS_MAX: number = 1024

/**
 * Loads that are under way at once. More would wait in memory for a source that is slower than those
 * who ask; each holds some hundred bytes, a timer and what its loader holds.
 */
export const LOADS_MAX: number = 10_000

/** Requests of one warm-up that may be under way at a time. */
export const WARM_REQUESTS_MAX: number = 64

/** Keys that a validator may be told to look at in a second. */
export const VALIDATED_PER_SECOND_MAX: number = 1_000_000

/** The longest time that may be given for what a store is waited for, ms: an hour. */
export const STORE_MS_MAX: number = 3_600_000

/** Rows that one statement writes at most. */
export const STORE_BATCH_MAX: number = 1000

/**
 * Bytes of a value, and of the names of its groups, that one replica has loaded for others. With a
 * vector of the most replicas it fits a frame that every transport takes; larger ones each loads for
 * itself.
 */
export const FILL_BYTES_MAX: number = 192 * 1024

/** Copies in memory, unless `openWarp({ copies })` says otherwise. */
export const COPIES_MAX: number = 100_000

/** Leases that are known at once, and have not ended: some 300 bytes each, 30 MB. No more are granted. */
export const LEASES_MAX: number = 100_000

/** Keys and patterns on one lease. Each is an operation, and is looked through when the lease ends. */
export const LEASE_TARGETS_MAX: number = 1000

/**
 * How long a value may be said to live: a hundred years, in ms. Longer is a mistake in a unit; what
 * is to stay is given no life.
 */
export const LIFE_MS_MAX: number = 3_155_760_000_000

/** Keys that one transaction reads or writes: it is judged and becomes visible in one piece. */
export const TRANSACTION_KEYS_MAX: number = 256

/**
 * Bytes of the records of one transaction on local or eventual keys: as many as one `setMany` writes.
 * A receiver holds all of them before the first becomes visible.
 */
export const TRANSACTION_BYTES_MAX: number = SET_MANY_BYTES_MAX

/**
 * Bytes of a transaction that a receiver holds though there is less room for what waits: what is
 * issued again says more of what its writer had seen, and is longer.
 */
export const TRANSACTION_WAITING_BYTES_MAX: number = 4 * TRANSACTION_BYTES_MAX

/** Commands in one record of the ordered log: they are judged in some milliseconds. */
export const RECORD_COMMANDS_MAX: number = 256

/** Strong writes of one replica that wait for their verdict. More wait before they are sent. */
export const STRONG_WRITES_MAX: number = 4096

/**
 * Requests that hold or wait for locks of one partition of the ordered log: some 100 bytes each. Each
 * command about a lock writes the entries of a 64th part of them.
 */
export const LOCK_REQUESTS_MAX: number = 16_384

/** Requests that wait for one lock: each of them writes all, some 100 bytes each. */
export const LOCK_WAITERS_MAX: number = 1024

/** Who may hold a semaphore at once. */
export const LOCK_PERMITS_MAX: number = 1024

/** The shortest time that a lock is held for, ms: a request and its answer take as long on a slow network. */
export const LOCK_TTL_MS_MIN: number = 100

/** The longest time of a lock, ms: a day. What is held for longer is renewed. */
export const LOCK_MS_MAX: number = 86_400_000

/**
 * Keys of one partition of which the token is remembered that wrote them last: some 100 bytes each.
 * Of further ones the greatest that was forgotten counts.
 */
export const FENCED_KEYS_MAX: number = 65_536

/** UTF-16 units of the name or pattern of a channel: with a prefix it is a key pattern. */
export const CHANNEL_LENGTH_MAX: number = PATTERN_LENGTH_MAX - 16

/** Bytes of it in UTF-8. */
export const CHANNEL_BYTES_MAX: number = CHANNEL_LENGTH_MAX * 3

/** Bytes of one encoded message: those of a value, less what wraps a kept one. */
export const MESSAGE_BYTES_MAX: number = VALUE_BYTES_MAX - 16

/** Messages that a channel may be told to keep. */
export const KEPT_MESSAGES_MAX: number = 10_000

/**
 * Bytes of what one channel keeps; of more the oldest go. It is the state of one key, which is written
 * in one piece in some 10 ms.
 */
export const KEPT_BYTES_MAX: number = 8 * 1024 * 1024

/**
 * Channels whose messages a publisher numbers, and numbers of publishers that a replica follows: some
 * 150 bytes each. Those that nobody has used for longest are forgotten, and begin anew.
 */
export const MESSAGE_STREAMS_MAX: number = 65_536

/** Messages of one publisher and channel that wait for one before them that has not arrived. */
export const HELD_MESSAGES_MAX: number = 256

/** Bytes of all messages that wait so. */
export const HELD_BYTES_MAX: number = 16 * 1024 * 1024

/**
 * So long is waited for a message that others have overtaken, ms: a slower transport may bring it. Then
 * it is told as missed.
 */
export const OVERTAKEN_MS_MAX: number = 200

/** Channels in one frame that says how far their publisher has come. */
export const HEADS_PER_FRAME_MAX: number = 1024

/** Bytes of messages that wait for one slow subscriber, unless it says otherwise. */
export const PENDING_BYTES_MAX: number = 16 * 1024 * 1024

/** Writes of a guest that are sent and not answered yet. */
export const GUEST_WINDOW: number = 256

/** Writes of a guest that are not answered yet, sent or not. */
export const GUEST_PENDING_MAX: number = 10_000

/** Guests whose last writes a gateway remembers. */
export const GUESTS_KNOWN_MAX: number = 1_000_000

/** Patterns that one guest asks for. */
export const GUEST_PATTERNS_MAX: number = 64
