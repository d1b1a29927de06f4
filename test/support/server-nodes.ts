/** Servers for one test alone, which may stop, kill and start them again: one, or several that know each other. */
import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { type Server, stopServer } from '../../tools/servers/state.mjs'

const STEP_MS = 5

export class ServerNode<Kind extends Server> {
  readonly #startAgain: (server: Kind) => Promise<Kind>
  #server: Kind

  constructor(server: Kind, startAgain: (server: Kind) => Promise<Kind>) {
    this.#server = server
    this.#startAgain = startAgain
  }

  get url(): string {
    return this.#server.url
  }

  /** Stops it where it stands: the system takes connections for it, and nobody answers. */
  stand(): void {
    process.kill(this.#pid, 'SIGSTOP')
  }

  goOn(): void {
    process.kill(this.#pid, 'SIGCONT')
  }

  /** Settles when it is gone. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    process.kill(this.#pid, how)
    while (this.isThere) await pause(STEP_MS)
  }

  /** At the same ports, with the same data. */
  async startAgain(): Promise<void> {
    this.#server = await this.#startAgain(this.#server)
  }

  get server(): Kind {
    return this.#server
  }

  /** One that has ended and that nobody has asked about is not there. */
  get isThere(): boolean {
    try {
      const state = execFileSync('ps', ['-o', 'stat=', '-p', String(this.#pid)], { encoding: 'utf8' }).trim()
      return state !== '' && !state.startsWith('Z')
    } catch {
      return false
    }
  }

  get #pid(): number {
    return this.#server.pid ?? 0
  }
}

export class ServerNodes<Kind extends Server> {
  readonly nodes: readonly ServerNode<Kind>[]
  readonly #folder: string | undefined

  constructor(nodes: readonly ServerNode<Kind>[], folder: string | undefined) {
    this.nodes = nodes
    this.#folder = folder
  }

  get node(): ServerNode<Kind> {
    return this.nodes[0]!
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url)
  }

  async close(): Promise<void> {
    for (const node of this.nodes) if (node.isThere) node.goOn()
    const nodes = this.nodes.map(({ server }) => server)
    await stopServer({ url: '', nodes, ...(this.#folder === undefined ? {} : { folder: this.#folder }) })
  }
}
