/**
 * How often operations cross into a region: each time that one which was written elsewhere is sent over
 * the region's transports, to everybody or to one. Wraps the transports of relays.
 */
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import type { Transport, TransportLink } from '../../src/ports/transport.ts'
import { FrameDecoder } from '../../src/replication/wire/frame-decoder.ts'
import { FRAME_KIND } from '../../src/replication/wire/frames.ts'

export class Crossings {
  readonly #homes = new Map<string, string>()
  readonly #counts = new Map<string, Map<string, number>>()
  readonly #decoder = new FrameDecoder()

  /** What that replica writes is written there. */
  isAtHome(replica: string, region: string): void {
    this.#homes.set(replica, region)
  }

  /** How often each operation has been sent into that region, by dot. */
  into(region: string): ReadonlyMap<string, number> {
    return this.#counts.get(region) ?? new Map<string, number>()
  }

  /** The most of these. */
  most(region: string): number {
    let most = 0
    for (const count of this.into(region).values()) most = Math.max(most, count)
    return most
  }

  /** What crossed so far is forgotten. */
  forget(): void {
    this.#counts.clear()
  }

  /** Counts what is sent over it. */
  watch(transport: Transport, region: string): Transport {
    return {
      ...{ kind: 'broadcast', name: transport.name },
      open: async (receiver) => this.#watched(await transport.open(receiver), region),
    }
  }

  #watched(link: TransportLink, region: string): TransportLink {
    return {
      frameBytesMax: link.frameBytesMax,
      broadcast: (bytes) => {
        this.#note(region, bytes)
        link.broadcast(bytes)
      },
      send: (to, bytes) => {
        const isSent = link.send(to, bytes)
        if (isSent) this.#note(region, bytes)
        return isSent
      },
      ...(link.peers === undefined ? {} : { peers: () => link.peers?.() ?? [] }),
      close: () => link.close(),
    }
  }

  #note(region: string, bytes: Uint8Array): void {
    if (bytes[1] !== FRAME_KIND.operations) return
    const frame = this.#decoder.decode(bytes.slice())
    if (frame.kind !== 'operations') return
    const counts = this.#counts.get(region) ?? new Map<string, number>()
    this.#counts.set(region, counts)
    const reader = new OperationReader(new ReplicaTable())
    for (let i = 0; i < frame.bounds.length; i += 2) {
      const { replica, sequence } = reader.load(frame.bytes, frame.bounds[i] as number, frame.bounds[i + 1] as number)
      if (this.#homes.get(replica) === region) continue
      const dot = `${replica}/${sequence}`
      counts.set(dot, (counts.get(dot) ?? 0) + 1)
    }
  }
}
