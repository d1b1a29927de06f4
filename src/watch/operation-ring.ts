/**
 * The newest operations in a fixed space, shared by all watches: two stores and two pointers per
 * operation. Lives that have ended stand between them, where they were told.
 */
import type { Position } from '../operation/position.ts'
import type { Expired } from '../store/expirations/expirations.ts'

/** The newest operations: key, version and position of each, by a count that only grows. */
export class OperationRing {
  #keys: string[]
  #versions: Float64Array
  #positions: Float64Array
  readonly #expired: (Expired | undefined)[]
  /** Operations seen so far; the newest has number `count - 1`. */
  count = 0

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    this.#keys = new Array<string>(capacity)
    this.#versions = new Float64Array(capacity)
    this.#positions = new Float64Array(capacity)
    this.#expired = new Array<Expired | undefined>(capacity).fill(undefined)
  }

  get capacity(): number {
    return this.#positions.length
  }

  push(key: string, version: number, position: Position): void {
    const at = this.count++ & (this.capacity - 1)
    this.#keys[at] = key
    this.#versions[at] = version
    this.#positions[at] = position
    this.#expired[at] = undefined
  }

  /** `position` is that of the newest operation before. */
  pushExpired(expired: Expired, position: Position): void {
    this.push(expired.key, expired.version, position)
    this.#expired[(this.count - 1) & (this.capacity - 1)] = expired
  }

  /** The end of a life, if there is one in the place of an operation. */
  expired(number: number): Expired | undefined {
    return this.#expired[number & (this.capacity - 1)]
  }

  key(number: number): string {
    return this.#keys[number & (this.capacity - 1)] as string
  }

  version(number: number): number {
    return this.#versions[number & (this.capacity - 1)]!
  }

  position(number: number): Position {
    return this.#positions[number & (this.capacity - 1)]!
  }
}
