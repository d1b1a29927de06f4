/**
 * Runs a program of `dist/test/crash` under plain Node and stops, continues and kills it once it has said enough.
 *
 * When that happens is counted in lines, not in time: the number is seeded, and the moment that it falls on (in the middle of an
 * append, of a flush, of writing a checkpoint) is the operating system's dice. The child writes to its pipe synchronously, so
 * a line that was said has arrived even if the child dies in the next instruction.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { byExtent } from '../support/extent.ts'

export interface Program {
  /** The program's name: `x` for `x-process.ts`. */
  readonly program: string
  readonly arguments: readonly string[]
}

export interface KillPlan extends Program {
  /** Kills the child when it has said so many lines that begin with `acked`; 0 kills it when it says `starting`. */
  readonly afterAcked: number
}

export class CrashChild {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #ended: Promise<NodeJS.Signals | null>
  readonly #lines: string[] = []
  readonly #program: string
  #acked = 0
  #rest = ''
  #complaint = ''
  #hasEnded = false
  #heard: () => void = () => undefined

  constructor({ program, arguments: parameters }: Program) {
    const file = fileURLToPath(new URL(`../../dist/test/crash/${program}-process.js`, import.meta.url))
    this.#program = program
    this.#child = spawn(process.execPath, [file, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#complaint += text))
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    this.#ended = once(this.#child, 'close').then(([, signal]) => {
      this.#hasEnded = true
      this.#heard()
      return signal as NodeJS.Signals | null
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** How many lines that begin with `acked` have arrived. */
  get ackedCount(): number {
    return this.#acked
  }

  /** Waits for so many lines that begin with `acked`; 0 waits until it says `starting`. Throws if it ends before. */
  async hasAcked(count: number): Promise<void> {
    while (count === 0 ? !this.#lines.includes('starting') : this.#acked < count) {
      if (this.#hasEnded) throw new Error(`${this.#program} ended by itself: ${this.#complaint}`)
      await new Promise<void>((resolve) => (this.#heard = resolve))
    }
  }

  /** SIGSTOP; resolves when it stands still. Linux alone tells. */
  async stop(): Promise<void> {
    this.#child.kill('SIGSTOP')
    while (!readFileSync(`/proc/${this.pid}/stat`, 'utf8').includes(') T '))
      await new Promise((resolve) => setImmediate(resolve))
  }

  /** SIGCONT. */
  continue(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGKILL, which a stopped process does not outlive either. Gives the whole lines that it said. Throws if it had ended by itself. */
  async kill(): Promise<readonly string[]> {
    this.#child.kill('SIGKILL')
    if ((await this.#ended) !== 'SIGKILL') throw new Error(`${this.#program} ended by itself: ${this.#complaint}`)
    return this.#lines
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('acked')) this.#acked++
    this.#lines.push(...lines)
    this.#heard()
  }
}

/** The whole lines that the child said before it died. Throws if it ended by itself. */
export async function linesUntilKilled(plan: KillPlan): Promise<readonly string[]> {
  const child = new CrashChild(plan)
  await child.hasAcked(plan.afterAcked)
  return child.kill()
}

/** Cycles of killing and opening again: `CYCLES` if it is set, else so many in CI, a third of them in `npm test`, 200 in a soak. */
export function cycleCount(usual: number): number {
  return (
    Number.parseInt(process.env['CYCLES'] ?? '', 10) || byExtent({ some: Math.ceil(usual / 3), all: usual, soak: 200 })
  )
}
