/**
 * Runs `warp` as users do: the bundled program in a process of its own, without a terminal. Whatever a test starts is gone when it is over.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const WARP: string = fileURLToPath(new URL('../../lib/warp.js', import.meta.url))

/** What takes longer hangs. */
const DEADLINE_MS = 30_000

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** The current folder. Default: this process's, which no configuration is in. */
  readonly cwd?: string
  readonly input?: string | Uint8Array
  /** More input may come, and does not. */
  readonly inputStays?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Who runs it. Default: whoever runs the tests. */
  readonly uid?: number
}

/** A program that runs until it is told to end. */
export interface Running {
  readonly pid: number
  /** The first line of stdout, from here on, that matches. Rejects when the program ends before. */
  line(pattern: RegExp): Promise<string>
  /** The same of stderr. */
  errorLine(pattern: RegExp): Promise<string>
  signal(signal: NodeJS.Signals): void
  readonly ended: Promise<Outcome>
}

/** Runs it to its end. */
export async function warp(parameters: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return startWarp(parameters, options).ended
}

/** As `warp`, and throws unless it ends with code 0. Gives stdout. */
export async function warpOk(parameters: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await warp(parameters, options)
  if (code !== 0) throw new Error(`warp ${parameters.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}

/** The lines of stdout as JSON. */
export async function warpJson(parameters: readonly string[], options: RunOptions = {}): Promise<unknown[]> {
  const stdout = await warpOk([...parameters, '--json'], options)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

export function startWarp(parameters: readonly string[], options: RunOptions = {}): Running {
  const { cwd, env, input = '', inputStays = false } = options
  const child = spawn(process.execPath, [WARP, ...parameters], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...environment(), ...env },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A program that does not read its input to the end is no failure of the test's.
  child.stdin.on('error', () => undefined)
  child.stdin.write(input)
  if (!inputStays) child.stdin.end()
  return follow(child)
}

/** On a loud machine anything may take long enough for the command to say so. */
export function withoutProgress(stderr: string): string {
  return stderr.replaceAll(/^[a-z]+ing .*: (?:\d.*, )?\d+ s\n/gm, '')
}

/** Nothing of the developer's own settings changes what is printed. */
function environment(): NodeJS.ProcessEnv {
  const { WARP_CLUSTER_KEY: _key, NO_COLOR: _colour, ...rest } = process.env
  return rest
}

function follow(child: ChildProcessByStdio<Writable, Readable, Readable>): Running {
  let outcome: Outcome | undefined
  const stdout = new Lines(child.stdout)
  const stderr = new Lines(child.stderr)
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const ended = new Promise<Outcome>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(deadline)
      outcome = { code, stdout: stdout.text, stderr: withoutProgress(stderr.text) }
      resolve(outcome)
      stdout.wake()
      stderr.wake()
    })
  })
  const lineOf = async (lines: Lines, pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = lines.next(pattern)
      if (found !== undefined) return found
      if (outcome !== undefined) throw new Error(`it ended without ${String(pattern)}: ${stdout.text}${stderr.text}`)
      await new Promise<void>((resolve) => (lines.wake = resolve))
    }
  }
  return {
    pid: child.pid ?? 0,
    ended,
    signal: (signal) => void child.kill(signal),
    line: (pattern) => lineOf(stdout, pattern),
    errorLine: (pattern) => lineOf(stderr, pattern),
  }
}

/** What a stream has said, and how far it has been read. */
class Lines {
  text = ''
  wake: () => void = () => undefined
  #seen = 0

  constructor(stream: Readable) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
      this.wake()
    })
  }

  next(pattern: RegExp): string | undefined {
    for (let end = this.text.indexOf('\n', this.#seen); end >= 0; end = this.text.indexOf('\n', this.#seen)) {
      const line = this.text.slice(this.#seen, end)
      this.#seen = end + 1
      if (pattern.test(line)) return line
    }
    return undefined
  }
}
