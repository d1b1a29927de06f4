/**
 * Frames made smaller: raw deflate (RFC 1951), whole frames at a time, level 1. Worth its time only
 * on links slower than about 50 MB/s, hence off by default; what a peer has deflated is always
 * understood. Synchronous, like all of the mesh, at about 10 ms a megabyte.
 *
 * A small input may claim to be a large one, so inflating has two caps: the bytes of a frame, and a
 * ratio. What is deflated here keeps to the ratio: a frame that would shrink beyond it travels as
 * it is.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** What heads of messages over brokers say of it, in a byte that older builds leave 0 and do not look at. */
export const IS_DEFLATED = 1
export const TAKES_DEFLATED = 2

export interface DeflateMarks {
  readonly isDeflated: boolean
  /** The sender understands what is deflated. */
  readonly takesDeflated: boolean
}

export function readMarks(marks: number): DeflateMarks {
  return { isDeflated: (marks & IS_DEFLATED) !== 0, takesDeflated: (marks & TAKES_DEFLATED) !== 0 }
}

/** Below, the saving is less than the work. */
export const DEFLATE_BYTES_MIN = 4096

/** Deflate itself reaches 1,032; what people write does not come near a hundred. */
export const INFLATE_RATIO_MAX = 100

const LEVEL = 1
const CHUNK_BYTES = 64 * 1024

/**
 * The frame deflated, or `undefined` where that saves less than an eighth, or so much that the
 * receiver would refuse it.
 */
export function deflated(frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < DEFLATE_BYTES_MIN) return undefined
  const bytes = deflateRawSync(frame, { level: LEVEL, chunkSize: CHUNK_BYTES })
  if (bytes.length > frame.length - frame.length / 8) return undefined
  return bytes.length * INFLATE_RATIO_MAX < frame.length ? undefined : bytes
}

/**
 * The frame again, or `undefined` if `bytes` are not deflated, or more than `bytesMax` or the ratio
 * allows.
 */
export function inflated(bytes: Uint8Array, bytesMax: number): Uint8Array | undefined {
  if (bytes.length === 0) return undefined
  const maxOutputLength = Math.min(bytesMax, bytes.length * INFLATE_RATIO_MAX)
  try {
    return inflateRawSync(bytes, { maxOutputLength, chunkSize: Math.min(CHUNK_BYTES, maxOutputLength + 1) })
  } catch {
    // Not deflated, or too large: the caller counts it and ends the stream. What zlib says of it
    // would name bytes of the payload.
    return undefined
  }
}
