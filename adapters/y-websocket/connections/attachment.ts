/**
 * One document on one connection, from the moment at which it is asked for: who may do what, what waits, and
 * what its client is told. The same for both protocols; they differ in how a client is refused.
 */
import type { IncomingMessage } from 'node:http'
import * as Y from 'yjs'
import { asError, isWarpError, type WarpError } from '../../../crdt/warp-error.ts'
import type { Client, Core, OpenDocument } from '../contract.ts'
import {
  authenticatedFrame,
  awarenessFrame,
  closeFrame,
  type ClientFrame,
  deniedFrame,
  SharedFrame,
  statusFrame,
  step1,
  step2,
  updateFrame,
} from '../frames/frames.ts'
import { decoded1 } from '../updates/judge.ts'
import { partsOf } from '../updates/parts.ts'
import { MALFORMED, refusalFor, tooLong, tooMuch, type Refusal } from './refusal.ts'

/** The line to one client. */
export interface Line {
  readonly isHocuspocus: boolean
  /** Of the WebSocket. */
  readonly request: IncomingMessage
  send(frame: Uint8Array): void
  /** For good: a provider of y-websocket that knows codes does not come back. Slow, for those that do. */
  refuse(refusal: Refusal): void
  /** For now: the client comes back. */
  close(code: number, reason: string): void
  /** The document is not on this line any more. */
  forget(attachment: Attachment): void
}

/** The document that a client asks for. */
export interface Wanted {
  readonly document: string
  /** By what its frames find it: the document, and in Hocuspocus the client's session perhaps. */
  readonly route: string
  /** What stands in front of its frames; `undefined`: nothing does. */
  readonly header: Uint8Array | undefined
}

/** What may wait while it is asked who may do what. */
const WAITING_MAX = { frames: 1000, bytes: 5 * 1024 * 1024 }
/** What may wait for its causes. */
const HELD_MAX = { updates: 64, bytes: 1024 * 1024, ms: 10_000 }
const ASKED_AGAIN_MS = 1000
/** A state is sent in parts: clients give up on one that takes 30 s to arrive. */
const SENT_PART_BYTES = 512 * 1024

export class Attachment implements Client {
  readonly name: string
  readonly route: string
  readonly #core: Core
  readonly #line: Line
  readonly #header: Uint8Array | undefined
  #document: OpenDocument | undefined
  #token: string | undefined
  #waiting: { readonly frame: ClientFrame; readonly bytes: number }[] = []
  #waitingBytes = 0
  #held: { readonly update: Uint8Array; readonly sinceMs: number }[] = []
  #askedMs = -Infinity
  #hasToAsk = false
  #access: 'read-write' | 'read-only' | undefined
  #isOver = false
  #isServing = false
  #user: object | undefined
  /** Of who asks; aborted when it has gone. */
  readonly #gone = new AbortController()
  /** Writes of which the client has not been told yet, and whether somebody waits for them. */
  #toAcknowledge = 0
  #isSettling = false

