/**
 * Machines made of Linux network namespaces: each has an interface `eth0` and an address, and all hang on one bridge, which is in a
 * namespace of its own, so the machine's own network is not touched. Links can be taken down and up. Needs root.
 *
 * Names carry this process's id: what a killed run has left behind is removed by the next one.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const PREFIX = 'warp-test-'
const OWNED = new RegExp(`^${PREFIX}(\\d+)-`)

/** Why there can be none on this machine; `undefined` if there can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const probe = `${PREFIX}${process.pid}-probe`
  try {
    ip('netns', 'add', probe)
    ip('-n', probe, 'link', 'add', 'br0', 'type', 'bridge')
    ip('-n', probe, 'link', 'add', 'name', 'probe0', 'type', 'veth', 'peer', 'name', 'probe1')
    return undefined
  } catch (error) {
    return `network namespaces cannot be made here: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    remove(probe)
  }
}

export class NamespaceNetwork {
  readonly #bridge = `${PREFIX}${process.pid}-bridge`
  readonly #machines: string[] = []

  /** Call `close` when done, whatever happens. */
  constructor() {
    for (const name of listed()) if (isAbandoned(name)) remove(name)
    ip('netns', 'add', this.#bridge)
    // Snooping would drop what is sent to a group until somebody has asked who listens.
    ip('-n', this.#bridge, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
    ip('-n', this.#bridge, 'link', 'set', 'dev', 'br0', 'up')
  }

  /** A machine with this address, such as `10.77.0.1/24`. */
  add(name: string, address: string): void {
    const namespace = this.#namespace(name)
    ip('netns', 'add', namespace)
    this.#machines.push(name)
    ip('link', 'add', 'eth0', 'netns', namespace, 'type', 'veth', 'peer', 'name', name, 'netns', this.#bridge)
    ip('-n', this.#bridge, 'link', 'set', 'dev', name, 'master', 'br0')
    // Without waiting whether somebody else has the address: an IPv6 one could not be used at once.
    ip('-n', namespace, 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []))
    ip('-n', namespace, 'link', 'set', 'dev', 'lo', 'up')
    ip('-n', namespace, 'link', 'set', 'dev', 'eth0', 'up')
    this.set(name, 'up')
  }

  /** The bridge's end of the machine's link: the machine keeps its address. */
  set(name: string, state: 'up' | 'down'): void {
    ip('-n', this.#bridge, 'link', 'set', 'dev', name, state)
  }

  /** The command under which a program runs on that machine. */
  under(name: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespace(name)]
  }

  close(): void {
    for (const name of this.#machines) remove(this.#namespace(name))
    remove(this.#bridge)
  }

  #namespace(name: string): string {
    return `${PREFIX}${process.pid}-${name}`
  }
}

function ip(...words: readonly string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function listed(): string[] {
  return ip('netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
}

function isAbandoned(name: string): boolean {
  const owner = OWNED.exec(name)?.[1]
  return owner !== undefined && !existsSync(`/proc/${owner}`)
}

function remove(namespace: string): void {
  try {
    ip('netns', 'del', namespace)
  } catch {
    // It was not made: making it, or something before it, failed.
  }
}
