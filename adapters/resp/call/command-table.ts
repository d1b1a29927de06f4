/** The table of commands: which there are, and what is asked of it. */
import type { Command, Commands } from './command.ts'

/** A container's name may be a command itself. */
const BARE = ''

export class CommandTable implements Commands {
  readonly all: readonly Command[]
  readonly #byName = new Map<string, Command>()
  readonly #containers = new Map<string, Map<string, Command>>()

  constructor(commands: readonly Command[]) {
    this.all = [...commands].sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const command of this.all) {
      const [container, sub] = command.name.split(' ') as [string, string | undefined]
      if (sub !== undefined) this.#containers.set(container, new Map<string, Command>())
    }
    for (const command of this.all) this.#add(command)
  }

  /** In any case; `sub` counts where the name is a container's. */
  find(name: string, sub: string | undefined): Command | undefined {
    const found = this.#byName.get(name) ?? this.#byName.get(name.toUpperCase())
    if (found !== undefined) return found
    const container = this.#containers.get(name.toUpperCase())
    return container?.get(sub === undefined ? BARE : sub.toUpperCase())
  }

  isContainer(name: string): boolean {
    return this.#containers.has(name.toUpperCase())
  }

  /** Names of commands, a container once, in alphabetical order. */
  get names(): string[] {
    return [...new Set([...this.#byName.values()].map(({ name }) => name).concat([...this.#containers.keys()]))].sort()
  }

  /** The subcommands of a container; empty for other names. */
  subcommands(name: string): readonly Command[] {
    return [...(this.#containers.get(name.toUpperCase())?.values() ?? [])]
  }

  #add(command: Command): void {
    const [name, sub = BARE] = command.name.split(' ') as [string, string | undefined]
    const container = this.#containers.get(name)
    if (container !== undefined) {
      container.set(sub, command)
      return
    }
    this.#byName.set(name, command)
    this.#byName.set(name.toLowerCase(), command)
  }
}
