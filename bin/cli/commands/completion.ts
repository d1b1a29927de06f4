/** `warp completion SHELL`. */
import { command, type AnyCommand } from '../program/command.ts'
import { SHELLS, completionScript } from '../program/completion.ts'
import { UsageError } from '../program/failure.ts'

/** Given the other commands, since it cannot import the list that it is in. */
export function completionCommand(others: readonly AnyCommand[]): AnyCommand {
  const made: AnyCommand = command<object, [shell: string]>({
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    arguments: [{ name: '<shell>', about: SHELLS.join(', ') }],
    examples: ['completion bash > ~/.local/share/bash-completion/completions/warp', 'completion fish | source'],
    async run({ parameters: [name], output }) {
      const shell = SHELLS.find((known) => known === name)
      if (shell === undefined)
        throw new UsageError(`there is no completion for '${name}'; there is for ${SHELLS.join(', ')}`)
      const script = completionScript(shell, [...others, made])
      await (output.isJson ? output.json(script) : output.write(script))
      return undefined
    },
  })
  return made
}