  constructor(core: Core, line: Line, { document, route, header }: Wanted) {
    this.name = document
    this.route = route
    this.#core = core
    this.#line = line
    this.#header = header
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get isReadOnly(): boolean {
    return this.#access !== 'read-write'
  }

  get isOpen(): boolean {
    return this.#isServing
  }

  /** What goes into the states of this client as `user`, whatever it says. */
  get user(): object | undefined {
    return this.#user
  }

  get key(): string | undefined {
    return this.#document?.key
  }

  /** Asks who may do what, loads the document, and serves what came meanwhile. */
  async open(token: string | undefined): Promise<void> {
    this.#token = token
    try {
      if (!(await this.#authorise())) return
      const document = this.#core.document(this.name)
      if ('code' in document) {
        this.refuse(document)
        return
      }
      this.#document = document
      document.attach(this)
      const doc = await document.load()
      if (this.#isOver) return
      this.#isServing = true
      if (this.#line.isHocuspocus) this.#send(authenticatedFrame(this.isReadOnly))
      this.#send(step1(Y.encodeStateVector(doc)))
      const states = document.awareness.states()
      if (states.length > 0) this.#send(awarenessFrame(states))
      const waiting = this.#waiting
      this.#waiting = []
      for (const { frame } of waiting) this.#serve(frame)
    } catch (error) {
      this.fail(asError(error))
    }
  }

  /** A frame of the client; `bytes` is its length. */
  receive(frame: ClientFrame, bytes: number): void {
    if (this.#isOver) return
    if (this.#isServing) {
      this.#serve(frame)
      return
    }
    this.#waiting.push({ frame, bytes })
    this.#waitingBytes += bytes
    if (
      this.#waiting.length > WAITING_MAX.frames ||
      this.#waitingBytes > this.#core.settings.updateBytesMax + WAITING_MAX.bytes
    )
      this.refuse(tooMuch('more waits than may while it is asked who may open the document'))
  }

  /** Asks once more who may do what, with another token if there is one. */
  async renew(token: string | undefined = this.#token): Promise<void> {
    this.#token = token
    const before = this.#access
    try {
      if ((await this.#authorise()) && this.#isServing && this.#line.isHocuspocus && this.#access !== before)
        this.#send(authenticatedFrame(this.isReadOnly))
    } catch (error) {
      this.fail(asError(error))
    }
  }

  send(frame: SharedFrame): void {
    if (this.#isServing) this.#line.send(frame.for(this.#header))
  }

  /** Every second. */
  look(nowMs: number): void {
    const kept = this.#held.filter(({ sinceMs }) => nowMs - sinceMs < HELD_MAX.ms)
    const droppedCount = this.#held.length - kept.length
    this.#held = kept
    if (droppedCount > 0) this.#dropEarly(droppedCount)
    if (this.#hasToAsk) void this.#ask()
  }

  /** What this client has sent is in the document, or was; it is told when it is as safe as asked. */
  acknowledge(count: number): void {
    if (!this.#line.isHocuspocus) return
    this.#toAcknowledge += count
    if (!this.#isSettling) void this.#settle()
  }

  /** Its causes are not here: another tab may have them. It waits, and the client is asked for all it has. */
  hold(update: Uint8Array): void {
    this.#held.push({ update, sinceMs: this.#core.env.monotonic() })
    let bytes = 0
    for (const one of this.#held) bytes += one.update.length
    while (this.#held.length > HELD_MAX.updates || (bytes > HELD_MAX.bytes && this.#held.length > 1)) {
      bytes -= this.#held.shift()!.update.length
      this.#dropEarly(1)
    }
    this.#core.counts.heldUpdates++
    void this.#ask()
  }

  takeHeld(): Uint8Array[] {
    const held = this.#held
    this.#held = []
    return held.map(({ update }) => update)
  }

  /** Of a client that may only read. */
  refuseWrite(count: number): void {
    this.#core.counts.refusedUpdates += count
    for (let i = 0; i < count; i++) this.#status(false)
  }

  refuseUpdate(error: WarpError, isFinal: boolean): void {
    this.#core.counts.refusedUpdates++
    this.#core.refused(this, error)
    this.#status(false)
    if (isFinal) this.refuse(refusalFor(error))
    // The disk is full, say: what the client has is asked for again.
    else this.#hasToAsk = true
  }

  /** For good, or until its provider is told to try again. */
  refuse(refusal: Refusal): void {
    if (this.#isOver) return
    if (this.#line.isHocuspocus) this.#send(deniedFrame(refusal.reason, true))
    this.end()
    if (!this.#line.isHocuspocus) this.#line.refuse(refusal)
  }

  /** Something is wrong with the server, or with what it stands on: the client comes again. */
  fail(error: Error): void {
    if (this.#isOver) return
    this.#core.failed(error)
    this.end()
    this.#line.close(1011, 'the server has failed')
  }

  /** Idempotent. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#isServing = false
    this.#gone.abort()
    this.#waiting = []
    this.#held = []
    this.#document?.detach(this)
    this.#line.forget(this)
  }

  async #authorise(): Promise<boolean> {
    const token = this.#token
    const access = await this.#core.authorise(this.name, token, this.#line.request, this.#gone.signal)
    if (this.#isOver) return false
    if ('code' in access) {
      this.refuse(access)
      return false
    }
    this.#access = access.access
    this.#user = access.user
    return true
  }

  #serve(frame: ClientFrame): void {
    if (this.#isOver) return
    const document = this.#document!
    switch (frame.kind) {
      case 'step1':
        this.#answer(frame.vector).catch((error: unknown) => this.fail(asError(error)))
        break
      case 'update':
        if (frame.update.length > this.#core.settings.updateBytesMax) this.#refuseTooLong(frame.update.length)
        else document.receive(this, frame.update)
        break
      case 'awareness':
        document.hear(this, frame.states)
        break
      case 'query':
        this.#send(awarenessFrame(document.awareness.states()))
        break
      case 'token':
        void this.renew(frame.token)
        break
      case 'leave':
        this.#send(closeFrame('provider_initiated'))
        this.end()
        break
      case 'other':
        this.#core.counts.unknownFrames++
    }
  }

  /** What the client lacks, in parts of which the last one says that it has all. */
  async #answer(vector: Uint8Array): Promise<void> {
    const doc = await this.#document!.load()
    let known: Map<number, number>
    try {
      known = Y.decodeStateVector(vector)
    } catch {
      this.refuse(MALFORMED)
      return
    }
    const lacking = Y.encodeStateAsUpdate(doc, vector)
    const last = lacking.length <= SENT_PART_BYTES ? lacking : await this.#sendAllButLast(lacking, known)
    if (!this.#isOver) this.#send(step2(last))
  }

  async #sendAllButLast(lacking: Uint8Array, known: ReadonlyMap<number, number>): Promise<Uint8Array> {
    let last: Uint8Array | undefined
    try {
      for (const part of partsOf(decoded1(lacking), (client) => known.get(client) ?? 0, SENT_PART_BYTES)) {
        if (part === undefined) {
          await this.#core.env.yield()
          continue
        }
        if (this.#isOver) return part
        if (last !== undefined) this.#send(updateFrame(last))
        last = part
      }
    } catch (error) {
      if (!isWarpError(error)) throw error
      // One value is longer than a part: all goes as it is, and what is there already changes nothing.
      return lacking
    }
    return last ?? lacking
  }

  async #settle(): Promise<void> {
    this.#isSettling = true
    try {
      while (this.#toAcknowledge > 0 && !this.#isOver) {
        const count = this.#toAcknowledge
        this.#toAcknowledge = 0
        await this.#core.settled()
        for (let i = 0; i < count; i++) this.#status(true)
      }
    } catch (error) {
      this.fail(asError(error))
    } finally {
      this.#isSettling = false
    }
  }

  /** Asks the client for all that is not here, once a second at most. */
  async #ask(): Promise<void> {
    const nowMs = this.#core.env.monotonic()
    this.#hasToAsk = nowMs - this.#askedMs < ASKED_AGAIN_MS
    if (this.#hasToAsk || !this.#isServing) return
    this.#askedMs = nowMs
    try {
      const doc = await this.#document!.load()
      if (this.#isServing) this.#send(step1(Y.encodeStateVector(doc)))
    } catch (error) {
      this.fail(asError(error))
    }
  }

  #dropEarly(count: number): void {
    this.#core.counts.refusedUpdates += count
    for (let i = 0; i < count; i++) this.#status(false)
  }

  #refuseTooLong(length: number): void {
    this.#core.counts.refusedUpdates++
    this.#status(false)
    const refusal = tooLong(length, this.#core.settings.updateBytesMax)
    this.#core.refused(this, refusal.error)
    this.refuse(refusal)
  }

  #status(isWritten: boolean): void {
    if (this.#line.isHocuspocus && this.#isServing) this.#send(statusFrame(isWritten))
  }

  #send(body: Uint8Array): void {
    this.#line.send(new SharedFrame(body).for(this.#header))
  }
}
