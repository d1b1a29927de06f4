/**
 * Programs that run in processes of their own for a test or a bench: `x-process.ts` hands its verbs to `serve`, and the parent asks for
 * them by name. Requests and replies travel over Node's channel between parent and child. A program runs from `dist/`, under plain Node.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DIST } from './root.ts'

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

export interface ChildOptions {
  /** Runs it as the last words of that command (`ip netns exec NAME`, say). */
  readonly under?: readonly string[]
  /** Hears what it prints, line by line. Default: it prints where its parent does. */
  readonly onLine?: (line: string) => void
}

/** In the parent: one running program. */
export class ChildProgram<Program extends Verbs> {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #number = 0

  /** How it ended: an exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals>

  /** Starts `dist/<program>-process.js`. */
  constructor(program: string, options: ChildOptions = {}) {
    const words = [
      ...(options.under ?? []),
      process.execPath,
      ...process.execArgv.filter((parameter) => parameter === '--expose-gc'),
      path.join(DIST, `${program}-process.js`),
    ]
    this.#child = spawn(words[0] as string, words.slice(1), {
      stdio: ['ignore', options.onLine === undefined ? 'inherit' : 'pipe', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#child.on('message', (reply: Reply) => this.#take(reply))
    if (options.onLine !== undefined) this.#hear(options.onLine)
    const ended = (why: string): void => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} ended: ${why}`))
      this.#waiting.clear()
    }
    this.#child.on('error', (error) => ended(error.message))
    // 'close' follows 'exit' once everything that it printed has been read.
    this.ended = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve(signal ?? code ?? 0))
    })
    this.#child.on('exit', (code, signal) => ended(signal ?? String(code)))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
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

  /** Stops it where it stands; it has stopped when the promise settles. Until `go` it hears and says nothing. */
  async stop(): Promise<void> {
    this.#child.kill('SIGSTOP')
    while (!(await this.#isStopped())) await setImmediate()
  }

  go(): void {
    this.#child.kill('SIGCONT')
  }

  async #isStopped(): Promise<boolean> {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(this.#child.pid)])
    return stdout.trim().startsWith('T')
  }

  /** Ends it, which it does not notice with SIGKILL. Idempotent. */
  async end(how: 'disconnect' | 'SIGKILL' = 'disconnect'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    if (how === 'SIGKILL') this.#child.kill(how)
    else this.#child.disconnect()
    await ended
  }

  /** Whole lines alone: half a line is what a killed process did not get to say. */
  #hear(onLine: (line: string) => void): void {
    let rest = ''
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    })
  }

  #take(reply: Reply): void {
    const waiting = this.#waiting.get(reply.number)
    this.#waiting.delete(reply.number)
    if ('value' in reply) waiting?.resolve(reply.value)
    else waiting?.reject(new Error(reply.failure))
  }
}
