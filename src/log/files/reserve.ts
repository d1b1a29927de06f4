/**
 * Space on the disk that is kept for compaction: what makes room needs some first, for snapshots
 * and for the segment that is written anew. A file of zeros, given up in two halves when the disk
 * is full: the first is for snapshots, the second for rewriting.
 */
import type { Env } from '../../ports/env.ts'
import type { LogFile, LogFiles } from '../../ports/files.ts'

export const RESERVE_NAME = 'reserve'
/** So much is taken between two breaks. */
const STEP_BYTES = 524_288

export class Reserve {
  readonly #files: LogFiles
  readonly #env: Env
  #isHalf = false

  constructor(files: LogFiles, env: Env) {
    this.#files = files
    this.#env = env
  }

  /** Takes what is missing of so many bytes, in steps, as far as there is room. Never rejects. */
  async keep(bytes: number): Promise<void> {
    try {
      const file = this.#isThere ? this.#files.open(RESERVE_NAME) : this.#files.create(RESERVE_NAME)
      try {
        for (let { size } = file; size < bytes; { size } = file) {
          file.reserve(Math.min(bytes, size + STEP_BYTES))
          await this.#env.yield()
        }
        this.#isHalf = false
      } finally {
        file.close()
      }
    } catch {
      return // there is no room for more now; the next compaction tries again
    }
  }

  /** Gives up the next half. Returns whether there was one. */
  giveUp(): boolean {
    try {
      if (!this.#isThere) return false
      if (this.#isHalf) this.#files.remove(RESERVE_NAME)
      else this.#halve(this.#files.open(RESERVE_NAME))
      this.#isHalf = !this.#isHalf
      return true
    } catch {
      return false // the medium fails altogether, and whoever needs the space finds out
    }
  }

  get #isThere(): boolean {
    return this.#files.list().includes(RESERVE_NAME)
  }

  #halve(file: LogFile): void {
    try {
      file.truncate(Math.floor(file.size / 2))
    } finally {
      file.close()
    }
  }
}
