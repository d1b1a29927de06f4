/**
 * Frames as sealed records, and back: the transport messages of a stream's handshake, with a head
 * in front that is their associated data. Longer than the 65,535 bytes that Noise allows, which
 * the cipher does not mind. After TLS 1.3 (RFC 8446, 5), without what one's own protocol
 * does not need: no types, no versions, no padding.
 *
 * ```
 * record = flags:u8 length:u24 ciphertext tag:16        length: of ciphertext and tag
 * flags  = 1: the frame goes on in the next record; 2: the frame is deflated
 * ```
 *
 * AES-256-GCM; the nonce is the record's number in its direction, so that a record left out,
 * repeated or moved does not open; flags and length are authenticated with it. A frame is one
 * record or, when larger than one holds, full records and a last one with what is left: there is
 * one way only to cut a frame up, so that a peer cannot make us keep millions of crumbs. A record
 * without content stands between frames and says that its sender is there.
 *
 * Cost: one pass of the cipher each way, which is also the only copy that the sender makes. The
 * receiver collects a record that arrives in several pieces in one buffer (one copy), and opens one
 * that lies in one piece where it lies. A frame of one record is handed on as it comes out of the
 * cipher. Memory of a reader: bytes that have arrived of one record, and authenticated bytes of one
 * frame.
 */
import { type KeyObject, createCipheriv, createDecipheriv } from 'node:crypto'
import { inflated } from '../../broker/compression.ts'
import type { RefusalKind } from '../contacts/refusals.ts'
import { Nonces } from '../handshake/noise.ts'

/** A batch of the engine (256 KiB) with one more operation on top travels as one record. */
export const RECORD_BYTES_MAX: number = 320 * 1024

export const HEAD_BYTES = 4
export const TAG_BYTES = 16

/** A record without content, as it lies on the wire. */
export const EMPTY_RECORD_BYTES: number = HEAD_BYTES + TAG_BYTES

const CIPHER = 'aes-256-gcm'
const FLAG_MORE = 1
const FLAG_DEFLATED = 2
const BUFFER_BYTES_MIN = 4096
const NOTHING = new Uint8Array(0)

export class RecordWriter {
  readonly #key: KeyObject
  readonly #nonces = new Nonces()

  constructor(key: KeyObject) {
    this.#key = key
  }

  /** Records sealed with this key so far. */
  get count(): number {
    return this.#nonces.count
  }

  /** Appends the records of a frame to `into` and returns their bytes. Does not keep `frame`. */
  seal(frame: Uint8Array, isDeflated: boolean, into: Uint8Array[]): number {
    const flags = isDeflated ? FLAG_DEFLATED : 0
    let at = 0
    let bytes = 0
    for (; frame.length - at > RECORD_BYTES_MAX; at += RECORD_BYTES_MAX) {
      bytes += this.#sealRecord(frame.subarray(at, at + RECORD_BYTES_MAX), flags | FLAG_MORE, into)
    }
    return bytes + this.#sealRecord(at === 0 ? frame : frame.subarray(at), flags, into)
  }

  sealEmpty(into: Uint8Array[]): number {
    return this.#sealRecord(NOTHING, 0, into)
  }

  #sealRecord(content: Uint8Array, flags: number, into: Uint8Array[]): number {
    const length = content.length + TAG_BYTES
    const head = Uint8Array.of(flags, length >>> 16, length >>> 8, length)
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonces.next())
    cipher.setAAD(head)
    const sealed = cipher.update(content)
    cipher.final()
    into.push(head, sealed, cipher.getAuthTag())
    return HEAD_BYTES + length
  }
}

export interface RecordReaderOptions {
  readonly key: KeyObject
  readonly frameBytesMax: number
  /** The receiver may keep `frame`. */
  readonly onFrame: (frame: Uint8Array) => void
}

export class RecordReader {
  readonly #options: RecordReaderOptions
  readonly #nonces = new Nonces()
  /**
   * A record that has arrived in part: its bytes so far, and how many it will have; 0 while the
   * head is not complete.
   */
  #buffer: Uint8Array = NOTHING
  #filled = 0
  #size = 0
  /** A frame that has arrived in part. */
  #parts: Uint8Array[] = []
  #partsBytes = 0
  #partsFlags = 0
  #isStopped = false

  constructor(options: RecordReaderOptions) {
    this.#options = options
  }

  /** Whether more has to come before what has arrived is of use. */
  get isHalf(): boolean {
    return this.#filled > 0 || this.#parts.length > 0
  }

  /** Bytes of memory that it holds. */
  get heldBytes(): number {
    return this.#buffer.length + this.#partsBytes
  }

  /**
   * Hands on the frames that are complete with `chunk`, which it does not keep. After a refusal
   * nothing more can be read.
   */
  read(chunk: Uint8Array): RefusalKind | undefined {
    let at = 0
    while (at < chunk.length && !this.#isStopped) {
      const size = this.#filled === 0 ? sizeAt(chunk, at) : 0
      let refusal: RefusalKind | undefined
      if (size > 0 && chunk.length - at >= size) {
        refusal = this.#open(chunk.subarray(at, at + size))
        at += size
      } else {
        at = this.#collect(chunk, at)
        refusal = this.#openCollected()
      }
      if (refusal !== undefined) {
        this.stop()
        return refusal
      }
    }
    return undefined
  }

