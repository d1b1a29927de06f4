/**
 * Which formats one engine reads, and the one that it writes. While any member of a cluster reads an older format only, everybody
 * writes that one; who decides that is replication. All that encodes or decodes for one engine shares its `Formats`.
 */
import { FORMAT_VERSION } from './format.ts'

/** The oldest format that any build reads. A hello is written in it, so that everybody can read who speaks what. */
export const FORMAT_LOWEST = 2

export class Formats {
  /** The highest format that this build reads and writes. */
  readonly highest: number
  /** Called before the first thing is written in another format. */
  onWrite: (format: number) => void = () => undefined
  /** What is written now. */
  #written: number
  /** The highest format of anything that was read or written. */
  #seen: number = FORMAT_LOWEST

  constructor(highest: number = FORMAT_VERSION) {
    this.highest = highest
    this.#written = highest
  }

  get written(): number {
    return this.#written
  }

  get seen(): number {
    return this.#seen
  }

  reads(format: number): boolean {
    return format >= FORMAT_LOWEST && format <= this.highest
  }

  /** Something of that format is here: who cannot read it cannot take part any more. */
  note(format: number): void {
    if (format > this.#seen) this.#seen = format
  }

  /** From now on `format` is written. It is one that this build reads. */
  write(format: number): void {
    if (!this.reads(format))
      throw new RangeError(`format ${format} is not one from ${FORMAT_LOWEST} to ${this.highest}`)
    if (format === this.#written) return
    this.onWrite(format)
    this.#written = format
  }
}
