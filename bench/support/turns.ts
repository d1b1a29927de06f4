/**
 * How long the event loop is held: the processor time from one of its turns to the next, that of
 * V8's own threads included. The clock on the wall would count what other processes take as well.
 */

/** The longest time in milliseconds that `work` held the event loop, and what it gave. */
export interface Held<Result> {
  readonly heldMs: number
  readonly result: Result
}

/** Looks at the processor's time in each turn of the event loop. */
export class TurnWatch {
  #isRunning = true
  #last = processorMs()
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
    const now = processorMs()
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

function processorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
