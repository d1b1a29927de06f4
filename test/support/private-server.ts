/**
 * A server for one test or bench alone, which may stop it and kill it: those of `scripts/servers start` are everybody's.
 * Its program is installed by `scripts/servers` if it is not there yet.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type * as kinds from '../../tools/servers/kinds.mjs'
import type * as state from '../../tools/servers/state.mjs'
import { ROOT } from './root.ts'

type Tools = typeof kinds & typeof state
type Server = Awaited<ReturnType<Tools['KINDS'][string]['start']>>

/** What keeps data over a kill. */
const PARAMETERS = { postgres: [], valkey: ['--appendonly', 'yes', '--appendfsync', 'always'], nats: [] } as const
const STEP_MS = 5

export type PrivateServerName = keyof typeof PARAMETERS

/** The tools are plain JavaScript and no part of `dist/`, from where benches run. */
async function tools(): Promise<Tools> {
  const modules = ['kinds', 'state'].map((name) => pathToFileURL(path.join(ROOT, `tools/servers/${name}.mjs`)).href)
  const [one, other] = (await Promise.all(modules.map((module) => import(module)))) as [typeof kinds, typeof state]
  return { ...one, ...other }
}

export class PrivateServer {
  readonly #name: PrivateServerName
  readonly #tools: Tools
  #server: Server

  private constructor(name: PrivateServerName, tools: Tools, server: Server) {
    this.#name = name
    this.#tools = tools
    this.#server = server
  }

  static async start(name: PrivateServerName): Promise<PrivateServer> {
    const { KINDS, ...others } = await tools()
    const server = await KINDS[name]!.start({ parameters: PARAMETERS[name] })
    return new PrivateServer(name, { KINDS, ...others }, server)
  }

  /** `undefined` where there can be none, and says so: what needs it is left out. */
  static async startIfAny(name: PrivateServerName): Promise<PrivateServer | undefined> {
    try {
      return await PrivateServer.start(name)
    } catch (error) {
      console.warn(`\nLEFT OUT: what needs a ${name}. ${error instanceof Error ? error.message : String(error)}\n`)
      return undefined
    }
  }

  get url(): string {
    return this.#server.url
  }

  /** What it keeps. */
  get folder(): string {
    return this.#server.folder!
  }

  /** Stops it where it stands: the system takes connections for it, and nobody answers. */
  stand(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGSTOP')
  }

  goOn(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGCONT')
  }

  kill(): Promise<void> {
    return this.end('SIGKILL')
  }

  /** Settles when all of its processes are gone. One that is asked to end asks its own. */
  async end(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const pids = this.#pids()
    for (const pid of how === 'SIGKILL' ? pids : [this.#pid]) signal(pid, how)
    while (pids.some(isThere)) await pause(STEP_MS)
  }

  /** After `kill` or `end`, at the same port and with the same data. */
  async startAgain(): Promise<void> {
    const parameters = PARAMETERS[this.#name]
    this.#server = await this.#tools.KINDS[this.#name]!.start({ again: this.#server, parameters })
  }

  async close(): Promise<void> {
    if (isThere(this.#pid)) this.goOn()
    await this.#tools.stopServer(this.#server)
  }

  get #pid(): number {
    return this.#server.pid ?? 0
  }

  /** Its first process and those that it has started; a process for each connection, in PostgreSQL. */
  #pids(): number[] {
    const lines = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
    const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
    return [this.#pid, ...pairs.filter(([, parent]) => parent === this.#pid).map(([pid]) => pid as number)]
  }
}

/** Those of a connection end when they please. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
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
