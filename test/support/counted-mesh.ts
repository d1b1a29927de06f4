/** A mesh on the network in memory and on virtual time, and what it puts on the wire, without the heads of IP, UDP and TCP. */
import { meshTransport } from '../../adapters/mesh/mesh-transport.ts'
import type { Transport } from '../../src/index.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'
import { FakeMeshNetwork } from './fake-mesh-network.ts'

const KEY = '4f5d0c2b9a8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a392817065544'

export interface CountedMember {
  readonly env: VirtualEnv
  readonly transport: Transport
}

export class CountedMesh {
  readonly env: VirtualEnv = virtualEnv({ seed: 1 })
  readonly members: readonly CountedMember[]
  readonly #network = new FakeMeshNetwork({ clock: this.env, delayMs: 1 })

  /** Members that know the first one. None is open yet. */
  constructor(count: number) {
    this.members = Array.from({ length: count }, (_, i) => {
      const host = `10.0.0.${i + 1}`
      const env = this.env.fork({ label: host })
      const network = this.#network.machine(host)
      const settings = { host, peers: ['10.0.0.1'], clusterKey: KEY, multicast: false as const, network, clock: env }
      return { env, transport: meshTransport(settings) }
    })
  }

  /** Bytes that all members together send in so much virtual time, from the call on. */
  async bytesIn(ms: number): Promise<number> {
    return (await this.sentIn(ms)).bytes
  }

  /** The same, and the datagrams. */
  async sentIn(ms: number): Promise<{ readonly bytes: number; readonly datagrams: number }> {
    const before = { bytes: this.#sentBytes, datagrams: this.#network.counts.sent }
    await this.env.advance(ms)
    return { bytes: this.#sentBytes - before.bytes, datagrams: this.#network.counts.sent - before.datagrams }
  }

  get #sentBytes(): number {
    return this.#network.counts.sentBytes + this.#network.streams.sentBytes
  }
}
