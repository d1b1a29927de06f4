/**
 * Completion scripts for shells, made from the commands' descriptions: commands, options, and the
 * choices of options. What an option takes beside that, and parameters, is completed as a file
 * name.
 */
import type { AnyCommand, OptionDescription } from './command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export function completionScript(shell: Shell, commands: readonly AnyCommand[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(commands)
    case 'zsh':
      return zshScript(commands)
    case 'fish':
      return fishScript(commands)
  }
}

/** `--data`, without what it takes. */
function nameOf({ flags }: OptionDescription): string {
  return flags.split(' ')[0] ?? flags
}

/** Every command has these two, unless it passes everything on. */
function optionsOf(command: AnyCommand): readonly OptionDescription[] {
  if (command.passesThrough === true) return command.options ?? []
  return [...(command.options ?? []), { flags: '--json', about: 'print JSON' }, { flags: '--help', about: 'show help' }]
}

function takesValue({ flags }: OptionDescription): boolean {
  return flags.includes('<')
}

function bashScript(commands: readonly AnyCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ')
  const cases = commands.map((command) => {
    const words = optionsOf(command).map(nameOf).join(' ')
    return `    ${command.name}) words='${words}' ;;`
  })
  return `# bash completion of warp: eval "$(warp completion bash)"
_warp() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names} help --help --version' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
    help) words='${names}' ;;
${cases.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) if [ "\${COMP_WORDS[1]}" = help ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi ;;
  esac
}
complete -o default -F _warp warp
`
}

function zshScript(commands: readonly AnyCommand[]): string {
  const names = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`)
  const cases = commands.map((command) => {
    const words = optionsOf(command).map((option) => {
      const repeats = option.repeatable === true ? '*' : ''
      const value = takesValue(option) ? ':value:_files' : ''
      return quoted(`${repeats}${nameOf(option)}[${option.about.replaceAll(/[[\]:]/g, ' ')}]${value}`)
    })
    return `    ${command.name}) _arguments ${[...words, "'*:file:_files'"].join(' ')} ;;`
  })
  return `#compdef warp
# zsh completion of warp: eval "$(warp completion zsh)"
_warp() {
  local -a commands
  commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _warp warp
`
}

function fishScript(commands: readonly AnyCommand[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c warp -f -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`,
    ...optionsOf(command).map((option) => {
      const value = takesValue(option) ? ' -r' : ''
      const long = nameOf(option).replace(/^--/, '')
      return `complete -c warp -n '__fish_seen_subcommand_from ${command.name}' -l ${long}${value} -d ${quoted(option.about)}`
    }),
  ])
  return `# fish completion of warp: warp completion fish | source\n${lines.join('\n')}\n`
}

/** For a shell: nothing in it means anything. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
