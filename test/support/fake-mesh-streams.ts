/** The streams of the fake network: reliable, in order, with a window, held back by cuts. */
import type { ByteStream, Endpoint, StreamHandlers } from '../../adapters/mesh/sockets/network.ts'
import type { Env } from '../../src/ports/env.ts'

export type Accept = (stream: ByteStream) => StreamHandlers | undefined

export interface StreamWorld {
  readonly clock: Pick<Env, 'schedule' | 'defer'>
  delayMs(): number
  isCut(from: string, to: string): boolean
  freePort(): number
}

/** As one end of a stream sees it. */
interface EndWorld extends StreamWorld {
  wrote(bytes: number): void
}

/** Bytes that count as handed to the system. */
const WINDOW_BYTES = 256 * 1024

export class FakeStreams {
  /** Streams that have been opened since the start. */
  openedCount = 0
  /** Bytes that have been written. */
  sentBytes = 0
  readonly #world: EndWorld
  readonly #listeners = new Map<string, { readonly endpoint: Endpoint; readonly accept: Accept }>()
  readonly #ends = new Set<StreamEnd>()

  constructor(world: StreamWorld) {
    const wrote = (bytes: number): void => {
      this.sentBytes += bytes
    }
    this.#world = { ...world, wrote }
  }

  /** Ends of streams that are open now: two for each. */
  get endCount(): number {
    return this.#ends.size
  }

  isTaken(endpoint: Endpoint): boolean {
    return this.#listeners.has(keyOf(endpoint))
  }

  /** Returns what closes the listener. */
  listen(endpoint: Endpoint, accept: Accept): () => Promise<void> {
    const key = keyOf(endpoint)
    this.#listeners.set(key, { endpoint, accept })
    return () => {
      this.#listeners.delete(key)
      return Promise.resolve()
    }
  }

