/** How long the event loop is held: the time from one of its turns to the next. */

/** The longest time in milliseconds that `work` held the event loop, and what it gave. */
export interface Held<Result> {
  readonly heldMs: number
  readonly result: Result
}

/** Looks at the clock in each turn of the event loop. */
export class TurnWatch {
  #isRunning = true
  #last = performance.now()
  #heldMs = 0

  constructor() {
    this.#look()
  }

  /** The longest time between two turns so far. */
  get heldMs(): number {
    return this.#heldMs
  }

  stop(): number {
    this.#note()
    this.#isRunning = false
    return this.#heldMs
  }

  #look(): void {
    if (!this.#isRunning) return
    this.#note()
    setImmediate(() => this.#look())
  }

  #note(): void {
    const now = performance.now()
    this.#heldMs = Math.max(this.#heldMs, now - this.#last)
    this.#last = now
  }
}

/** Does work and watches the turns of the loop meanwhile. */
export async function held<Result>(work: () => Result | Promise<Result>): Promise<Held<Result>> {
  // What was left over from before is not the work's.
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc?.()
  const watch = new TurnWatch()
  try {
    const result = await work()
    await new Promise((resolve) => setImmediate(resolve))
    return { heldMs: watch.stop(), result }
  } finally {
    watch.stop()
  }
}
