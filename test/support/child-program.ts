/**
 * Programs that run in processes of their own for a test or a bench: `x-process.ts` hands its verbs to `serve`, and the parent asks for
 * them by name. Requests and replies travel over Node's channel between parent and child. A program runs from `dist/`, under plain Node.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
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

/** In the child. It ends when the parent lets go of it or dies. */
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

/** This file is `test/support/child-program.ts`, or the same below `dist/`. */
const HERE = fileURLToPath(new URL('../..', import.meta.url))
const DIST = path.basename(HERE) === 'dist' ? HERE : path.join(HERE, 'dist')

/** In the parent: one running program. */
export class ChildProgram<Program extends Verbs> {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #number = 0

  /** Starts `dist/<program>-process.js`; with `under`, as the last words of that command (`ip netns exec NAME`, say). */
  constructor(program: string, options: { readonly under?: readonly string[] } = {}) {
    const words = [
      ...(options.under ?? []),
      process.execPath,
      ...process.execArgv.filter((parameter) => parameter === '--expose-gc'),
      path.join(DIST, `${program}-process.js`),
    ]
    this.#child = spawn(words[0] as string, words.slice(1), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#child.on('message', (reply: Reply) => this.#take(reply))
    const ended = (why: string): void => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} ended: ${why}`))
      this.#waiting.clear()
    }
    this.#child.on('error', (error) => ended(error.message))
    this.#child.on('exit', (code, signal) => ended(signal ?? String(code)))
  }

  ask<Verb extends keyof Program & string>(
    verb: Verb,
    ...[request]: Parameters<Program[Verb]>
  ): Promise<Awaited<ReturnType<Program[Verb]>>> {
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      this.#child.send({ number, verb, request }, (error) => {
        if (error !== null) reject(error)
      })
    })
  }

  /** Ends it, which it does not notice with SIGKILL. Idempotent. */
  async end(how: 'disconnect' | 'SIGKILL' = 'disconnect'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    if (how === 'SIGKILL') this.#child.kill(how)
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
