/**
 * The bytes of full-sized segments. They come from the platform, which may have memory that the
 * JavaScript engine does not count (`LogMemory`), and they are used again: what compaction and
 * trimming free waits here for the next segment, whose pages are then there already. Without that,
 * every 32 MB of log start a full collection of the whole heap, the application's too
 * (`npm run bench -- write-beside-heap`).
 *
 * Freed bytes are given out again only when the work in progress is over, so a record that was
 * looked at before stays what it was. Nobody may look at one across a turn: tests hand in a memory
 * that overwrites what is freed.
 */
import { SEGMENTS_FREE_MAX } from '../../limits.ts'
import type { Env } from '../../ports/env.ts'
import type { LogMemory } from '../../ports/platform.ts'

export class SegmentMemory {
  readonly #source: LogMemory
  readonly #env: Pick<Env, 'defer'>
  /** What a segment has, but for the first ones of a log in RAM and those of large records. */
  readonly #segmentBytes: number
  /** What was taken here and may therefore be used again. */
  readonly #taken = new WeakSet<Uint8Array>()
  readonly #free: Uint8Array[] = []

  constructor(segmentBytes: number, env: Pick<Env, 'defer'>, source: LogMemory = HEAP) {
    this.#segmentBytes = segmentBytes
    this.#env = env
    this.#source = source
  }

  /** At least so many bytes, of any content. */
  take(count: number): Uint8Array {
    // Half a segment is taken for a whole one: else what is rewritten would be counted after all.
    if (count > this.#segmentBytes || count * 2 <= this.#segmentBytes) return new Uint8Array(count)
    const bytes = this.#free.pop() ?? this.#source.allocate(this.#segmentBytes)
    this.#taken.add(bytes)
    return bytes
  }

  /** Nobody needs these bytes any more once the work in progress is over. */
  give(bytes: Uint8Array | undefined): void {
    if (bytes === undefined || !this.#taken.delete(bytes)) return
    this.#env.defer(() => {
      this.#source.freed?.(bytes)
      if (this.#free.length < SEGMENTS_FREE_MAX) this.#free.push(bytes)
    })
  }
}

const HEAP: LogMemory = { allocate: (count) => new Uint8Array(count) }
