/**
 * The bounds of the mesh's streams, with the reason for each. What a user may choose comes in
 * through the mesh's own options.
 */

export interface StreamSettings {
  /** Bytes that may wait for one peer, those handed to its socket included. */
  readonly queueBytesMax: number
  /** The largest frame either way. */
  readonly frameBytesMax: number
  /** Deflate what is sent, where that helps. What a peer has deflated is always understood. */
  readonly compress: boolean
  /** Records under one key: then the stream is ended and another one takes over. */
  readonly recordsMax: number
}

const MIB = 1024 * 1024

/**
 * A queue holds two of the largest frames. 2^32 records of 320 KiB are 2^46 blocks of AES, where an
 * attacker's advantage against GCM with a counter as nonce is still below 2^-32.
 */
export const STREAM_SETTINGS: StreamSettings = {
  queueBytesMax: 8 * MIB,
  frameBytesMax: 4 * MIB,
  compress: false,
  recordsMax: 2 ** 32,
}

/** From the first byte to the proof that both ends hold the secret. */
export const STREAM_HANDSHAKE_MS = 5_000

/**
 * Without a byte of a record or frame that has begun; without the system taking anything of what
 * waits; and for the other end to let go of a stream that has been ended.
 */
export const STREAM_STALL_MS = 30_000

/** Without a byte either way. */
export const STREAM_IDLE_MS = 60_000

/**
 * From the first frame on: then the stream is ended and another one takes over, so that its keys do
 * not open more than this, should somebody take them from a process.
 */
export const STREAM_LIFE_MS = 3_600_000

/** How often a stream looks at the clock for the three above. */
export const STREAM_CHECK_MS = 10_000

/** For what waits when the mesh is closed. */
export const STREAM_END_MS = 1_000

/**
 * Streams that have been accepted and have proved nothing yet: together, and from one host, which
 * may be that of a whole cluster.
 */
export const STREAMS_UNPROVED_MAX = 64
export const STREAMS_UNPROVED_PER_HOST_MAX = 32

/**
 * Streams with one peer beside our own. It has one, or two while one replaces the other; what is
 * more is dead and does not know it.
 */
export const STREAMS_OTHER_PER_PEER_MAX = 3

/**
 * Bytes that are sealed ahead of what the system takes: enough to keep a socket busy while the next
 * ones are sealed. What is sealed is lost with its stream; what is not goes by the next one.
 */
export const STREAM_AHEAD_BYTES: number = MIB

/** Sealed bytes go to the socket at the end of the turn, or when they are this many. */
export const STREAM_BATCH_BYTES: number = 128 * 1024

/**
 * Until a stream that is not read, because too much waits already, is looked at again: a fraction
 * of what the wait is worth.
 */
export const STREAM_BUSY_MS = 4

/** Between tries to open a stream: doubling, with jitter. */
export const STREAM_RETRY_MS_MIN = 100
export const STREAM_RETRY_MS_MAX = 5_000

/**
 * After so many failures in a row what waits is dropped: anti-entropy brings it when the peer is
 * back.
 */
export const STREAM_FAILURES_MAX = 5
