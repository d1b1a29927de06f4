/**
 * A transport that keeps from its replica what its author has not seen yet. Once `hold` has been
 * called, arriving operations wait until `allow` or `letAllThrough` lets them through, each by
 * itself: several that came in one frame need not go on together. Digests are dropped meanwhile,
 * since whoever is told that something exists asks for it; but while something that is allowed is
 * still missing, they are passed on, to find it. A transport may lose frames, so nobody minds.
 *
 * Cutting and healing a link would not do: what is asked for after a heal is answered with all that
 * is there by then, and a history also has operations that crossed on the way.
 */
import type { PeerAddress, ReplicaId, Transport, TransportReceiver } from '../../../adapters/node/index.ts'
import { OperationReader } from '../../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../../src/operation/replica-table.ts'
import { FrameDecoder } from '../../../src/replication/wire/frame-decoder.ts'
import { OperationsBatch } from '../../../src/replication/wire/operations-batch.ts'
import { type Frame, type OperationsFrame, type Sender } from '../../../src/replication/wire/frames.ts'

interface Waiting {
  readonly from: PeerAddress
  readonly sender: Sender
  readonly envelope: Uint8Array
}

/** Operations of one replica. */
class Line {
  readonly waiting = new Map<number, Waiting>()
  allowed = 0
  passed = 0
}

export class HeldTransport implements Transport {
  readonly kind = 'broadcast'
  readonly name: string
  readonly open: Transport['open']
  readonly #table = new ReplicaTable()
  readonly #decoder = new FrameDecoder()
  readonly #reader: OperationReader = new OperationReader(this.#table)
  readonly #batch: OperationsBatch = new OperationsBatch(this.#table)
  readonly #lines = new Map<ReplicaId, Line>()
  #receiver: TransportReceiver | undefined
  #isHolding = false

  constructor(inner: Transport) {
    this.name = inner.name
    this.open = (receiver) => {
      this.#receiver = receiver
      return inner.open({
        receive: (from, bytes) => this.#arrived(from, bytes),
        peerUp: (peer) => receiver.peerUp?.(peer),
        peerDown: (peer) => receiver.peerDown?.(peer),
        report: (report) => receiver.report?.(report),
      })
    }
  }

  /** From now on operations wait. */
  hold(): void {
    this.#isHolding = true
  }

  /** Passes on the operations of `replica` up to `sequence`, also those that are still to come. */
  allow(replica: ReplicaId, sequence: number): void {
    const line = this.#line(replica)
    while (line.allowed < sequence) this.#pass(line, ++line.allowed)
  }

  /** Passes on everything from now on. */
  letAllThrough(): void {
    this.#isHolding = false
    for (const line of this.#lines.values()) {
      for (const sequence of [...line.waiting.keys()].sort((a, b) => a - b)) this.#pass(line, sequence)
    }
  }

  #arrived(from: PeerAddress, bytes: Uint8Array): void {
    const frame = this.#isHolding ? this.#decoder.decode(bytes) : undefined
    if (frame?.kind === 'operations') this.#sort(from, frame)
    else if (!isDigest(frame) || this.#isMissing()) this.#receiver?.receive(from, bytes)
  }

  #sort(from: PeerAddress, { sender, bytes, bounds }: OperationsFrame): void {
    for (let i = 0; i < bounds.length; i += 2) {
      const { replica, sequence } = this.#reader.load(bytes, bounds[i]!, bounds[i + 1]!)
      const line = this.#line(replica)
      line.waiting.set(sequence, { from, sender, envelope: bytes.subarray(bounds[i], bounds[i + 1]) })
      if (sequence <= line.allowed) this.#pass(line, sequence)
    }
  }

  #pass(line: Line, sequence: number): void {
    const waiting = line.waiting.get(sequence)
    if (waiting === undefined) return
    line.waiting.delete(sequence)
    line.passed = Math.max(line.passed, sequence)
    const { from, sender, envelope } = waiting
    this.#batch.begin(sender, 0)
    this.#batch.add(envelope, 0, envelope.length)
    this.#receiver?.receive(from, this.#batch.finish(false).slice())
  }

  #isMissing(): boolean {
    return [...this.#lines.values()].some(({ allowed, passed }) => passed < allowed)
  }

  #line(replica: ReplicaId): Line {
    let line = this.#lines.get(replica)
    if (line === undefined) this.#lines.set(replica, (line = new Line()))
    return line
  }
}

function isDigest(frame: Frame | undefined): boolean {
  return frame?.kind === 'digest' || frame?.kind === 'digest-change'
}
