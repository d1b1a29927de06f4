/**
 * Which formats one engine reads, and the one that it writes. While any member of a cluster reads
 * an older format only, everybody writes that one; who decides that is replication. All that
 * encodes or decodes for one engine shares its `Formats`.
 */
import { WarpError } from '../../../crdt/warp-error.ts'
import { FORMAT_VERSION } from './format.ts'

/**
 * The oldest format that any build reads. A hello is written in it, so that everybody can read who
 * speaks what.
 */
export const FORMAT_LOWEST = 2

export class Formats {
  /** The highest format that this build reads and writes. */
  readonly highest: number
  /**
   * Called before the first thing of a later format is stored: from now on the log holds up to
   * `format`.
   */
  onStore: (format: number) => void = () => undefined
  /** Says who keeps the cluster from writing a format. Set by replication. */
  heldBackBy: (format: number) => string = () => 'no other member has been heard yet'
  /** What is written now. */
  #written: number
  /**
   * The highest format of anything that was read or written here: what the log holds, or is about
   * to.
   */
  #held: number = FORMAT_LOWEST
  /** The highest format of anything that was written anywhere, as far as that is known. */
  #seen: number = FORMAT_LOWEST

  constructor(highest: number = FORMAT_VERSION) {
    this.highest = highest
    this.#written = highest
  }

  get written(): number {
    return this.#written
  }

  get held(): number {
    return this.#held
  }

  get seen(): number {
    return this.#seen
  }

  /** The format for the log's segments: nothing in the log is of a later one. */
  get stored(): number {
    return Math.max(this.#written, this.#held)
  }

  reads(format: number): boolean {
    return format >= FORMAT_LOWEST && format <= this.highest
  }

  /** Something of that format is somewhere: who cannot read it cannot take part any more. */
  note(format: number): void {
    if (format > this.#seen) this.#seen = format
  }

  /**
   * Something of that format lies here. Throws `WARP_E_PROTOCOL` if this build does not read it;
   * `what` names it.
   */
  take(format: number, what: string): void {
    if (!this.reads(format)) throw this.#unread(format, what)
    if (format > this.#held) this.#hold(format)
  }

  /** The format of what is being written now. */
  forWriting(): number {
    if (this.#written > this.#held) this.#hold(this.#written)
    return this.#written
  }

  /**
   * Throws `WARP_E_PROTOCOL`, naming who holds it back, unless `format` is written, which `feature`
   * needs.
   */
  require(format: number, feature: string): void {
    if (this.#written >= format) return
    throw new WarpError(
      'WARP_E_PROTOCOL',
      `${feature} needs format ${format}, and this cluster writes format ${this.#written}: ${this.heldBackBy(format)}`,
      { details: { format, written: this.#written } },
    )
  }

  /** From now on `format` is written. It is one that this build reads. */
  write(format: number): void {
    if (!this.reads(format))
      throw new RangeError(`format ${format} is not one from ${FORMAT_LOWEST} to ${this.highest}`)
    if (format === this.#written) return
    this.#written = format
    this.onStore(this.stored)
  }

  #hold(format: number): void {
    this.#held = format
    this.note(format)
    this.onStore(this.stored)
  }

  #unread(format: number, what: string): WarpError {
    const range = this.highest === FORMAT_LOWEST ? `${FORMAT_LOWEST}` : `${FORMAT_LOWEST} to ${this.highest}`
    const remedy =
      format > this.highest ? 'upgrade this replica' : 'take its data over with warp export and warp import'
    return new WarpError(
      'WARP_E_PROTOCOL',
      `${what} of format ${format}; this build reads format ${range}; ${remedy}`,
      {
        details: { version: format },
      },
    )
  }
}
