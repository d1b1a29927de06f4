/**
 * NATS servers for one test alone, which may stop, kill and start them again: one, or a cluster of three. Their programs
 * are installed by `scripts/servers` if they are not there yet.
 */
import { execFileSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import {
  type NatsServer,
  type NatsSettings,
  startNats,
  startNatsAgain,
  startNatsCluster,
} from '../../tools/servers/nats.mjs'
import { type Server, stopServer } from '../../tools/servers/state.mjs'

const STEP_MS = 5

export class NatsNode {
  #server: NatsServer

  constructor(server: NatsServer) {
    this.#server = server
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
    while (isThere(this.#pid)) await pause(STEP_MS)
  }

  /** At the same ports, with the same data. */
  async startAgain(): Promise<void> {
    this.#server = await startNatsAgain(this.#server)
  }

  get server(): Server {
    return this.#server
  }

  get #pid(): number {
    return this.#server.pid ?? 0
  }
}

export class NatsServers {
  readonly nodes: readonly NatsNode[]
  readonly #folder: string | undefined

  private constructor(nodes: readonly NatsNode[], folder: string | undefined) {
    this.nodes = nodes
    this.#folder = folder
  }

  static async single(settings: NatsSettings = {}): Promise<NatsServers> {
    return new NatsServers([new NatsNode(await startNats(settings))], undefined)
  }

  static async cluster(settings: NatsSettings = {}): Promise<NatsServers> {
    const { nodes, folder } = await startNatsCluster(settings)
    return new NatsServers(
      nodes.map((node) => new NatsNode(node)),
      folder,
    )
  }

  get node(): NatsNode {
    return this.nodes[0]!
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url)
  }

  async close(): Promise<void> {
    for (const node of this.nodes) if (isThere(node.server.pid ?? 0)) node.goOn()
    const nodes = this.nodes.map(({ server }) => server)
    await stopServer({ url: '', nodes, ...(this.#folder === undefined ? {} : { folder: this.#folder }) })
  }
}

/** One that has ended and that nobody has asked about is not there. */
function isThere(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return state !== '' && !state.startsWith('Z')
  } catch {
    return false
  }
}
