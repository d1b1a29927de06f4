/**
 * One stream, from its first byte to its last. It goes through stages, and never back:
 *
 * ```
 * greeting   waits for the other end's part of the handshake, a fixed number of bytes, at most 5 s
 * proving    only the answerer: waits for the opener's first record, which is empty. Somebody who plays an old preamble again
 *            gets this far and no further
 * ready      frames go both ways
 * ending     nothing more is sent; what still arrives is read
 * closed
 * ```
 *
 * Whatever is not as it should be closes the stream without an answer. Closing tells the owner
 * once, from within the call that found the reason. A stream that is stuck is closed as well: half
 * a frame, or bytes that the system does not take, for 30 s.
 */
import type { Timer } from '../../../src/index.ts'
import type { Contact, MeshClock } from '../contacts/contact.ts'
import type { ByteStream, StreamHandlers } from '../sockets/network.ts'
import type { RefusalKind } from '../contacts/refusals.ts'
import { deflated } from '../../broker/compression.ts'
import type { Agreement, Handshake } from './stream-handshake.ts'
import { EMPTY_RECORD_BYTES, RecordReader, RecordWriter } from './stream-records.ts'
import {
  STREAM_AHEAD_BYTES,
  STREAM_BATCH_BYTES,
  STREAM_BUSY_MS,
  STREAM_CHECK_MS,
  STREAM_HANDSHAKE_MS,
  STREAM_IDLE_MS,
  STREAM_LIFE_MS,
  STREAM_STALL_MS,
  type StreamSettings,
} from './stream-settings.ts'

/** Who is told what becomes of a stream. None of these is called any more after `onClosed`. */
export interface ConnectionOwner {
  /** The other end has proved itself. */
  onReady(connection: StreamConnection, contact: Contact): void
  onFrame(connection: StreamConnection, frame: Uint8Array): void
  /** No more frames are wanted for now. */
  isBusy(): boolean
  /** There is room for more. */
  onDrain(connection: StreamConnection): void
  onRefused(kind: RefusalKind): void
  onClosed(connection: StreamConnection, error?: Error): void
}

export interface ConnectionOptions {
  readonly clock: MeshClock
  readonly settings: StreamSettings
  readonly handshake: Handshake
  readonly owner: ConnectionOwner
}

type Stage = 'greeting' | 'proving' | 'ready' | 'ending' | 'closed'

