/**
 * Requests out of chunks of bytes, cut anywhere: arrays of bulk strings, or lines as somebody types them.
 *
 * What has been understood of a request is kept, so a large value in many chunks is looked at once: the
 * line that is being read, the arguments that are there, the length of the one that is awaited. A chunk is
 * read where it lies; what is left of it at the end of the turn is copied, because whoever gave it may use
 * its memory again (`release`). Announced lengths take no memory before the bytes are there.
 *
 * Everything that is not a request ends the connection, in the words of Redis (`ProtocolError`).
 */
import { inlineArguments } from './inline-arguments.ts'
import { parseWhole } from './numbers.ts'
import { ProtocolError } from './protocol-error.ts'

export interface RequestLimits {
  /** Bytes of one argument. */
  readonly argumentBytesMax: number
  /** Bytes of one request. */
  readonly requestBytesMax: number
}

/** For whoever has not said who it is. */
interface Bounds extends RequestLimits {
  readonly argumentsMax: number
}

const LINE_BYTES_MAX = 65_536
const COUNT_MAX = 2_147_483_647
/** What Redis grants before AUTH. */
const UNKNOWN_ARGUMENTS_MAX = 10
const UNKNOWN_ARGUMENT_BYTES_MAX = 16_384
/** An argument without bytes takes memory too. */
const ARGUMENT_COST = 16

const [LF, CR, DOLLAR, STAR] = [10, 13, 36, 42]
const NOTHING = Buffer.alloc(0)
const NO_LENGTH = -1

export class RequestParser {
  readonly #limits: RequestLimits
  readonly #unknown: Bounds
  /** Whether whoever sends has said who it is. */
  isKnown = true
  #buffer: Buffer = NOTHING
  #start = 0
  #end = 0
  /** Whether the buffer's memory is the parser's. */
  #isOwn = true
  /** Up to here the line that is being read has no end. */
  #scanned = 0
  #arguments: string[] = []
  /** Arguments of the request that are still to come; 0 between requests. */
  #awaited = 0
  /** Of the argument that is awaited. */
  #length = NO_LENGTH
  #requestBytes = 0

