/**
 * Numbers of this replica's own messages, by channel. A channel that is forgotten because there are too
 * many begins a stream of its own: its numbers begin anew, and the stream says that they are later ones.
 */
import { OldestFirst } from '../../crdt/oldest-first.ts'
import type { MessageHead, ToldHead } from '../ports/talk/message-talk.ts'

/** The last round after a message in which its number is told: the first, second, fourth and so on are others. */
const TOLD_ROUND_MAX = 64

interface Own {
  readonly stream: number
  number: number
  /** When the last one was published, by the monotonic clock. */
  atMs: number
  /** Rounds since then. */
  rounds: number
}

export class Numbering {
  readonly #channels = new OldestFirst<string, Own>()
  readonly #channelsMax: number
  /** Channels whose last number is still to be told. */
  readonly #untold = new Set<string>()
  #lastStream = 0

  constructor(channelsMax: number) {
    this.#channelsMax = channelsMax
  }

  /** The number of the next message of a channel. */
  next(channel: string, nowMs: number): MessageHead {
    const own = this.#channels.get(channel) ?? { stream: ++this.#lastStream, number: 0, atMs: 0, rounds: 0 }
    own.number++
    own.atMs = nowMs
    own.rounds = 0
    this.#untold.add(channel)
    // The youngest of them.
    this.#channels.delete(channel)
    this.#channels.set(channel, own)
    if (this.#channels.size > this.#channelsMax) this.#forgetOldest()
    return { channel, stream: own.stream, number: own.number }
  }

  /** What is to be told with this round: ever more seldom, for a round may be lost as well. */
  heads(nowMs: number): ToldHead[] {
    const heads: ToldHead[] = []
    for (const channel of this.#untold) {
      const own = this.#channels.get(channel) as Own
      own.rounds++
      if (Number.isInteger(Math.log2(own.rounds))) heads.push(headOf(channel, own, nowMs))
      if (own.rounds === TOLD_ROUND_MAX) this.#untold.delete(channel)
    }
    return heads
  }

  /** Those of the channels that have been used last. */
  lastHeads(countMax: number, nowMs: number): ToldHead[] {
    return [...this.#channels].slice(-countMax).map(([channel, own]) => headOf(channel, own, nowMs))
  }

  #forgetOldest(): void {
    const oldest = this.#channels.oldest() as string
    this.#channels.delete(oldest)
    this.#untold.delete(oldest)
  }
}

function headOf(channel: string, { stream, number, atMs }: Own, nowMs: number): ToldHead {
  return { channel, stream, number, agoMs: Math.max(0, Math.round(nowMs - atMs)) }
}
