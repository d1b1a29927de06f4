/**
 * A transport that can keep back what its replica broadcasts: frames of operations are collected
 * and handed out later, at the pace of the bench, so that the time of making them is not part of
 * what is measured. Digests that are sent meanwhile are lost, as on any bad day.
 */
import type { PeerAddress, Transport, TransportLink } from '../../src/ports/transport.ts'
import { FRAME_KIND } from '../../src/replication/wire/frames.ts'
import { turn } from './users.ts'

export class PreparedTransport implements Transport {
  readonly kind = 'broadcast'
  readonly name: string
  readonly #inner: Transport
  readonly #prepared: Uint8Array[] = []
  #link: TransportLink | undefined
  #isHolding = false

  constructor(inner: Transport) {
    this.#inner = inner
    this.name = inner.name
  }

  async open(receiver: Parameters<Transport['open']>[0]): Promise<TransportLink> {
    const link = await this.#inner.open(receiver)
    this.#link = link
    return {
      frameBytesMax: link.frameBytesMax,
      broadcast: (bytes) => {
        if (!this.#isHolding) link.broadcast(bytes)
        else if (bytes[1] === FRAME_KIND.operations) this.#prepared.push(bytes.slice())
      },
      send: (to, bytes) => this.#isHolding || link.send(to, bytes),
      ...(link.peers === undefined ? {} : { peers: () => link.peers?.() ?? [] }),
      close: () => link.close(),
    }
  }

  hold(): void {
    this.#isHolding = true
  }

  get preparedCount(): number {
    return this.#prepared.length
  }

  /**
   * Sends what was prepared; `room(count)` waits until frame `count` may go out. Then everything
   * goes its way again.
   */
  async release(to: PeerAddress, room: (count: number) => Promise<void>): Promise<void> {
    const link = this.#link as TransportLink
    for (const [i, frame] of this.#prepared.entries()) {
      await room(i)
      while (!link.send(to, frame)) await turn()
    }
    this.#prepared.length = 0
    this.#isHolding = false
  }
}
