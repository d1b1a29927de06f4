/** MONITOR: whoever asks for it is shown every command that runs, as it was sent; passwords are not shown. */
import type { CommandFacts } from '../call/command-facts.ts'
import type { Client } from '../connections/client.ts'

export interface Shown {
  readonly command: CommandFacts
  readonly args: readonly string[]
  readonly client: Client
  readonly isScript: boolean
  readonly nowMs: number
}

export class Monitors {
  readonly #clients = new Set<Client>()

  get count(): number {
    return this.#clients.size
  }

  has(client: Client): boolean {
    return this.#clients.has(client)
  }

  add(client: Client): void {
    this.#clients.add(client)
  }

  remove(client: Client): void {
    this.#clients.delete(client)
  }

  show(shown: Shown): void {
    if (shown.command.flags.includes('admin')) return
    const line = lineOf(shown)
    for (const client of this.#clients) client.outlet.push((reply) => reply.simple(line))
  }
}

function lineOf({ command, args, client, isScript, nowMs }: Shown): string {
  const from = isScript ? 'lua' : client.address
  const shownArgs = withoutPasswords(command.name, args).map((one) => `"${escaped(one)}"`)
  return `${(nowMs / 1000).toFixed(6)} [0 ${from}] ${shownArgs.join(' ')}`
}

/** Behind AUTH nothing is shown, nor the two words behind it in HELLO. */
export function withoutPasswords(name: string, args: readonly string[]): readonly string[] {
  const hidden = '(redacted)'
  if (name === 'AUTH') return args.map((one, place) => (place === 0 ? one : hidden))
  if (name !== 'HELLO') return args
  const place = args.findIndex((one) => one.toUpperCase() === 'AUTH')
  return place === -1 ? args : args.map((one, i) => (i > place && i <= place + 2 ? hidden : one))
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x07': '\\a', '\b': '\\b' },
}

function escaped(binary: string): string {
  return binary.replace(
    /[\\"\x00-\x1f\x7f-\xff]/g,
    (one) => ESCAPES[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
