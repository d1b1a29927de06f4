/**
 * A guest link inside one process: the executable specification of the port. Frames are handed over in
 * later turns, in order, in copies. `cut` ends it as life does: what is under way is gone.
 */
import type { Env } from '../env.ts'
import { LINK_CUT, type GuestLink, type GuestLinkReceiver, type LinkEnd } from './guest-link.ts'

export interface MemoryLinkOptions {
  /** How long a frame takes, ms. Default 0. */
  readonly delayMs?: number
  /** Bytes that wait before `send` says so. Default 1 MiB. */
  readonly windowBytes?: number
}

export interface MemoryLinks {
  readonly ends: readonly [GuestLink, GuestLink]
  /** Both ends are told that the link is over, and what is under way is lost. */
  cut(): void
}

const WINDOW_BYTES = 1024 * 1024
const CUT: LinkEnd = { code: LINK_CUT, reason: 'cut' }

export function memoryGuestLinks(
  env: Pick<Env, 'schedule' | 'defer'>,
  { delayMs = 0, windowBytes = WINDOW_BYTES }: MemoryLinkOptions = {},
): MemoryLinks {
  const later = (run: () => void): void => {
    if (delayMs > 0) env.schedule(delayMs, run)
    else env.defer(run)
  }
  const [one, other] = [new LinkEndInMemory(later, windowBytes), new LinkEndInMemory(later, windowBytes)]
  one.peer = other
  other.peer = one
  return {
    ends: [one, other],
    cut: () => {
      one.end(CUT)
      other.end(CUT)
    },
  }
}

class LinkEndInMemory implements GuestLink {
  readonly #later: (run: () => void) => void
  readonly #windowBytes: number
  readonly #early: (() => void)[] = []
  peer: LinkEndInMemory | undefined
  bufferedBytes = 0
  #receiver: GuestLinkReceiver | undefined
  #isFull = false
  #isClosing = false
  #isEnded = false

  constructor(later: (run: () => void) => void, windowBytes: number) {
    this.#later = later
    this.#windowBytes = windowBytes
  }

  open(receiver: GuestLinkReceiver): void {
    this.#receiver = receiver
    for (const told of this.#early.splice(0)) told()
  }

  send(frame: Uint8Array): boolean {
    const copy = frame.slice()
    if (this.#isClosing || this.#isEnded) return false
    this.bufferedBytes += copy.length
    this.#later(() => this.#deliver(copy))
    this.#isFull = this.bufferedBytes > this.#windowBytes
    return !this.#isFull
  }

  close(end: LinkEnd): void {
    if (this.#isClosing || this.#isEnded) return
    this.#isClosing = true
    // Behind the frames that were sent before.
    this.#later(() => {
      this.peer?.end(end)
      this.end(end)
    })
  }

  /** Whoever has this end is told, once. */
  end(end: LinkEnd): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.bufferedBytes = 0
    this.#told(() => this.#receiver?.closed(end))
  }

  #deliver(frame: Uint8Array): void {
    if (this.#isEnded) return
    this.bufferedBytes -= frame.length
    this.peer?.take(frame)
    if (!this.#isFull || this.bufferedBytes > this.#windowBytes / 2) return
    this.#isFull = false
    this.#receiver?.drained()
  }

  take(frame: Uint8Array): void {
    if (!this.#isEnded) this.#told(() => this.#receiver?.receive(frame))
  }

  #told(tell: () => void): void {
    if (this.#receiver === undefined) this.#early.push(tell)
    else tell()
  }
}