  /** Lets go of everything; also from within `onFrame`. */
  stop(): void {
    this.#isStopped = true
    this.#buffer = NOTHING
    this.#filled = 0
    this.#parts = []
    this.#partsBytes = 0
  }

  /** Copies from `chunk` what belongs to the record under way, and returns where it stopped. */
  #collect(chunk: Uint8Array, from: number): number {
    let at = from
    if (this.#filled < HEAD_BYTES) {
      at = this.#copy(chunk, at, HEAD_BYTES)
      if (this.#filled < HEAD_BYTES) return at
      this.#size = sizeAt(this.#buffer, 0)
    }
    return this.#size === 0 ? at : this.#copy(chunk, at, this.#size)
  }

  /**
   * Copies until `until` bytes are there. The buffer grows with what arrives, not with what a head
   * promises.
   */
  #copy(chunk: Uint8Array, from: number, until: number): number {
    const end = Math.min(chunk.length, from + until - this.#filled)
    const filled = this.#filled + end - from
    if (filled > this.#buffer.length) {
      const larger = new Uint8Array(
        Math.max(filled, Math.min(2 * this.#buffer.length, RECORD_BYTES_MAX), BUFFER_BYTES_MIN),
      )
      larger.set(this.#buffer.subarray(0, this.#filled))
      this.#buffer = larger
    }
    this.#buffer.set(chunk.subarray(from, end), this.#filled)
    this.#filled = filled
    return end
  }

  #openCollected(): RefusalKind | undefined {
    if (this.#filled < HEAD_BYTES) return undefined
    if (this.#size === 0) return 'malformed'
    if (this.#filled < this.#size) return undefined
    this.#filled = 0
    return this.#open(this.#buffer.subarray(0, this.#size))
  }

  #open(record: Uint8Array): RefusalKind | undefined {
    // Its sender ends a stream long before.
    if (this.#nonces.isSpent) return 'malformed'
    const tagAt = record.length - TAG_BYTES
    const decipher = createDecipheriv(CIPHER, this.#options.key, this.#nonces.next())
    decipher.setAAD(record.subarray(0, HEAD_BYTES))
    decipher.setAuthTag(record.subarray(tagAt))
    const content = decipher.update(record.subarray(HEAD_BYTES, tagAt))
    try {
      decipher.final()
    } catch {
      return 'forged'
    }
    return this.#join(record[0]!, content)
  }

  /**
   * Everything from here on was written by somebody who holds the key, and may still be nonsense.
   */
  #join(flags: number, content: Uint8Array): RefusalKind | undefined {
    const isFirst = this.#parts.length === 0
    if (content.length === 0) return isFirst && flags === 0 ? undefined : 'malformed'
    const isMore = (flags & FLAG_MORE) !== 0
    if (isMore && content.length !== RECORD_BYTES_MAX) return 'malformed'
    if (!isFirst && (flags | FLAG_MORE) !== this.#partsFlags) return 'malformed'
    if (this.#partsBytes + content.length > this.#options.frameBytesMax) return 'malformed'
    if (isFirst && !isMore) return this.#deliver(content, flags)
    this.#parts.push(content)
    this.#partsBytes += content.length
    this.#partsFlags = flags | FLAG_MORE
    return isMore ? undefined : this.#deliver(this.#joined(), flags)
  }

  #joined(): Uint8Array {
    const frame = new Uint8Array(this.#partsBytes)
    let at = 0
    for (const part of this.#parts) {
      frame.set(part, at)
      at += part.length
    }
    this.#parts = []
    this.#partsBytes = 0
    return frame
  }

  #deliver(bytes: Uint8Array, flags: number): RefusalKind | undefined {
    const { frameBytesMax, onFrame } = this.#options
    const frame = (flags & FLAG_DEFLATED) === 0 ? bytes : inflated(bytes, frameBytesMax)
    if (frame === undefined || frame.length === 0) return 'malformed'
    // A plain array, as everywhere: what Node's modules return is a Buffer, whose `slice` shares
    // memory.
    onFrame(new Uint8Array(frame.buffer, frame.byteOffset, frame.length))
    return undefined
  }
}

/**
 * The size of the record at `at`, its head included; 0 if it cannot be one, or its head is not all
 * there.
 */
function sizeAt(bytes: Uint8Array, at: number): number {
  if (bytes.length - at < HEAD_BYTES) return 0
  const length = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
  const isSound =
    bytes[at]! <= (FLAG_MORE | FLAG_DEFLATED) && length >= TAG_BYTES && length <= RECORD_BYTES_MAX + TAG_BYTES
  return isSound ? HEAD_BYTES + length : 0
}
