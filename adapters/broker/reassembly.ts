/**
 * Puts frames together from their parts. A sender's parts come in order or not at all, so there is one
 * unfinished frame for each sender; a gap drops it. Bounded: beyond it the oldest goes.
 */
import type { FramePart } from './frame-parts.ts'

interface Unfinished {
  readonly frame: number
  readonly bytes: Uint8Array
  at: number
}

/** Four of the largest frames, and a few dozen smaller ones. */
export const UNFINISHED_BYTES_MAX: number = 32 * 1024 * 1024

export class Reassembly {
  readonly #bySender = new Map<string, Unfinished>()
  #bytes = 0

  /** The frame, with its last part. It is the caller's. */
  add(from: string, { frame, frameBytes, at, bytes }: FramePart): Uint8Array | undefined {
    let unfinished = this.#bySender.get(from)
    if (at === 0) unfinished = this.#begin(from, frame, frameBytes)
    if (unfinished === undefined) return undefined
    if (unfinished.frame !== frame || unfinished.at !== at || unfinished.bytes.length !== frameBytes) {
      this.drop(from)
      return undefined
    }
    unfinished.bytes.set(bytes, at)
    unfinished.at += bytes.length
    if (unfinished.at < frameBytes) return undefined
    this.drop(from)
    return unfinished.bytes
  }

  drop(from: string): void {
    const unfinished = this.#bySender.get(from)
    if (unfinished === undefined) return
    this.#bySender.delete(from)
    this.#bytes -= unfinished.bytes.length
  }

  #begin(from: string, frame: number, frameBytes: number): Unfinished {
    this.drop(from)
    for (const [oldest] of this.#bySender) {
      if (this.#bytes + frameBytes <= UNFINISHED_BYTES_MAX) break
      this.drop(oldest)
    }
    const unfinished = { frame, bytes: new Uint8Array(frameBytes), at: 0 }
    this.#bySender.set(from, unfinished)
    this.#bytes += frameBytes
    return unfinished
  }
}
