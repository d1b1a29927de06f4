/**
 * A transport whose arriving frames wait, once `hold` has been called, until they are let through: a link as slow as the demo wants. Frames of one sender are let
 * through in the order in which they came, up to a mark that was taken earlier. Cutting and healing a link would not do: what is
 * asked for after a heal is answered with all that is there by then, and a history also has operations that crossed on the way.
 */
import type { PeerAddress, Transport, TransportReceiver } from '../../adapters/node/index.ts'

interface Line {
  readonly frames: Uint8Array[]
  /** Of all frames that came from this sender, how many have been let through. */
  passedCount: number
}

export class HeldTransport implements Transport {
  readonly kind = 'broadcast'
  readonly name: string
  readonly open: Transport['open']
  readonly #lines = new Map<PeerAddress, Line>()
  #receiver: TransportReceiver | undefined
  #isHolding = false

  constructor(inner: Transport) {
    this.name = inner.name
    this.open = (receiver) => {
      this.#receiver = receiver
      return inner.open({
        receive: (from, bytes) => this.#arrived(from, bytes),
        peerUp: (peer) => receiver.peerUp?.(peer),
        peerDown: (peer) => receiver.peerDown?.(peer),
      })
    }
  }

  /** How many frames have come from `from`: a mark for `letThrough`. */
  arrivedCount(from: PeerAddress): number {
    const line = this.#line(from)
    return line.passedCount + line.frames.length
  }

  /** Passes on what had come from `from` when the mark was taken. */
  letThrough(from: PeerAddress, mark: number): void {
    const line = this.#line(from)
    for (const bytes of line.frames.splice(0, mark - line.passedCount)) this.#pass(line, from, bytes)
  }

  /** From now on frames wait. */
  hold(): void {
    this.#isHolding = true
  }

  /** Passes on everything from now on. */
  letAllThrough(): void {
    this.#isHolding = false
    for (const from of this.#lines.keys()) this.letThrough(from, this.arrivedCount(from))
  }

  #arrived(from: PeerAddress, bytes: Uint8Array): void {
    const line = this.#line(from)
    if (this.#isHolding) line.frames.push(bytes)
    else this.#pass(line, from, bytes)
  }

  #pass(line: Line, from: PeerAddress, bytes: Uint8Array): void {
    line.passedCount++
    this.#receiver?.receive(from, bytes)
  }

  #line(from: PeerAddress): Line {
    let line = this.#lines.get(from)
    if (line === undefined) {
      line = { frames: [], passedCount: 0 }
      this.#lines.set(from, line)
    }
    return line
  }
}
