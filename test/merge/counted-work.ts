import { STEP, type Meter } from '../../src/operation/budget.ts'

/** Does work in steps, and counts what they say they do. */
export class CountedWork implements Meter {
  total = 0
  /** In one step. */
  most = 0
  steps = 1
  #inStep = 0

  spend(operations: number): void {
    this.total += operations
    this.#inStep += operations
    this.most = Math.max(this.most, this.#inStep)
  }

  get isSpent(): boolean {
    return this.#inStep >= STEP.operations
  }

  finish<Result>(work: Generator<void, Result>): Result {
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
      this.steps++
      this.#inStep = 0
    }
  }
}
