/**
 * A WebSocket: of a y-websocket provider, with one document, which its path names; or of a Hocuspocus
 * provider, with many, whose names stand in front of their frames.
 */
import type { IncomingMessage } from 'node:http'
import type { WebSocket } from 'ws'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Core } from '../contract.ts'
import { ByteReader, bytesOfText } from '../frames/bytes.ts'
import { awarenessFrame, readFrame, SharedFrame } from '../frames/frames.ts'
import { Attachment, type Line, type Wanted } from './attachment.ts'
import { MALFORMED, UNKNOWN, tooMuch, type Refusal, shortReason } from './refusal.ts'

const PING = 9
const PONG = 10
/** Providers before 3.1 come back at once, whatever they are told: they are told slowly. */
const REFUSED_AFTER_MS = 1000
/** Names are not longer than keys may be. */
const NAME_LENGTH_MAX = 4096
/** Of nobody: a sign of life. */
const ALIVE = new SharedFrame(awarenessFrame([]))

/** The document that a path names. */
export interface NamedDocument {
  readonly name: string
  readonly token: string | undefined
}

export class Connection implements Line {
  readonly isHocuspocus: boolean
  readonly request: IncomingMessage
  readonly #core: Core
  readonly #socket: WebSocket
  readonly #attachments = new Map<string, Attachment>()
  readonly #openedMs: number
  #hasAnswered = true
  #sentMs: number
  #isEnding = false
  /** Whether a document was ever asked for. */
  #hasOpened = false

  /** `document`: the one that the path names. */

  constructor(core: Core, socket: WebSocket, request: IncomingMessage, document: NamedDocument | undefined) {
    this.#core = core
    this.request = request
    this.#socket = socket
    this.isHocuspocus = document === undefined
    this.#openedMs = this.#sentMs = core.env.monotonic()
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary))
    socket.on('pong', () => (this.#hasAnswered = true))
    socket.on('error', () => undefined)
    socket.on('close', () => this.#gone())
    if (document === undefined) return
    const { name, token } = document
    void this.#attach({ document: name, route: name, header: undefined }).open(token)
  }

  get attachments(): Iterable<Attachment> {
    return this.#attachments.values()
  }

  send(frame: Uint8Array): void {
    const { settings, counts, env } = this.#core
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount > settings.outputBytesMax) {
      counts.tooSlow++
      this.#socket.terminate()
      return
    }
    this.#sentMs = env.monotonic()
    counts.sentBytes += frame.length
    this.#socket.send(frame)
  }

  refuse({ code, reason }: Refusal): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#socket.pause()
    this.#core.env.schedule(REFUSED_AFTER_MS, () => {
      this.#socket.resume()
      this.#close(code, reason)
    })
  }

  close(code: number, reason: string): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#close(code, reason)
  }

  cutOff(): void {
    this.#socket.terminate()
  }

  forget(attachment: Attachment): void {
    if (this.#attachments.get(attachment.route) === attachment) this.#attachments.delete(attachment.route)
  }

  /** Every second. */
  look(nowMs: number): void {
    for (const attachment of [...this.#attachments.values()]) attachment.look(nowMs)
    const { authMs, heartbeatMs } = this.#core.settings
    if (this.#attachments.size === 0 && !this.#hasOpened && nowMs - this.#openedMs > authMs)
      this.close(4408, 'no document has been asked for')
    if (nowMs - this.#sentMs < heartbeatMs) return
    // A provider goes when it has heard nothing for 30 s; a ping of the WebSocket is not seen by it.
    const [first] = this.#attachments.values()
    first?.send(ALIVE)
    this.#sentMs = nowMs
  }

  /** Every `heartbeatMs`: whether somebody is there. */
  beat(): void {
    if (!this.#hasAnswered) {
      this.#core.counts.lost++
      this.cutOff()
      return
    }
    this.#hasAnswered = false
    this.#socket.ping()
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#hasAnswered = true
    if (this.#isEnding) return
    this.#core.counts.receivedBytes += data.length
    if (!isBinary) {
      this.refuse(MALFORMED)
      return
    }
    try {
      if (this.isHocuspocus) this.#receiveNamed(data)
      else this.#only?.receive(readFrame(new ByteReader(data), false), data.length)
    } catch (error) {
      if (!isWarpError(error)) throw error
      this.#core.refused(this.#only, error)
      this.refuse(MALFORMED)
    }
  }

  get #only(): Attachment | undefined {
    const [first] = this.#attachments.values()
    return first
  }

  #receiveNamed(data: Buffer): void {
    if (data.length === 1) {
      if (data[0] === PING) this.send(Uint8Array.of(PONG))
      return
    }
    const reader = new ByteReader(data)
    const route = reader.text()
    if (route === '' || route.length > NAME_LENGTH_MAX) throw UNKNOWN.error
    const frame = readFrame(reader, true)
    const attachment = this.#attachments.get(route)
    if (attachment !== undefined) attachment.receive(frame, data.length)
    // What comes for a document that was left, or refused, is not answered: the provider has been told.
    else if (frame.kind === 'token') this.#openNamed(route, frame.token)
  }

  #openNamed(route: string, token: string): void {
    // The client's session may stand behind the name.
    const [document = route] = route.split('\0', 1)
    const wanted = { document, route, header: bytesOfText(route) }
    const { documentsMax } = this.#core.settings
    if (this.#attachments.size < documentsMax) {
      this.#hasOpened = true
      void this.#attach(wanted).open(token)
    } else
      new Attachment(this.#core, this, wanted).refuse(
        tooMuch(`this connection has ${documentsMax} documents already; leave one, or connect once more`),
      )
  }

  #attach(wanted: Wanted): Attachment {
    const attachment = new Attachment(this.#core, this, wanted)
    this.#attachments.set(wanted.route, attachment)
    return attachment
  }

  #close(code: number, reason: string): void {
    this.#socket.close(code, shortReason(reason))
    for (const attachment of [...this.#attachments.values()]) attachment.end()
  }

  #gone(): void {
    this.#isEnding = true
    for (const attachment of [...this.#attachments.values()]) attachment.end()
    this.#core.ended(this)
  }
}
