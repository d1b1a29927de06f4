/**
 * Being asked to stop. The first SIGINT, SIGTERM or SIGHUP tells the command, which finishes what it must
 * (a log is closed, a replica leaves the mesh); the second ends the process at once, which a log
 * survives. A command that has another use for SIGHUP listens to it itself.
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
    process.on('SIGHUP', () => {
      if (process.listenerCount('SIGHUP') === 1) this.#interrupted(EXIT.hungUp)
    })
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
