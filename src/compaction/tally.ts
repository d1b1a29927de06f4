/** How many operations the log holds that are part of a key. */
export class Tally {
  #operationsCount: number

  constructor(operationsCount: number) {
    this.#operationsCount = operationsCount
  }

  get operationsCount(): number {
    return this.#operationsCount
  }

  /** The log's operations have been replaced by so many. */
  set(operationsCount: number): void {
    this.#operationsCount = operationsCount
  }

  /** One more operation has become part of a key. */
  add(): void {
    this.#operationsCount++
  }

  /** A key's log has lost so many operations. */
  drop(operationsCount: number): void {
    this.#operationsCount -= operationsCount
  }
}
