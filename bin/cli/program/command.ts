/**
 * What a command is: a description from which the program, its help, docs/cli.md and the completion
 * scripts are made, and the function that runs. One file per command in `commands/`, listed in
 * `commands.ts`.
 */
import type { ExitCode } from './exit-codes.ts'
import type { Output } from '../output/output.ts'

export interface ArgumentDescription {
  /**
   * `<key>`: needed; `[pattern]`: may be left out; `[values...]`: as many as there are, the last
   * one only.
   */
  readonly name: string
  readonly about: string
}

export interface OptionDescription {
  /** `--data <dir>`, `--text`, `--no-multicast`. */
  readonly flags: string
  readonly about: string
  /** May be given several times; the command sees a list. */
  readonly repeatable?: boolean
  readonly choices?: readonly string[]
}

/**
 * What a command is given when it runs. `parameters`: one per argument, the values of a last `...`
 * one behind each other.
 */
export interface Invocation<Options, Parameters = readonly string[]> {
  readonly parameters: Parameters
  readonly options: Options
  readonly output: Output
  /** Fires on SIGINT and SIGTERM, and when nobody reads the output any more. */
  readonly signal: AbortSignal
}

export interface CommandDescription<Options = object, Parameters = readonly string[]> {
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  /** What else is to be known: paragraphs. */
  readonly details?: string
  readonly arguments?: readonly ArgumentDescription[]
  readonly options?: readonly OptionDescription[]
  /** Command lines as people type them, without `warp`. */
  readonly examples?: readonly string[]
  /** Parameters and options that are not known are passed on as they are. Default `false`. */
  readonly passesThrough?: boolean
  /** `undefined`: 0. Throws what `failure.ts` knows. */
  run(invocation: Invocation<Options, Parameters>): Promise<ExitCode | undefined>
}

/** A command among others. */
export type AnyCommand = CommandDescription<never, never>

/**
 * Options that commands share are in `shared-options.ts`; the interface of a command's options
 * names them as commander does: camel case.
 */
export function command<Options extends object, Parameters extends readonly (string | undefined)[] = []>(
  description: CommandDescription<Options, Parameters>,
): AnyCommand {
  return description
}
