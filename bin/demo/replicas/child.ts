/**
 * A process of the demo, as its parent sees it: it is called, it may be killed, and when it ends
 * whatever was asked of it fails.
 */
import { fork, type ChildProcess } from 'node:child_process'
import type { AnswerMessage, AnswerOf, ArgumentOf, CallMessage, Calls, ChildMessage } from './calls.ts'
import { UsageError } from '../usage-error.ts'

interface Pending {
  readonly name: string
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

export interface ChildOptions {
  /** The compiled program: `new URL('./name.js', import.meta.url)`, which holds in a bundle too. */
  readonly program: URL
  /** For messages, and to tell processes apart in a list of them. */
  readonly name: string
  readonly onNotice?: (notice: unknown) => void
}

export class Child<C extends Calls<C>> {
  readonly name: string
  /** Settles when the process has ended and all that it sent has been read. */
  readonly ended: Promise<void>
  readonly #process: ChildProcess
  readonly #pending = new Map<number, Pending>()
  readonly #onNotice: ((notice: unknown) => void) | undefined
  #callsCount = 0
  #hasEnded = false

  constructor({ program, name, onNotice }: ChildOptions) {
    this.name = name
    this.#onNotice = onNotice
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
    this.#process = fork(program, [name], { serialization: 'advanced', stdio: [...stdio] })
    this.#process.on('message', (message) => this.#told(message as ChildMessage)) // `serve-calls.ts` sends nothing else
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => this.#ends(error.message, resolve))
      this.#process.once('close', (code, signal) => this.#ends(`ended (${signal ?? code})`, resolve))
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Rejects with what the process threw, or if it ends before it answers. */
  call<K extends keyof C & string>(name: K, argument: ArgumentOf<C, K>): Promise<AnswerOf<C, K>> {
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) {
        reject(new Error(`${this.name} has ended and cannot ${name}`))
        return
      }
      const id = ++this.#callsCount
      this.#pending.set(id, { name, resolve: resolve as (answer: unknown) => void, reject })
      const message: CallMessage = { id, name, argument }
      this.#process.send(message, (error) => {
        // The end itself is told by 'close', after all that came before it.
        if (error !== null && !this.#hasEnded) this.#process.kill('SIGKILL')
      })
    })
  }

  /** The process cannot do anything about it, nor notice it. */
  kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    return this.ended
  }

  /** As `kill`, from where nothing can be waited for. */
  killNow(): void {
    this.#process.kill('SIGKILL')
  }

  #told(message: ChildMessage): void {
    if (message.kind === 'notice') this.#onNotice?.(message.notice)
    else this.#answered(message)
  }

  #answered(message: AnswerMessage): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.kind === 'answer') pending?.resolve(message.answer)
    else if (message.isUsage) pending?.reject(new UsageError(message.message))
    else pending?.reject(new Error(`${this.name} could not ${pending.name}: ${message.message}`))
  }

  #ends(why: string, resolve: () => void): void {
    this.#hasEnded = true
    for (const { name, reject } of this.#pending.values())
      reject(new Error(`${this.name} ${why} while asked to ${name}`))
    this.#pending.clear()
    resolve()
  }
}
