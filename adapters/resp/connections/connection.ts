/**
 * One connection: bytes in, bytes out. What a chunk asks for is answered by one write; commands that wait
 * hold up what comes behind them, and no other connection. While the other side takes nothing, nothing of
 * it is read.
 */
import { ReplyWriter } from '../protocol/reply-writer.ts'
import { RequestParser } from '../protocol/request-parser.ts'
import { ProtocolError } from '../protocol/protocol-error.ts'
import { Client, type ClientOutlet, type ClientPlace } from './client.ts'
import type { RespCore } from './resp-core.ts'

/** The bytes' way, as far as it is used of a socket. */
export interface Wire {
  /** Binary strings. Returns `false` if no more should be written for now: `drained` is called later. */
  write(binary: string): boolean
  /** After what has been written. */
  end(): void
  destroy(): void
  pause(): void
  resume(): void
  readonly pendingBytes: number
}

/** A reply this long is written before the chunk is done. */
const WRITE_LENGTH = 1024 * 1024
/** Commands between two looks at the clock. */
const COMMANDS_PER_LOOK = 8
/** So long the commands of one chunk may hold the loop. */
const STEP_MS = 10
/** Bytes that are taken of whoever waits for the reply to a command. */
const HELD_BYTES = 65_536

export class Connection implements ClientOutlet {
  readonly client: Client
  readonly reply: ReplyWriter = new ReplyWriter()
  readonly #core: RespCore
  readonly #wire: Wire
  readonly #parser: RequestParser
  /** Pushes that came while a reply was being written. */
  #pushes: ((reply: ReplyWriter) => void)[] = []
  #isHandling = false
  /** Nothing of it is handled now: a command waits, the other side does not read, or others have their turn. */
  #isHeld = false
  #isEnding = false
  #isFlushing = false
  #isClosed = false
  /** When the request that has begun did; 0 between requests. */
  #withinSinceMs = 0

  constructor(core: RespCore, wire: Wire, place: ClientPlace) {
    this.#core = core
    this.#wire = wire
    this.#parser = new RequestParser(core.settings)
    this.client = new Client(place, this, core.users.anonymous)
    this.#parser.isKnown = this.client.user !== undefined
  }

  get pendingBytes(): number {
    return this.#wire.pendingBytes + this.reply.length
  }

  get heldBytes(): number {
    return this.#parser.heldBytes
  }

  get isIdle(): boolean {
    return !this.#isHeld && !this.#parser.isWithin
  }

