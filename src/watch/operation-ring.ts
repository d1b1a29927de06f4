/**
 * The newest operations in a fixed space, shared by all watches: two stores and a pointer per
 * operation.
 */
import type { Position } from '../operation/position.ts'

/** The newest operations: key, version and position of each, by a count that only grows. */
export class OperationRing {
  #keys: string[]
  #versions: Float64Array
  #positions: Float64Array
  /** Operations seen so far; the newest has number `count - 1`. */
  count = 0

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    this.#keys = new Array<string>(capacity)
    this.#versions = new Float64Array(capacity)
    this.#positions = new Float64Array(capacity)
  }

  get capacity(): number {
    return this.#positions.length
  }

  push(key: string, version: number, position: Position): void {
    const at = this.count++ & (this.capacity - 1)
    this.#keys[at] = key
    this.#versions[at] = version
    this.#positions[at] = position
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
