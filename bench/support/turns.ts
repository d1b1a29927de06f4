/**
 * How long the event loop is held, from one of its turns to the next: no longer than the processor's
 * time of the process, which counts V8's own threads as well, and no longer than the clock on the wall
 * says, which counts what other processes take. The lesser of the two is shown.
 */

/** The longest time in milliseconds that `work` held the event loop, and what it gave. */
export interface Held<Result> {
  readonly heldMs: number
  readonly result: Result
}

/** Looks at both clocks in each turn of the event loop. */
export class TurnWatch {
  #isRunning = true
  #lastProcessorMs = processorMs()
  #lastWallMs = performance.now()
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
    const [byProcessor, byWall] = [processorMs(), performance.now()]
    const heldMs = Math.min(byProcessor - this.#lastProcessorMs, byWall - this.#lastWallMs)
    this.#heldMs = Math.max(this.#heldMs, heldMs)
    this.#lastProcessorMs = byProcessor
    this.#lastWallMs = byWall
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