  constructor(limits: RequestLimits) {
    this.#limits = limits
    this.#unknown = {
      argumentBytesMax: Math.min(limits.argumentBytesMax, UNKNOWN_ARGUMENT_BYTES_MAX),
      requestBytesMax: limits.requestBytesMax,
      argumentsMax: UNKNOWN_ARGUMENTS_MAX,
    }
  }

  /** Whether a request has begun that is not whole. */
  get isWithin(): boolean {
    return this.#awaited > 0 || this.#start < this.#end
  }

  /** Bytes that are held. */
  get heldBytes(): number {
    return this.#requestBytes + (this.#isOwn ? this.#buffer.length : 0)
  }

  push(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk
      this.#start = 0
      this.#end = chunk.length
      this.#scanned = 0
      this.#isOwn = false
      return
    }
    this.#reserve(chunk.length)
    chunk.copy(this.#buffer, this.#end)
    this.#end += chunk.length
  }

  /** The memory of the last chunk may be used again. */
  release(): void {
    if (this.#isOwn) return
    if (this.#start === this.#end) this.#forget()
    else this.#reserve(0)
  }

  /** The next request: its name and arguments, binary strings. `undefined` until more has come. Throws `ProtocolError`. */
  next(): string[] | undefined {
    for (;;) {
      if (this.#awaited > 0) return this.#finish()
      if (this.#start === this.#end) return undefined
      if (this.#buffer[this.#start] !== STAR) {
        const request = this.#inline()
        if (request === undefined || request.length > 0) return request
      } else if (!this.#begin()) return undefined
    }
  }

  /** Returns `false` until the line is there. */
  #begin(): boolean {
    const line = this.#line('too big mbulk count string')
    if (line === undefined) return false
    const count = parseWhole(line)
    if (typeof count !== 'number' || count > COUNT_MAX) throw new ProtocolError('invalid multibulk length')
    if (!this.isKnown && count > this.#unknown.argumentsMax) throw new ProtocolError('unauthenticated multibulk length')
    this.#awaited = Math.max(0, count)
    return true
  }

  #finish(): string[] | undefined {
    while (this.#awaited > 0) {
      if (this.#length === NO_LENGTH && !this.#readLength()) return undefined
      const end = this.#start + this.#length
      if (end + 2 > this.#end) return undefined
      if (this.#buffer[end] !== CR || this.#buffer[end + 1] !== LF) throw new ProtocolError('invalid CRLF in request')
      this.#arguments.push(this.#buffer.toString('latin1', this.#start, end))
      this.#start = end + 2
      this.#scanned = this.#start
      this.#length = NO_LENGTH
      this.#awaited--
    }
    const request = this.#arguments
    this.#arguments = []
    this.#requestBytes = 0
    return request
  }

  #readLength(): boolean {
    if (this.#start === this.#end) return false
    const first = this.#buffer[this.#start]!
    if (first !== DOLLAR) throw new ProtocolError(`expected '$', got '${String.fromCharCode(first)}'`)
    const line = this.#line('too big bulk count string')
    if (line === undefined) return false
    const length = parseWhole(line)
    if (typeof length !== 'number' || length < 0) throw new ProtocolError('invalid bulk length')
    if (!this.isKnown && length > this.#unknown.argumentBytesMax) throw new ProtocolError('unauthenticated bulk length')
    if (length > this.#limits.argumentBytesMax) throw new ProtocolError('invalid bulk length')
    this.#requestBytes += length + ARGUMENT_COST
    if (this.#requestBytes > this.#limits.requestBytesMax) throw new ProtocolError('too big request')
    this.#length = length
    return true
  }

  /** What stands between the first character of a line and its end. */
  #line(tooLong: string): string | undefined {
    const buffer = this.#buffer
    let at = this.#scanned
    while (at < this.#end && buffer[at] !== CR) at++
    this.#scanned = at
    if (at + 1 >= this.#end) {
      if (at - this.#start > LINE_BYTES_MAX) throw new ProtocolError(tooLong)
      return undefined
    }
    const line = buffer.toString('latin1', this.#start + 1, at)
    this.#start = at + 2
    this.#scanned = this.#start
    return line
  }

  /** Empty for a line without words. */
  #inline(): string[] | undefined {
    const buffer = this.#buffer
    let at = this.#scanned
    while (at < this.#end && buffer[at] !== LF) at++
    this.#scanned = at
    if (at === this.#end || at - this.#start > LINE_BYTES_MAX) {
      if (at - this.#start > LINE_BYTES_MAX) throw new ProtocolError('too big inline request')
      return undefined
    }
    const end = at > this.#start && buffer[at - 1] === CR ? at - 1 : at
    const line = buffer.toString('latin1', this.#start, end)
    this.#start = at + 1
    this.#scanned = this.#start
    const words = inlineArguments(line)
    if (isOfBrowser(words[0])) throw new ProtocolError('a browser', true)
    return words
  }

  /** Makes room behind what is there, in memory of the parser's own. */
  #reserve(bytes: number): void {
    const held = this.#end - this.#start
    if (this.#isOwn && this.#end + bytes <= this.#buffer.length) return
    const scanned = this.#scanned - this.#start
    const isRoomy = this.#isOwn && held + bytes <= this.#buffer.length && this.#start >= held
    const target = isRoomy ? this.#buffer : Buffer.allocUnsafeSlow(Math.max(1024, (held + bytes) * 2))
    this.#buffer.copy(target, 0, this.#start, this.#end)
    this.#buffer = target
    this.#isOwn = true
    this.#start = 0
    this.#end = held
    this.#scanned = scanned
  }

  #forget(): void {
    this.#buffer = NOTHING
    this.#start = 0
    this.#end = 0
    this.#scanned = 0
    this.#isOwn = true
  }
}

/** Browsers can be made to send requests anywhere; their first lines would be commands that do not exist. */
function isOfBrowser(name: string | undefined): boolean {
  const upper = name?.toUpperCase()
  return upper === 'POST' || upper === 'HOST:'
}
