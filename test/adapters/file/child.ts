/** Runs `holder-process.ts` as users would run the package: from `dist/`, under plain Node. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../../dist/test/adapters/file/holder-process.js', import.meta.url))

export interface Child {
  readonly pid: number
  ask(command: string): Promise<string>
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>
}

/**
 * `inside` is a command that runs what follows it, such as `unshare` with its options: it has to
 * die with its child.
 */
export function startChild(...inside: readonly string[]): Child {
  const [command, ...parameters] = [...inside, process.execPath, PROGRAM]
  const process_: ChildProcess = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'inherit'] })
  const { stdin, stdout, pid } = process_
  if (stdin === null || stdout === null || pid === undefined) throw new Error(`cannot run ${PROGRAM}`)
  const exited = once(process_, 'close')
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return {
    pid,
    ask: async (command) => {
      stdin.write(`${command}\n`)
      const answer = await answers.next()
      if (answer.done === true) throw new Error(`the child ended without an answer to "${command}"`)
      return answer.value
    },
    kill: async () => {
      process_.kill('SIGKILL')
      await exited
    },
  }
}
