/**
 * A guest's writes that no gateway has answered, in their order. What has been sent to one gateway may be
 * there though the answer was lost, so it goes to no other one before it is known that it is not: it is
 * *pinned*, and what comes behind it waits. Answered twice it is not, for gateways know a guest's last
 * write by the provenance of operations.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { GUEST_WINDOW } from '../../limits.ts'
import type { Answer, Push, Welcome } from '../frames.ts'
import type { OwnWrite } from './held-key.ts'

export interface Outgoing extends OwnWrite {
  /** To whom it has been sent last. */
  sentTo: ReplicaId | undefined
  readonly resolve: (dot: Dot | undefined) => void
  readonly reject: (error: Error) => void
}

const PUSH_BYTES = 64 * 1024

export class Outbox {
  readonly #writes = new Map<number, Outgoing>()
  /** The gateway that has let the guest in. */
  #gateway: ReplicaId | undefined
  /** What has been sent elsewhere may be sent to it. */
  #isFree = false
  #last = 0
  /** Sent over the present link. */
  readonly #sent = new Set<number>()
  #bytes = 0

  get size(): number {
    return this.#writes.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The number of the first write that is not answered. */
  get first(): number | undefined {
    return this.#first()?.sequence
  }

  /** Where the first unanswered write may be, if it is not known. */
  get pinned(): ReplicaId | undefined {
    return this.#first()?.sentTo
  }

  add(write: Outgoing): void {
    this.#writes.set(write.sequence, write)
    this.#bytes += write.bytes
  }

  welcomed({ gateway, last, isFree }: Welcome): void {
    this.#gateway = gateway
    this.#isFree = isFree
    this.#last = last
  }

  disconnected(): void {
    this.#gateway = undefined
    this.#sent.clear()
  }

  /** Returns the write that is answered, once. */
  answered({ sequence }: Answer): Outgoing | undefined {
    const write = this.#writes.get(sequence)
    if (write === undefined) return undefined
    this.#writes.delete(sequence)
    this.#sent.delete(sequence)
    this.#bytes -= write.bytes
    return write
  }

  /** What may be sent now: writes of one frame. `undefined`: nothing. */
  next(): Push | undefined {
    const gateway = this.#gateway
    const chosen = gateway === undefined ? [] : this.#chosen()
    const [first] = chosen
    if (first === undefined) return undefined
    for (const write of chosen) {
      // One that is sent for its answer alone stays where it is.
      if (write.sentTo === undefined || this.#isFree) write.sentTo = gateway
      this.#sent.add(write.sequence)
    }
    const operations = chosen.map((write) => write.held.pushed(write))
    return { kind: 'push', seen: first.seen, unansweredFrom: this.first ?? first.sequence, operations }
  }

  /** The first writes that have not been sent over this link and had seen the same, as far as the window goes. */
  #chosen(): Outgoing[] {
    const chosen: Outgoing[] = []
    let bytes = 0
    for (const write of this.#writes.values()) {
      if (this.#sent.has(write.sequence)) continue
      if (this.#isElsewhere(write) || this.#sent.size + chosen.length >= GUEST_WINDOW) break
      const { seen = write.seen } = chosen[0] ?? {}
      bytes += write.bytes
      if (seen !== write.seen || (chosen.length > 0 && bytes > PUSH_BYTES)) break
      chosen.push(write)
    }
    return chosen
  }

  /** Everything that is left, for the end. */
  *all(): Iterable<Outgoing> {
    yield* this.#writes.values()
  }

  /** It may be at another gateway, and this one does not know of it. */
  #isElsewhere({ sentTo, sequence }: Outgoing): boolean {
    return sentTo !== undefined && sentTo !== this.#gateway && !this.#isFree && sequence > this.#last
  }

  #first(): Outgoing | undefined {
    return this.#writes.values().next().value
  }
}
