/**
 * Everything that goes to one peer by stream: a bounded queue, the stream that we opened, and those
 * that the peer opened.
 *
 * Both may open one at once; then each sends on its own and reads both. Otherwise whoever needs a
 * stream first opens it, and the other one answers on it. A stream that breaks while frames wait is
 * opened again, later and later; after repeated failure the frames are dropped, since anti-entropy
 * brings what they held. What was sealed for a stream that broke is lost with it.
 */
import { type Timer, WarpError, type TransportReport } from '../../../src/index.ts'
import type { Contact, MeshClock } from '../contacts/contact.ts'
import type { StreamConnection } from './stream-connection.ts'
import { StreamQueue } from './stream-queue.ts'
import {
  STREAMS_OTHER_PER_PEER_MAX,
  STREAM_FAILURES_MAX,
  STREAM_RETRY_MS_MAX,
  STREAM_RETRY_MS_MIN,
} from './stream-settings.ts'

export interface StreamPeerOptions {
  readonly contact: Contact
  readonly clock: MeshClock
  readonly queueBytesMax: number
  /**
   * Begins a stream to the peer, or returns `undefined` if there is no session with it any more.
   */
  readonly open: () => StreamConnection | undefined
  readonly report: (report: TransportReport) => void
}

export class StreamPeer {
  readonly #options: StreamPeerOptions
  readonly #queue: StreamQueue
  /** Opened by us: on its way or ready. */
  #own: StreamConnection | undefined
  /** Opened by the peer and proved, the newest last; and our former ones, while they end. */
  readonly #others: StreamConnection[] = []
  #failureCount = 0
  #retry: Timer | undefined
  #isReported = false
  #isDropped = false

  constructor(options: StreamPeerOptions) {
    this.#options = options
    this.#queue = new StreamQueue(options.queueBytesMax)
  }

  /** Bytes that wait in this process. */
  get queuedBytes(): number {
    return this.#queue.bytes + this.#streamBytes
  }

  /** Takes a frame unless too much waits. Copies what it cannot seal at once. */
  send(frame: Uint8Array): boolean {
    if (this.#isDropped || !this.#queue.fits(frame.length, this.#streamBytes)) return false
    const via = this.#queue.isEmpty ? this.#sender() : undefined
    if (via?.hasRoom === true) {
      via.send(frame)
    } else {
      // Not `slice`: that of a Buffer shares its memory.
      this.#queue.push(new Uint8Array(frame))
      this.#ensure()
    }
    return true
  }

  /** A stream of the peer's has proved itself. */
  accept(connection: StreamConnection): void {
    this.#keep(connection)
    this.pump()
  }

  /** Sends what waits, as far as there is room. */
  pump(): void {
    const via = this.#sender()
    while (via?.hasRoom === true) {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      via.send(frame)
    }
    this.#ensure()
  }

  /** Our own stream is ready. */
  opened(): void {
    this.#isReported = false
    this.pump()
  }

  closed(connection: StreamConnection, error?: Error): void {
    if (this.#isDropped) return
    if (connection === this.#own) {
      this.#own = undefined
      this.#count(connection, error)
    } else {
      const at = this.#others.indexOf(connection)
      if (at >= 0) this.#others.splice(at, 1)
    }
    this.#ensure()
  }

  /** Seals what waits and ends the streams. Returns those on which something waits still. */
  end(): StreamConnection[] {
    const via = this.#sender()
    for (let frame = this.#queue.shift(); frame !== undefined; frame = this.#queue.shift()) via?.send(frame)
    const connections = this.#connections()
    for (const connection of connections) connection.end()
    return connections.filter(({ waitingBytes }) => waitingBytes > 0)
  }

  /** Ends the streams; what waits goes by a new one. */
  renew(): void {
    for (const connection of this.#connections()) {
      if (connection.isReady) connection.end()
      else if (!connection.isEnding) connection.destroy()
    }
    this.#ensure()
  }

  /** Lets go of everything at once. */
  drop(): void {
    this.#isDropped = true
    this.#retry?.cancel()
    this.#queue.clear()
    for (const connection of this.#connections()) connection.destroy()
    this.#own = undefined
    this.#others.length = 0
  }

  get #streamBytes(): number {
    let bytes = this.#own?.waitingBytes ?? 0
    for (const connection of this.#others) bytes += connection.waitingBytes
    return bytes
  }

  #connections(): StreamConnection[] {
    return this.#own === undefined ? [...this.#others] : [this.#own, ...this.#others]
  }

  #sender(): StreamConnection | undefined {
    return this.#own?.isReady === true ? this.#own : this.#others.findLast(({ isReady }) => isReady)
  }

  /** Opens a stream if frames wait for one and it is time. */
  #ensure(): void {
    if (this.#isDropped || this.#queue.isEmpty || this.#retry !== undefined) return
    if (this.#sender() !== undefined) return
    const former = this.#own
    if (former !== undefined && !former.isEnding) return // it is on its way
    this.#own = this.#options.open()
    if (this.#own === undefined) this.#queue.clear()
    if (former !== undefined) this.#keep(former)
  }

  #keep(other: StreamConnection): void {
    this.#others.push(other)
    if (this.#others.length > STREAMS_OTHER_PER_PEER_MAX) this.#others[0]?.destroy()
  }

  /**
   * One that served for a while counts as success, whatever ended it; one that broke at once does
   * not.
   */
  #count(connection: StreamConnection, error?: Error): void {
    this.#failureCount = connection.readyForMs >= STREAM_RETRY_MS_MAX ? 0 : this.#failureCount + 1
    if (this.#failureCount === 0) return
    if (this.#failureCount >= STREAM_FAILURES_MAX) this.#giveUp(error)
    const doubled = STREAM_RETRY_MS_MIN * 2 ** Math.min(this.#failureCount - 1, 16)
    const jitter = 0.5 + (this.#options.clock.random(1)[0] ?? 0) / 512
    this.#retry = this.#options.clock.schedule(Math.min(doubled, STREAM_RETRY_MS_MAX) * jitter, () => {
      this.#retry = undefined
      this.#ensure()
    })
  }

  /**
   * The peer is there, for it has a session with us; so it is the way that is barred, and somebody
   * has to hear of it.
   */
  #giveUp(error?: Error): void {
    this.#queue.clear()
    if (this.#isReported) return
    this.#isReported = true
    const { contact, report } = this.#options
    report({
      kind: 'peer:unreachable',
      address: contact.address,
      error: new WarpError(
        'WARP_E_TRANSPORT',
        `no stream to ${contact.address} after ${this.#failureCount} tries, though its datagrams arrive; ` +
          'let TCP through to that port as well as UDP',
        { details: { address: contact.address, tries: this.#failureCount }, cause: error },
      ),
    })
  }
}
