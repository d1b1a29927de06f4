/** How much the ordered log in memory does in one turn of the event loop. */

/** Records handed to a reader at once. At some 10 µs each to judge, a batch takes about 5 ms. */
export const BATCH_RECORDS_MAX = 512

/** Bytes handed to a reader at once, unless one record alone has more. */
export const BATCH_BYTES_MAX: number = 1024 * 1024

/** Requests of one link that are carried out in one turn, at about a microsecond each. */
export const REQUESTS_PER_TURN_MAX = 1024

/** Bytes of a snapshot that are copied in one turn. */
export const COPIED_BYTES_MAX: number = 1024 * 1024
