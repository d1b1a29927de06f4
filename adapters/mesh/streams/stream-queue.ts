/**
 * Frames that wait for a stream to one peer: first in, first out, bounded by their bytes. A full
 * queue refuses; nothing is dropped.
 */

/** Places of taken frames are given back once they are this many and half of all. */
const SPENT_MAX = 64

export class StreamQueue {
  readonly #bytesMax: number
  #frames: (Uint8Array | undefined)[] = []
  #first = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#first === this.#frames.length
  }

  /** Whether a frame of `bytes` fits while `others` bytes wait elsewhere. */
  fits(bytes: number, others: number): boolean {
    return this.#bytes + others + bytes <= this.#bytesMax
  }

  /** Keeps `frame` itself. */
  push(frame: Uint8Array): void {
    this.#frames.push(frame)
    this.#bytes += frame.length
  }

  shift(): Uint8Array | undefined {
    const frame = this.#frames[this.#first]
    if (frame === undefined) return undefined
    this.#frames[this.#first++] = undefined
    this.#bytes -= frame.length
    if (this.#first >= SPENT_MAX && this.#first * 2 >= this.#frames.length) {
      this.#frames = this.#frames.slice(this.#first)
      this.#first = 0
    }
    return frame
  }

  clear(): void {
    this.#frames = []
    this.#first = 0
    this.#bytes = 0
  }
}
