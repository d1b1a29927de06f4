/**
 * Runs `warp` as users do: the built program in a process of its own, without a terminal. Whatever a test starts is gone when it is over.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const WARP: string = fileURLToPath(new URL('../../dist/bin/warp.js', import.meta.url))

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
  readonly env?: Readonly<Record<string, string>>
}

/** A program that runs until it is told to end. */
export interface Running {
  readonly pid: number
  /** The first line of stdout, from here on, that matches. Rejects when the program ends before. */
  line(pattern: RegExp): Promise<string>
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
  const { cwd, env, input = '' } = options
  const child = spawn(process.execPath, [WARP, ...parameters], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...environment(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // A program that does not read its input to the end is no failure of the test's.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return follow(child)
}

/** Nothing of the developer's own settings changes what is printed. */
function environment(): NodeJS.ProcessEnv {
  const { WARP_CLUSTER_KEY: _key, NO_COLOR: _colour, ...rest } = process.env
  return rest
}

function follow(child: ChildProcessByStdio<Writable, Readable, Readable>): Running {
  let stdout = ''
  let stderr = ''
  let seen = 0
  let wake: () => void = () => undefined
  let outcome: Outcome | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    wake()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const ended = new Promise<Outcome>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(deadline)
      outcome = { code, stdout, stderr }
      resolve(outcome)
      wake()
    })
  })
  const nextLine = (pattern: RegExp): string | undefined => {
    for (let end = stdout.indexOf('\n', seen); end >= 0; end = stdout.indexOf('\n', seen)) {
      const line = stdout.slice(seen, end)
      seen = end + 1
      if (pattern.test(line)) return line
    }
    return undefined
  }
  return {
    pid: child.pid ?? 0,
    ended,
    signal: (signal) => void child.kill(signal),
    line: async (pattern) => {
      for (;;) {
        const found = nextLine(pattern)
        if (found !== undefined) return found
        if (outcome !== undefined) throw new Error(`it ended without ${String(pattern)}: ${stdout}${stderr}`)
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
