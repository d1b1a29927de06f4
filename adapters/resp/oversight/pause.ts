/** CLIENT PAUSE: commands, or those that write, wait until a moment, in the order of each connection. */
import type { CommandFacts } from '../call/command-facts.ts'
import type { Env, Timer } from '../../../src/ports/env.ts'

/** Commands that write by what they are given, or that others hear of. */
const MAY_WRITE: ReadonlySet<string> = new Set(['EVAL', 'EVALSHA', 'FCALL', 'EXEC', 'PUBLISH', 'SPUBLISH'])

export class Pause {
  readonly #env: Env
  #isForAll = false
  #timer: Timer | undefined
  #untilMs = 0
  #waiting: (() => void)[] = []

  constructor(env: Env) {
    this.#env = env
  }

  get isOn(): boolean {
    return this.#timer !== undefined
  }

  /** A pause under way is only made longer, and stricter. */
  begin(ms: number, isForAll: boolean): void {
    const untilMs = Math.max(this.#untilMs, this.#env.monotonic() + ms)
    this.#isForAll ||= isForAll
    this.#untilMs = untilMs
    this.#timer?.cancel()
    this.#timer = this.#env.schedule(untilMs - this.#env.monotonic(), () => this.end())
  }

  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#untilMs = 0
    this.#isForAll = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const goOn of waiting) goOn()
  }

  holds({ name, flags }: CommandFacts): boolean {
    if (!this.isOn || name === 'CLIENT UNPAUSE') return false
    return this.#isForAll || flags.includes('write') || MAY_WRITE.has(name)
  }

  over(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
