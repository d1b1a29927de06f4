/** A frame of operations that is being worked off, a budget at a time. */
import type { Admitter } from '../anti-entropy/admitter.ts'
import type { OperationsFrame } from '../wire/frames.ts'
import type { Peer } from '../peers.ts'
import type { Regions } from '../regions/regions.ts'

export class FrameWork {
  readonly peer: Peer
  readonly frame: OperationsFrame
  /** The next of `frame.bounds`. */
  #at = 0

  constructor(peer: Peer, frame: OperationsFrame) {
    this.peer = peer
    this.frame = frame
  }

  get isDone(): boolean {
    return this.#at >= this.frame.bounds.length
  }

  /** Operations that have not been offered. */
  get leftCount(): number {
    return (this.frame.bounds.length - this.#at) / 2
  }

  /**
   * Offers up to `budget` operations, while `mayGoOn` says so, and says that they have come. Returns what is left of the budget.
   * Throws `WARP_E_PROTOCOL`.
   */
  offerTo(
    admitter: Admitter,
    budget: number,
    { mayGoOn, regions }: { readonly mayGoOn: () => boolean; readonly regions: Pick<Regions, 'arrived'> },
  ): number {
    const { bounds, bytes, number } = this.frame
    let left = budget
    while (left > 0 && !this.isDone && mayGoOn()) {
      const start = bounds[this.#at]!
      const end = bounds[this.#at + 1]!
      this.#at += 2
      left--
      const { replica, sequence } = admitter.offer(bytes, start, end)
      // Whoever sends an operation has everything of its writer before it.
      if (admitter.isLate(replica)) continue
      this.peer.has.raise(replica, sequence)
      regions.arrived(this.peer, number !== 0, replica, sequence)
    }
    return left
  }

  /** The rest cannot be used. */
  giveUp(): void {
    this.#at = this.frame.bounds.length
  }
}
