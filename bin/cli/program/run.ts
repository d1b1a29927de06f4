/** From a command line to an exit code. The only place that prints errors. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { AnyCommand, Invocation } from './command.ts'
import { COMMANDS } from './commands.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { UsageError, failureOf } from './failure.ts'
import { Interruption } from './interruption.ts'
import { Output } from '../output/output.ts'
import { packageVersion } from '../../../adapters/control/package-version.ts'
import { createProgram, endOfCommander } from './program.ts'
import { jsonLine, printable, printableText } from '../values.ts'

/** `parameters`: without `node` and the program's name. */
export async function runWarp(parameters: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok
  // Help and version are printed before any command has its output, and nobody may read them
  // (`warp --help | head`): no reason to fail. A command knows by its output.
  process.stdout.on('error', () => undefined)
  const program = createProgram({
    version: packageVersion(),
    commands: COMMANDS,
    run: runCommand,
    onDone: (code) => (exitCode = code),
  })
  try {
    await program.parseAsync(parameters, { from: 'user' })
    return exitCode
  } catch (error) {
    const ended = endOfCommander(error)
    if (ended === undefined) throw error
    return ended instanceof UsageError ? report(ended, new Output(parameters.includes('--json'))) : ended
  }
}

async function runCommand(
  command: AnyCommand,
  given: Pick<Invocation<object>, 'parameters' | 'options'>,
): Promise<ExitCode> {
  const output = new Output('json' in given.options && given.options.json === true)
  const interruption = new Interruption()
  const signal = AbortSignal.any([interruption.signal, output.gone])
  const run = command.run as (invocation: Invocation<object>) => Promise<ExitCode | undefined>
  try {
    const exitCode = await run({ ...given, output, signal })
    // What could not be written is known a turn later.
    await nextTurn()
    if (output.failure !== undefined) return report(output.failure, output)
    return exitCode ?? interruption.exitCode ?? EXIT.ok
  } catch (error) {
    if (output.failure !== undefined) return report(output.failure, output)
    if (output.gone.aborted) return EXIT.ok
    if (interruption.exitCode !== undefined && isWarpError(error, 'WARP_E_ABORTED')) return interruption.exitCode
    return report(error, output)
  }
}

/** The engine's messages tell programs what to do; this is how the same is done here. */
const HINTS: Readonly<Record<string, string>> = {
  WARP_E_LOG_LOCKED: 'commands reach a folder through the process that holds it if that is warp start or warp watch',
  WARP_E_MODE: 'warp do KEY VERB uses the verbs of a strategy',
  WARP_E_UNREGISTERED_KEY: "--key 'PATTERN=STRATEGY', or keys in the configuration, says what a key means",
}

function report(error: unknown, output: Output): ExitCode {
  const { exitCode, ...failure } = failureOf(error)
  if (output.isJson) process.stderr.write(`${jsonLine({ error: failure })}\n`)
  else {
    // A stack is the only message of more than one line.
    const shown = failure.code === 'INTERNAL' ? printableText : printable
    output.note(`${failure.code}: ${shown(failure.message)}`)
    const hint = HINTS[failure.code]
    if (hint !== undefined) output.note(hint)
  }
  return exitCode
}