  connect(host: string, to: Endpoint, handlers: StreamHandlers): ByteStream {
    const near = new StreamEnd({ host, port: this.#world.freePort() }, to, this.#world)
    near.handlers = handlers
    this.#ends.add(near)
    near.onGone = () => this.#ends.delete(near)
    near.whenPassable(() => this.#accept(near, to))
    return near
  }

  /** Every stream of `host` is gone, without a word to it; the other ends see a reset. */
  crash(host: string): void {
    for (const [key, { endpoint }] of this.#listeners) if (endpoint.host === host) this.#listeners.delete(key)
    for (const end of this.#ends) if (end.local.host === host) end.vanish()
  }

  /** After a cut has been healed. */
  resume(): void {
    for (const end of this.#ends) end.resumeHeld()
  }

  #accept(near: StreamEnd, to: Endpoint): void {
    const listener = this.#listeners.get(keyOf(to))
    if (listener === undefined) {
      near.close(new Error('connection refused'))
      return
    }
    const far = new StreamEnd(to, near.local, this.#world)
    near.peer = far
    far.peer = near
    const handlers = listener.accept(far)
    if (handlers === undefined) {
      near.close()
      return
    }
    far.handlers = handlers
    this.#ends.add(far)
    far.onGone = () => this.#ends.delete(far)
    this.openedCount++
    near.handlers?.onOpen?.()
    near.flush()
  }
}

class StreamEnd implements ByteStream {
  readonly local: Endpoint
  readonly remote: Endpoint
  peer: StreamEnd | undefined
  handlers: StreamHandlers | undefined
  onGone: (() => unknown) | undefined
  queuedBytes = 0
  readonly #world: EndWorld
  /** Not handed over yet; handed over, and waiting for a cut to heal or for the reader to read. */
  readonly #waiting: Uint8Array[] = []
  #held: (() => void)[] = []
  readonly #unread: Uint8Array[] = []
  #flightBytes = 0
  #isPaused = false
  #isClosed = false
  #isEnding = false
  /** All is sent, and the peer will hear that nothing more comes. */
  #hasEnded = false
  #peerHasEnded = false
  #peerIsGone = false

  constructor(local: Endpoint, remote: Endpoint, world: EndWorld) {
    this.local = local
    this.remote = remote
    this.#world = world
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#isClosed || this.#isEnding) return
    for (const chunk of chunks) {
      this.#waiting.push(chunk)
      this.queuedBytes += chunk.length
      this.#world.wrote(chunk.length)
    }
    // Not at once: a socket calls nobody back from inside of a call.
    this.#world.clock.defer(() => this.flush())
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#world.clock.defer(() => this.#read())
  }

  end(): void {
    this.#isEnding = true
    this.#world.clock.defer(() => this.flush())
  }

  destroy(): void {
    this.close()
  }

  /** Runs after the delay, when the link to the peer is not cut. */
  whenPassable(run: () => void): void {
    const pass = (): void => {
      if (this.#world.isCut(this.local.host, this.remote.host)) this.#held.push(pass)
      else run()
    }
    if (this.#held.length > 0) this.#held.push(pass)
    else this.#later(pass)
  }

  resumeHeld(): void {
    for (const pass of this.#held.splice(0)) this.#later(pass)
  }

  flush(): void {
    const { peer } = this
    if (peer === undefined || this.#isClosed || this.#hasEnded) return
    const hadWaiting = this.#waiting.length > 0
    while (this.#waiting.length > 0 && this.#flightBytes < WINDOW_BYTES) {
      // A copy: a network never shows the receiver the sender's buffer.
      const bytes = Uint8Array.from(this.#waiting.shift() ?? [])
      this.queuedBytes -= bytes.length
      this.#flightBytes += bytes.length
      this.whenPassable(() => peer.#arrive(bytes))
    }
    if (this.#waiting.length > 0) return
    if (hadWaiting) this.handlers?.onDrain?.()
    if (this.#isEnding) this.#finish(peer)
  }

  close(error?: Error): void {
    if (this.#isClosed) return
    const { peer } = this
    this.vanishQuietly()
    if (peer !== undefined) this.whenPassable(() => peer.#lost())
    this.#world.clock.defer(() => this.handlers?.onClose(error))
  }

  /** The machine is gone: nobody here hears of it. */
  vanish(): void {
    const { peer } = this
    this.vanishQuietly()
    peer?.close(new Error('connection reset'))
  }

  vanishQuietly(): void {
    this.#isClosed = true
    this.queuedBytes = 0
    this.#waiting.length = 0
    this.#unread.length = 0
    this.onGone?.()
  }

  #finish(peer: StreamEnd): void {
    this.#hasEnded = true
    this.whenPassable(() => peer.#ended())
    this.#closeIfOver()
  }

  /** Each end reads until the other one has ended too. */
  #closeIfOver(): void {
    if (this.#isClosed || !this.#hasEnded || !this.#peerHasEnded || this.#unread.length > 0) return
    this.#isClosed = true
    this.onGone?.()
    this.#world.clock.defer(() => this.handlers?.onClose())
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#isClosed) return
    this.#unread.push(bytes)
    this.#read()
  }

  #read(): void {
    while (this.#unread.length > 0 && !this.#isPaused && !this.#isClosed) {
      const bytes = this.#unread.shift() as Uint8Array
      const { peer } = this
      if (peer !== undefined) peer.#flightBytes -= bytes.length
      this.handlers?.onBytes(bytes)
      peer?.flush()
    }
    this.#noteEnd()
  }

  #ended(): void {
    this.#peerHasEnded = true
    this.#noteEnd()
  }

  #lost(): void {
    this.#peerIsGone = true
    this.#noteEnd()
  }

  #noteEnd(): void {
    if (this.#unread.length > 0 || this.#isClosed) return
    if (this.#peerIsGone) this.close()
    else if (this.#peerHasEnded && !this.#isEnding) this.#endToo()
    this.#closeIfOver()
  }

  #endToo(): void {
    if (this.handlers?.onEnd === undefined) this.end()
    else this.handlers.onEnd()
  }

  #later(run: () => void): void {
    const delayMs = this.#world.delayMs()
    if (delayMs === 0) this.#world.clock.defer(run)
    else this.#world.clock.schedule(delayMs, run)
  }
}

function keyOf({ host, port }: Endpoint): string {
  return `${host} ${port}`
}
