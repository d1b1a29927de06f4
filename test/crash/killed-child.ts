/**
 * Runs a program of `dist/test/crash` under plain Node and kills it with SIGKILL once it has said enough.
 *
 * When to kill is counted in lines, not in time: the number is seeded, and the moment that it falls on (in the middle of an
 * append, of a flush, of writing a checkpoint) is the operating system's dice. The child writes to its pipe synchronously, so
 * a line that was said has arrived even if the child dies in the next instruction.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface KillPlan {
  /** The program's name: `x` for `x-process.ts`. */
  readonly program: string
  readonly arguments: readonly string[]
  /** Kills the child when it has said so many lines that begin with `acked`; 0 kills it when it says `starting`. */
  readonly afterAcked: number
}

/** The whole lines that the child said before it died. Throws if it ended by itself. */
export async function linesUntilKilled(plan: KillPlan): Promise<string[]> {
  const program = fileURLToPath(new URL(`../../dist/test/crash/${plan.program}-process.js`, import.meta.url))
  const child = spawn(process.execPath, [program, ...plan.arguments], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'close')
  let said = ''
  let complaint = ''
  let counted = 0
  let acked = 0
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    for (let end = said.indexOf('\n', counted); end >= 0; end = said.indexOf('\n', counted)) {
      const line = said.slice(counted, end)
      counted = end + 1
      if (line.startsWith('acked')) acked++
      if (plan.afterAcked === 0 ? line === 'starting' : acked >= plan.afterAcked) child.kill('SIGKILL')
    }
  })
  const [, signal] = (await exited) as [number | null, NodeJS.Signals | null]
  if (signal !== 'SIGKILL') throw new Error(`${plan.program} ended by itself: ${complaint}`)
  return said.split('\n').slice(0, -1)
}

/** Cycles of killing and opening again: `CYCLES` if it is set, else so many, or 200 under `npm run soak`. */
export function cycleCount(usual: number): number {
  return Number.parseInt(process.env['CYCLES'] ?? '', 10) || (process.env['SOAK'] === '1' ? 200 : usual)
}
