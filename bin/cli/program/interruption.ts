/**
 * Being asked to stop. The first SIGINT or SIGTERM tells the command, which finishes what it must
 * (a log is closed, a replica leaves the mesh); the second ends the process at once, which a log
 * survives.
 */
import { EXIT, type ExitCode } from './exit-codes.ts'

export class Interruption {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  #exitCode: ExitCode | undefined

  constructor() {
    this.signal = this.#controller.signal
    process.on('SIGINT', () => this.#interrupted(EXIT.interrupted))
    process.on('SIGTERM', () => this.#interrupted(EXIT.terminated))
  }

  /** `undefined` while nobody has asked. */
  get exitCode(): ExitCode | undefined {
    return this.#exitCode
  }

  #interrupted(exitCode: ExitCode): void {
    if (this.#exitCode !== undefined) process.exit(exitCode)
    this.#exitCode = exitCode
    this.#controller.abort()
  }
}