export class StreamConnection {
  readonly handlers: StreamHandlers
  readonly #options: ConnectionOptions
  #stage: Stage = 'greeting'
  #stream: ByteStream | undefined
  #timer: Timer
  #contact: Contact | undefined
  /** The part of the other end's beginning that has arrived: at most 56 bytes. */
  #opening: Uint8Array
  #openingBytes = 0
  #reader: RecordReader | undefined
  #writer: RecordWriter | undefined
  #batch: Uint8Array[] = []
  #batchBytes = 0
  #isFlushing = false
  #readMs: number
  #sentMs: number
  /**
   * Bytes given to the stream so far; those of them that the system had taken when we last looked,
   * and since when.
   */
  #writtenBytes = 0
  #takenBytes = 0
  #takenMs = 0
  #readyMs = Infinity
  /** While what arrives is left with the system. */
  #pausing: Timer | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#opening = new Uint8Array(options.handshake.awaitedBytes)
    this.#readMs = this.#sentMs = options.clock.monotonic()
    this.#timer = options.clock.schedule(STREAM_HANDSHAKE_MS, () => this.#late())
    this.handlers = {
      onOpen: () => this.#greet(),
      onBytes: (bytes) => this.#read(bytes),
      onDrain: () => this.#drained(),
      onEnd: () => this.#ended(),
      onClose: (error) => this.#closed(error),
    }
  }

  /** Whose it is, once the other end has said so and proved that it has the secret. */
  get contact(): Contact | undefined {
    return this.#contact
  }

  get isReady(): boolean {
    return this.#stage === 'ready'
  }

  /** It has been ended, and the other end has not let go yet. */
  get isEnding(): boolean {
    return this.#stage === 'ending'
  }

  /** Bytes that wait in this process. */
  get waitingBytes(): number {
    return this.#batchBytes + (this.#stream?.queuedBytes ?? 0)
  }

  get hasRoom(): boolean {
    return this.isReady && this.waitingBytes < STREAM_AHEAD_BYTES
  }

  /** For how long frames could be exchanged; 0 if never. */
  get readyForMs(): number {
    return Math.max(0, this.#options.clock.monotonic() - this.#readyMs)
  }

  /** The stream whose handlers these are. */
  attach(stream: ByteStream): void {
    if (this.#stage === 'closed') stream.destroy()
    else this.#stream = stream
  }

  /** Seals a frame, which it does not keep; only while it is ready. */
  send(frame: Uint8Array): void {
    const { settings, clock } = this.#options
    const writer = this.#writer
    if (writer === undefined || !this.isReady) return
    const smaller = settings.compress ? deflated(frame) : undefined
    this.#batchBytes += writer.seal(smaller ?? frame, smaller !== undefined, this.#batch)
    this.#sentMs = clock.monotonic()
    this.#flushSoon()
    if (writer.count >= settings.recordsMax) this.end()
  }

  /** Sends what waits, then ends; what arrives until then is read. */
  end(): void {
    if (this.#stage !== 'ready') return
    this.#flush()
    this.#stage = 'ending'
    this.#wait(STREAM_STALL_MS, () => this.destroy())
    this.#stream?.end()
  }

  destroy(error?: Error): void {
    if (this.#stage === 'closed') return
    const stream = this.#stream
    this.#closed(error)
    stream?.destroy()
  }

  #greet(): void {
    const { opening } = this.#options.handshake
    if (this.#stage === 'greeting' && opening !== undefined) this.#stream?.write([opening])
  }

  #read(bytes: Uint8Array): void {
    this.#readMs = this.#options.clock.monotonic()
    let at = 0
    while (at < bytes.length && (this.#stage === 'greeting' || this.#stage === 'proving')) at = this.#collect(bytes, at)
    if (at === bytes.length || (this.#stage !== 'ready' && this.#stage !== 'ending')) return
    const refusal = this.#reader?.read(at === 0 ? bytes : bytes.subarray(at))
    if (refusal !== undefined) this.#refuse(refusal)
    else if (this.#pausing === undefined && this.#options.owner.isBusy()) this.#pause()
  }

  /** The system's buffer fills, then the sender's, and the sender waits. Looks again soon. */
  #pause(): void {
    this.#stream?.pause()
    this.#pausing = this.#options.clock.schedule(STREAM_BUSY_MS, () => {
      // That nothing was read is our doing.
      this.#readMs = this.#options.clock.monotonic()
      this.#pausing = undefined
      if (this.#options.owner.isBusy()) this.#pause()
      else this.#stream?.resume()
    })
  }

  /** Takes bytes of the beginning; a part that is complete leads to the next stage. */
  #collect(bytes: Uint8Array, from: number): number {
    const end = Math.min(bytes.length, from + this.#opening.length - this.#openingBytes)
    this.#opening.set(bytes.subarray(from, end), this.#openingBytes)
    this.#openingBytes += end - from
    if (this.#openingBytes < this.#opening.length) return end
    const opening = this.#opening
    this.#openingBytes = 0
    if (this.#stage === 'proving') {
      this.#prove(opening)
      return end
    }
    const outcome = this.#options.handshake.take(opening)
    // The opener cannot know our nonce yet, so what comes right behind its preamble is nothing that
    // it would send.
    if (outcome.kind === 'agreed' && outcome.reply !== undefined && end < bytes.length) this.#refuse('malformed')
    else if (outcome.kind === 'agreed') this.#agree(outcome)
    else this.#refuse(outcome.why)
    return end
  }

  #agree({ contact, reply, sending, receiving }: Agreement): void {
    const { settings, owner } = this.#options
    this.#contact = contact
    this.#writer = new RecordWriter(sending)
    this.#reader = new RecordReader({
      key: receiving,
      frameBytesMax: settings.frameBytesMax,
      onFrame: (frame) => owner.onFrame(this, frame),
    })
    if (reply !== undefined) {
      this.#stage = 'proving'
      this.#opening = new Uint8Array(EMPTY_RECORD_BYTES)
      this.#stream?.write([reply])
      return
    }
    this.#batchBytes += this.#writer.sealEmpty(this.#batch)
    this.#flushSoon()
    this.#begin(contact)
  }

  #prove(record: Uint8Array): void {
    const refusal = this.#reader?.read(record)
    // A record that is longer than an empty one is not complete yet.
    if (refusal !== undefined || this.#reader?.isHalf === true) this.#refuse(refusal ?? 'malformed')
    else if (this.#contact !== undefined) this.#begin(this.#contact)
  }

  #begin(contact: Contact): void {
    this.#stage = 'ready'
    this.#readyMs = this.#takenMs = this.#options.clock.monotonic()
    this.#wait(STREAM_CHECK_MS, () => this.#check())
    this.#options.owner.onReady(this, contact)
  }

  /** Looks at the deadlines, and comes back when the next one may be due. */
  #check(): void {
    const now = this.#options.clock.monotonic()
    const waiting = this.waitingBytes
    const taken = this.#writtenBytes - (this.#stream?.queuedBytes ?? 0)
    if (taken !== this.#takenBytes || waiting === 0) this.#takenMs = now
    this.#takenBytes = taken
    const readDueMs = this.#reader?.isHalf === true ? this.#readMs + STREAM_STALL_MS : Infinity
    const writeDueMs = waiting > 0 ? this.#takenMs + STREAM_STALL_MS : Infinity
    const idleDueMs = waiting > 0 ? Infinity : Math.max(this.#readMs, this.#sentMs) + STREAM_IDLE_MS
    const endDueMs = Math.min(idleDueMs, this.#readyMs + STREAM_LIFE_MS)
    const isStuck = Math.min(readDueMs, writeDueMs) <= now
    if (isStuck) this.destroy()
    else if (endDueMs <= now) this.end()
    if (this.#stage !== 'ready') return
    const dueMs = Math.min(readDueMs, writeDueMs, endDueMs, now + STREAM_CHECK_MS)
    this.#wait(dueMs - now, () => this.#check())
  }

  /**
   * One that has begun to speak and did not come to an end was cut short; one that never said a
   * word has done nothing.
   */
  #late(): void {
    if (this.#openingBytes > 0 && this.#options.handshake.opening === undefined) this.#refuse('malformed')
    else this.destroy()
  }

  #flushSoon(): void {
    if (this.#batchBytes >= STREAM_BATCH_BYTES) this.#flush()
    if (this.#batchBytes === 0 || this.#isFlushing) return
    this.#isFlushing = true
    this.#options.clock.defer(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#batchBytes === 0 || this.#stage === 'closed') return
    const batch = this.#batch
    this.#writtenBytes += this.#batchBytes
    this.#batch = []
    this.#batchBytes = 0
    this.#stream?.write(batch)
  }

  #drained(): void {
    if (this.#stage === 'ready') this.#options.owner.onDrain(this)
  }

  /** What is sealed already goes before our own end; the rest goes by the next stream. */
  #ended(): void {
    if (this.#stage === 'ready') this.end()
    else if (this.#stage !== 'ending') this.destroy()
  }

  #refuse(kind: RefusalKind): void {
    if (this.#stage === 'closed') return
    this.#options.owner.onRefused(kind)
    this.destroy()
  }

  #closed(error?: Error): void {
    if (this.#stage === 'closed') return
    this.#stage = 'closed'
    this.#timer.cancel()
    this.#pausing?.cancel()
    this.#reader?.stop()
    this.#batch = []
    this.#batchBytes = 0
    this.#stream = undefined
    this.#options.owner.onClosed(this, error)
  }

  #wait(delayMs: number, callback: () => void): void {
    this.#timer.cancel()
    this.#timer = this.#options.clock.schedule(delayMs, callback)
  }
}
