/**
 * Programs of a bench that run in processes of their own: `bench/x-process.ts` hands its verbs to `serve`, and the bench asks for
 * them by name. Requests and replies travel over Node's channel between parent and child; what is measured does not.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a program can be asked: each verb takes one plain object or nothing. */
export type Verbs = Readonly<Record<string, (request: never) => unknown>>

interface Request {
  readonly number: number
  readonly verb: string
  readonly request: unknown
}

type Reply =
  { readonly number: number; readonly value: unknown } | { readonly number: number; readonly failure: string }

/** In the child. It ends when the parent lets go of it. */
export function serve(verbs: Verbs): void {
  process.on('message', (asked: Request) => void answer(verbs, asked))
  process.on('disconnect', () => process.exit(0))
}

async function answer(verbs: Verbs, { number, verb, request }: Request): Promise<void> {
  try {
    const called = verbs[verb] as (request: unknown) => unknown
    process.send?.({ number, value: await called(request) })
  } catch (error) {
    process.send?.({ number, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** In the bench: one running program. */
export class BenchProcess<Program extends Verbs> {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #number = 0

  /** Starts `dist/bench/<program>-process.js`. */
  constructor(program: string) {
    this.#child = fork(fileURLToPath(new URL(`../${program}-process.js`, import.meta.url)), {
      serialization: 'advanced',
    })
    this.#child.on('message', (reply: Reply) => this.#take(reply))
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} ended: ${signal ?? code}`))
      this.#waiting.clear()
    })
  }

  ask<Verb extends keyof Program & string>(
    verb: Verb,
    ...[request]: Parameters<Program[Verb]>
  ): Promise<Awaited<ReturnType<Program[Verb]>>> {
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      this.#child.send({ number, verb, request })
    })
  }

  /** Ends it, which it does not notice with SIGKILL. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    if (signal === 'SIGKILL') this.#child.kill(signal)
    else this.#child.disconnect()
    await ended
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.number)
    this.#waiting.delete(reply.number)
    if ('value' in reply) waiting?.resolve(reply.value)
    else waiting?.reject(new Error(reply.failure))
  }
}
