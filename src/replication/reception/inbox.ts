/**
 * Frames that have arrived and wait. A transport hands them over at any time; they are processed in
 * slices, with a yield to the event loop between slices, so that a flood of frames delays nobody
 * for long. Bounded in frames and bytes: what comes on top is dropped, counted and reported once
 * per episode, and anti-entropy fetches what it held.
 */
import type { Env } from '../../ports/env.ts'
import type { PeerAddress } from '../../ports/transport.ts'
import type { Link } from '../peers.ts'

/**
 * Of the room. Small, because what waits here is late; large enough to work on until more has come.
 */
const BUSY_SHARE = 0.25

export interface ArrivedFrame {
  readonly via: Link
  readonly from: PeerAddress
  readonly bytes: Uint8Array
  /** Its sender has gone down since it came: it says nothing of whether the sender is there. */
  isLate?: boolean
}

export interface InboxOptions {
  readonly framesMax: number
  readonly bytesMax: number
  /**
   * Does one slice of work. `take` gives the next frame. Returns whether there is more to do than
   * frames that wait.
   */
  readonly slice: (take: () => ArrivedFrame | undefined) => boolean
  /** Frames were dropped since the last time; called when there is room again. */
  readonly onDropped: (count: number) => void
}

export class Inbox {
  readonly #env: Env
  readonly #options: InboxOptions
  #frames: ArrivedFrame[] = []
  #head = 0
  #bytes = 0
  #isRunning = false
  #isClosed = false
  #droppedNow = 0
  #droppedCount = 0

  constructor(env: Env, options: InboxOptions) {
    this.#env = env
    this.#options = options
  }

  get count(): number {
    return this.#frames.length - this.#head
  }

  get bytesCount(): number {
    return this.#bytes
  }

  /** A good part of the room is taken. */
  get isBusy(): boolean {
    const { framesMax, bytesMax } = this.#options
    return this.count > framesMax * BUSY_SHARE || this.#bytes > bytesMax * BUSY_SHARE
  }

  get droppedCount(): number {
    return this.#droppedCount
  }

  push(frame: ArrivedFrame): void {
    if (this.#isClosed) return
    if (this.count >= this.#options.framesMax || this.#bytes + frame.bytes.length > this.#options.bytesMax) {
      this.#droppedNow++
      this.#droppedCount++
      return
    }
    this.#frames.push(frame)
    this.#bytes += frame.bytes.length
    this.wake()
  }

  /**
   * There is work: a slice runs once the event loop has taken what is at the door. What came in one
   * go, many datagrams say, is then worked off in one go, which costs less
   * (`bench/mesh-throughput`); a frame alone waits for nobody.
   */
  wake(): void {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    void this.#env.yield().then(() => this.#run())
  }

  /** A peer has gone down: what waits of it is late. */
  outdate(via: Link, from: PeerAddress): void {
    for (let i = this.#head; i < this.#frames.length; i++) {
      const frame = this.#frames[i] as ArrivedFrame
      if (frame.via === via && frame.from === from) frame.isLate = true
    }
  }

  close(): void {
    this.#isClosed = true
    this.#frames = []
    this.#head = 0
    this.#bytes = 0
  }

  #run(): void {
    if (this.#isClosed) return
    const more = this.#options.slice(() => this.#take())
    if (this.#droppedNow > 0 && this.count === 0) {
      this.#options.onDropped(this.#droppedNow)
      this.#droppedNow = 0
    }
    if (more || this.count > 0) {
      void this.#env.yield().then(() => this.#run())
      return
    }
    this.#isRunning = false
  }

  #take(): ArrivedFrame | undefined {
    const frame = this.#frames[this.#head]
    if (frame === undefined) return undefined
    this.#head++
    this.#bytes -= frame.bytes.length
    if (this.#head * 2 >= this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head)
      this.#head = 0
    }
    return frame
  }
}