  /** Bytes have come. Their memory may be used again when this returns. */
  receive(chunk: Buffer): void {
    if (this.#isEnding) return
    this.#core.counts.receivedBytes += chunk.length
    this.client.lastMs = this.#core.env.now()
    this.#parser.push(chunk)
    this.#work()
    this.#parser.release()
    // Who waits is read on, or nobody would see that it goes.
    if (this.#isHeld && this.#parser.heldBytes > HELD_BYTES) this.#wire.pause()
  }

  /** The other side takes bytes again. */
  drained(): void {
    if (!this.#isFlushing) return
    this.#isFlushing = false
    this.#goOn()
  }

  push(write: (reply: ReplyWriter) => void): void {
    if (this.#isEnding) return
    if (this.#isHandling) {
      this.#pushes.push(write)
      return
    }
    write(this.reply)
    if (this.reply.length > WRITE_LENGTH) this.#flush()
    else this.#core.flushLater(this)
  }

  /** Writes what is there. */
  flush(): void {
    if (!this.#isHandling) this.#flush()
  }

  close(isSoft: boolean): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.client.waiting?.end()
    if (!isSoft) this.#wire.destroy()
    else if (!this.#isHandling) this.#finish()
  }

  /** Ends it at once, also where it is ending already. */
  abandon(): void {
    this.#isEnding = true
    this.#wire.destroy()
  }

  /** The other side has gone. */
  ended(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isEnding = true
    this.client.waiting?.end()
    this.#core.forget(this.client)
  }

  /** Ends what has taken too long: called now and then. */
  look(nowMs: number): void {
    const { idleMs, requestMs, authMs } = this.#core.settings
    const { client } = this
    this.#withinSinceMs = this.#parser.isWithin && !this.#isHeld ? this.#withinSinceMs || nowMs : 0
    const isStuck = this.#withinSinceMs > 0 && nowMs - this.#withinSinceMs >= requestMs
    const isUnknown = client.user === undefined && nowMs - client.beganMs >= authMs
    const isWaiting = client.waiting !== undefined || client.isSubscribed
    const isIdle = idleMs > 0 && !isWaiting && nowMs - client.lastMs >= idleMs
    if (isStuck || isUnknown || isIdle) this.close(false)
  }

  #goOn(): void {
    if (this.#isHeld || this.#isFlushing || this.#isEnding) return
    this.#work()
    this.#parser.release()
    if (!this.#isHeld && !this.#isFlushing) this.#wire.resume()
  }

  /** Handles the requests that are there. */
  #work(): void {
    if (this.#isHeld || this.#isFlushing || this.#isHandling) return
    this.#isHandling = true
    this.#core.beginTurn()
    try {
      this.#handleAll()
    } catch (error) {
      this.#refuse(error)
    } finally {
      this.#isHandling = false
    }
    this.#core.flushOthers()
    if (this.#isEnding) this.#finish()
    else this.#flush()
  }

  #handleAll(): void {
    const { env } = this.#core
    const begunMs = env.monotonic()
    for (let handled = 1; !this.#isEnding; handled++) {
      const request = this.#parser.next()
      if (request === undefined) return
      this.#withinSinceMs = 0
      const waited = this.#handle(request)
      this.#core.endTurn()
      if (waited !== undefined) {
        this.#isHeld = true
        void waited.then(() => this.#afterWait())
        return
      }
      if (this.reply.length > WRITE_LENGTH && !this.#write()) return
      if (handled % COMMANDS_PER_LOOK === 0 && env.monotonic() - begunMs > STEP_MS) {
        this.#isHeld = true
        this.#wire.pause()
        void env.yield().then(() => this.#letGo())
        return
      }
    }
  }

  #handle(request: readonly string[]): Promise<void> | undefined {
    const { client, reply } = this
    const begun = reply.length
    const waited = this.#core.dispatcher.handle(client, request)
    if (waited === undefined) {
      this.#replied(begun)
      return undefined
    }
    // What stood before it is written when it comes.
    return waited.then(() => this.#replied(0))
  }

  /** A reply is there, which whoever asked may not want; pushes come behind it. */
  #replied(begun: number): void {
    const { client, reply } = this
    const { replyMode } = client
    if (replyMode === 'off' || replyMode === 'skip') reply.cut(Math.min(begun, reply.length))
    if (replyMode === 'skip-next') client.replyMode = 'skip'
    else if (replyMode === 'skip') client.replyMode = 'on'
    this.#parser.isKnown = client.user !== undefined
    if (this.#pushes.length === 0) return
    const pushes = this.#pushes
    this.#pushes = []
    for (const write of pushes) write(reply)
  }

  #afterWait(): void {
    if (this.#isEnding) this.#finish()
    else {
      this.#flush()
      this.#letGo()
    }
  }

  #letGo(): void {
    this.#isHeld = false
    this.#goOn()
  }

  #refuse(error: unknown): void {
    this.#isEnding = true
    if (!(error instanceof ProtocolError)) {
      this.#core.failed(error)
      this.reply.error('ERR the server failed to answer; its log says more')
    } else if (!error.isSilent) this.reply.error(`ERR ${error.message}`)
  }

  #flush(): void {
    if (this.reply.length > 0) this.#write()
  }

  /** Returns whether more may be written. */
  #write(): boolean {
    const text = this.reply.take()
    this.#core.counts.sentBytes += text.length
    const goesOn = this.#wire.write(text)
    if (this.#wire.pendingBytes > this.#core.settings.outputBytesMax) {
      this.#core.counts.tooSlow++
      this.close(false)
      return false
    }
    if (goesOn || this.#isFlushing) return goesOn
    this.#isFlushing = true
    this.#wire.pause()
    return false
  }

  #finish(): void {
    const text = this.reply.take()
    if (text !== '') this.#wire.write(text)
    this.#wire.end()
  }
}
