/**
 * The program, made from the descriptions of its commands. Commander parses, refuses and suggests;
 * nothing outside of this folder knows it. What a command returned is told to `onDone`, so that
 * parsing and running stay apart.
 */
import { Command, CommanderError, Option } from 'commander'
import type { AnyCommand, Invocation, OptionDescription } from './command.ts'
import { EXIT, EXIT_MEANINGS, type ExitCode } from './exit-codes.ts'
import { UsageError } from './failure.ts'

export interface ProgramOptions {
  readonly version: string
  readonly commands: readonly AnyCommand[]
  /** Runs one command with what the command line says. */
  readonly run: (command: AnyCommand, given: Pick<Invocation<object>, 'parameters' | 'options'>) => Promise<ExitCode>
  readonly onDone: (exitCode: ExitCode) => void
}

const JSON_OPTION: OptionDescription = { flags: '--json', about: 'print JSON: one value, or one per line' }

/** Errors are thrown as well, and printed like all others. */
const SILENT = { outputError: (): void => undefined }

export function createProgram({ version, commands, run, onDone }: ProgramOptions): Command {
  const program = new Command('warp')
    .description('Looks into the logs of Warp, changes them, and runs replicas.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help')
    .addHelpText('after', `\n${exitCodeHelp()}`)
    .exitOverride()
    .configureOutput(SILENT)
  for (const description of commands) {
    program.addCommand(
      commandOf(description).action(async (...given: unknown[]) => {
        // Commander passes the arguments, then the options, then itself.
        const options = given.at(-2) as object
        onDone(await run(description, { parameters: given.slice(0, -2).flat() as string[], options }))
      }),
    )
  }
  return program
}

function commandOf(description: AnyCommand): Command {
  const made = new Command(description.name).summary(description.summary).exitOverride().configureOutput(SILENT)
  made.description(descriptionOf(description)).helpOption('-h, --help', 'show help')
  for (const { name, about } of description.arguments ?? []) made.argument(name, about)
  for (const option of description.options ?? []) made.addOption(optionOf(option))
  if (description.passesThrough === true) made.allowUnknownOption().helpOption(false)
  else made.addOption(optionOf(JSON_OPTION))
  const { examples = [] } = description
  if (examples.length > 0) {
    made.addHelpText('after', ['\nExamples:', ...examples.map((example) => `  $ warp ${example}`)].join('\n'))
  }
  return made
}

function descriptionOf({ summary, details }: AnyCommand): string {
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`
  return details === undefined ? sentence : `${sentence}\n\n${details}`
}

function optionOf({ flags, about, repeatable, choices }: OptionDescription): Option {
  const option = new Option(flags, about)
  if (choices !== undefined) option.choices([...choices])
  if (repeatable === true) {
    option.argParser<readonly string[]>((value, earlier: readonly string[] | undefined) => [...(earlier ?? []), value])
  }
  return option
}

function exitCodeHelp(): string {
  const lines = EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(5)} ${meaning}`)
  return ['Exit codes:', ...lines].join('\n')
}

/**
 * Commander throws to end: with 0 for what was asked for (help, version); or because the line is
 * wrong, which is a `UsageError`, or was empty, and then it has printed the help. `undefined` if it
 * is no error of Commander's.
 */
export function endOfCommander(error: unknown): ExitCode | UsageError | undefined {
  if (!(error instanceof CommanderError)) return undefined
  if (error.exitCode === 0) return EXIT.ok
  if (error.code === 'commander.help') return EXIT.usage
  return new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' '))
}
